"""What an operator does with the mouse and the keyboard at the shipped displays, over Channel Access as Phoebus uses it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from archioc.ioc.views.puts import STEADY_S
from archioc.opi import displays
from tests.processes import raw_frames as frames
from tests.processes.control_process import ControlProcess
from tests.processes.raw_connection import Opened, RawConnection
from tests.processes.waiting import PATIENCE_S, wait_until
from tests.screens.operator import Operator

VIEW = "$(P)View:$(VIEW=$(DID)):"


class RawWire:
    """One circuit, as a Phoebus has it."""

    def __init__(self, connection: RawConnection) -> None:
        self._connection = connection
        self._channels: dict[str, Opened] = {}

    def text(self, name: str) -> str:
        channel = self._open(name)
        found = self._connection.get(channel, channel.data_type if channel.data_type == frames.CHAR else frames.STRING)
        assert found is not None, name
        return found.payload.split(b"\0")[0].decode()

    def write_codes(self, name: str, codes: list[int]) -> None:
        payload = frames.encoded([float(code) for code in codes], frames.LONG)
        self._write(name, frames.LONG, len(codes), payload)

    def write_text(self, name: str, text: str) -> None:
        self._write(name, frames.STRING, 1, text.encode()[:39].ljust(40, b"\0"))

    def is_characters(self, name: str) -> bool:
        return self._open(name).data_type == frames.CHAR

    def _write(self, name: str, data_type: int, count: int, payload: bytes) -> None:
        sid, ioid = self._open(name).sid, next(self._connection.numbers)
        self._connection.send(frames.put(sid, data_type, count, payload, ioid, notify=False))

    def _open(self, name: str) -> Opened:
        if name not in self._channels:
            (found,) = self._connection.open([name])
            assert found is not None, name
            self._channels[name] = found
        return self._channels[name]


@pytest.fixture
def wire(control: ControlProcess) -> Iterator[RawWire]:
    with RawConnection(control.port) as connection:
        yield RawWire(connection)


def at(display: str, prefix: str, wire: RawWire, **more: str) -> Operator:
    return Operator(displays.SHIPPED / display, {"P": prefix, "DID": "WD7", **more}, wire)


def sees(wire: RawWire, name: str, text: str) -> None:
    wait_until(lambda: text in wire.text(name), PATIENCE_S, f"{name} shows {text!r}")


def test_text_that_is_typed_arrives(wire: RawWire, prefix: str) -> None:
    """A filter and a name typed into channels.bob arrive, letters beyond ASCII too, and the panel shows what is selected."""
    operator, view = at("channels.bob", prefix, wire), prefix + "View:WD7:"
    sees(wire, view + "Row00:Name", "SR:DCCT")
    assert operator.is_there("label Press ... in a row to see a channel here.")
    operator.click(f"entry {VIEW}Select")
    operator.type("SR:DCCT")
    operator.press_return()
    sees(wire, view + "Selected:Name", "SR:DCCT")
    assert not operator.is_there("label Press ... in a row to see a channel here.")
    time.sleep(STEADY_S + 0.1)  # nobody types sooner
    operator.click(f"entry {VIEW}Selected:Desc")
    operator.type("µm \U0001f600")
    operator.press_return()
    sees(wire, f"{prefix}CH:SR:DCCT:Desc", "µm \U0001f600")
    operator.click(f"entry {VIEW}Selected:Rate.TXT")
    operator.type("5 Hz")
    operator.press_return()
    sees(wire, f"{prefix}CH:SR:DCCT:Rate.TXT", "5.000 Hz")


def test_empty_rows_cannot_be_operated(wire: RawWire, prefix: str) -> None:
    """A row with a channel can be used; one without is not there."""
    operator = at("channels.bob", prefix, wire)
    sees(wire, prefix + "View:WD7:Row00:Name", "SR:DCCT")
    time.sleep(STEADY_S)
    operator.click(f"entry {VIEW}Row00:Rate.TXT")
    operator.type("7")
    operator.press_return()
    sees(wire, f"{prefix}CH:SR:DCCT:Rate.TXT", "7.000 Hz")
    assert operator.is_there("line Row00")
    assert not operator.is_there("line Row24")
    with pytest.raises(AssertionError, match="is hidden"):
        operator.click(f"entry {VIEW}Row24:Rate.TXT")


def test_commands_are_carried_out_by_their_button_alone(wire: RawWire, prefix: str) -> None:
    """Typing and clicking elsewhere changes nothing; the button does; clicking the field and the display again repeats nothing."""
    operator, result = at("add.bob", prefix, wire), prefix + "View:WD7:Result"
    operator.click("text of Add")
    operator.type("SR:NEW:X rate=3")
    operator.click("")
    assert operator.shown("text of Add") == "SR:NEW:X rate=3"
    assert wire.text(result) == wire.text(prefix + "LastChange") == ""
    operator.click("button Add")
    sees(wire, result, "added 1 channel")
    done = wire.text(prefix + "LastChange")
    for name in ("text of Add", "text of Set", "", "text of Rename", "text of Remove", ""):
        operator.click(name)
    operator.click("button Change")  # an empty field
    assert wire.text(prefix + "LastChange") == done
    assert wire.text(result) == "added 1 channel"
    operator.click("text of Add")
    operator.type("SR:NEW:X")
    operator.click("button Add")
    sees(wire, result, "is archived already")


def test_removal_asks_first(wire: RawWire, prefix: str) -> None:
    """Who says no to the question removes nothing; who says yes does, in add.bob and in channel.bob."""
    for display, button, field in (("add.bob", "button Remove ...", "text of Remove"), ("channel.bob", "button Remove ...", "")):
        name = "SR:DCCT" if field else "SR:X.HIHI"
        operator = at(display, prefix, wire, CH=name)
        wire.text(f"{prefix}CH:{name}:Name")
        if field:
            operator.click(field)
            operator.type(name)
        operator.confirms = False
        operator.click(button)
        assert wire.text(f"{prefix}CH:{name}:State") != "Removed"
        operator.confirms = True
        operator.click(button)
        sees(wire, f"{prefix}CH:{name}:State", "Removed")
