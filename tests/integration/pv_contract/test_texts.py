"""Texts that are put as numbers, as Phoebus does it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from archioc.ioc.views.puts import STEADY_S
from tests.integration.pv_contract.content import COMMANDS, OF_A_GROUP_SLOT, OF_A_ROW, SETTINGS, audited, contract
from tests.processes import raw_frames as frames
from tests.processes.control_process import ControlProcess
from tests.processes.raw_connection import RawConnection
from tests.processes.waiting import PATIENCE_S, wait_until

NUMERIC = {"SHORT": frames.INT, "FLOAT": frames.FLOAT, "ENUM": frames.ENUM, "LONG": frames.LONG, "DOUBLE": frames.DOUBLE}
OF_A_VIEW = {
    "View:v1:Filter": "dcct",
    "View:v1:Select": "SR:DCCT",
    "View:v1:GroupSelect": "vac",
    "View:v1:Add": "B:1",
    "View:v1:Set": "B:1 rate=3",
    "View:v1:Rename": "B:1 B:4",
    "View:v1:Remove": "B:4",
}
ACTING = {"ImportFile", "View:v1:ImportFile", "Apply", "CH:SR:DCCT:Remove"}
"""Puts that leave nothing for the others to act on, or need a file."""

TEXTS = {
    row.pv: text
    for row in sorted(contract(), key=lambda row: row.pv.endswith("Remove"))
    if row.dbr_type == "CHAR" and row.access != "read" and row.pv not in ACTING
    for text in [{**SETTINGS, **OF_A_ROW, **OF_A_GROUP_SLOT, **OF_A_VIEW, **COMMANDS}[row.pv]]
    if isinstance(text, str)
}
"""A text for each writable row of characters."""


@pytest.fixture
def writer(control: ControlProcess) -> Iterator[RawConnection]:
    with RawConnection(control.port) as connection:
        yield connection


def phoebus_put(writer: RawConnection, name: str, text: str, data_type: int, *, notify: bool = True) -> str:
    """What Phoebus sends for a text that a person types: a UTF-16 unit in each element, and a 0. The words of a refusal."""
    raw = text.encode("utf-16-be")
    units = [float(int.from_bytes(raw[at : at + 2])) for at in range(0, len(raw), 2)]
    (channel,) = writer.open([name])
    assert channel is not None, name
    ioid = next(writer.numbers)
    put = frames.put(channel.sid, data_type, len(units) + 1, frames.encoded([*units, 0.0], data_type), ioid, notify=notify)
    if notify:
        return writer.ask(put, ioid).puts[ioid]
    last = next(writer.numbers)
    answers = writer.ask(put + frames.read(channel.sid, frames.STRING, 1, last), last, read=True)
    return answers.puts.get(ioid, "")


@pytest.mark.parametrize("data_type", NUMERIC.values(), ids=NUMERIC)
def test_every_text_can_be_put_as_numbers(control: ControlProcess, writer: RawConnection, prefix: str, data_type: int) -> None:
    """Each writable row of characters takes a text as numbers of any type, with and without completion, and the audit shows the text."""
    writer.open([f"{prefix}View:v1:Row00:Name", f"{prefix}View:v1:Group00:Name"])
    for notify in (True, False):
        for name, text in TEXTS.items():
            wanted = re.sub(r"([AB]):([14])", rf"\1:{int(notify)}\2", text)
            while "came here" in (refused := phoebus_put(writer, prefix + name, wanted, data_type, notify=notify)):
                time.sleep(STEADY_S / 5)  # the list shows what the puts before have changed
            assert refused == "", name
    if data_type in {frames.LONG, frames.DOUBLE}:
        assert phoebus_put(writer, f"{prefix}CH:SR:DCCT:Desc", "µm € \U0001f600", data_type) == ""
    wait_until(lambda: len(audited(control)) > 2, PATIENCE_S, "the puts are audited")
    words = {entry.new for entry in audited(control)}
    assert {"A:11", "A:01", "A:11 rate=3", "beam current", "SR:MODE > 2"} <= words
    assert not [new for new in words if "83" in new]


def test_refused_numbers_change_nothing(control: ControlProcess, writer: RawConnection, prefix: str) -> None:
    """What is no character is refused with the rule, with the status of a put that failed, and changes nothing."""
    (desc,) = writer.open([f"{prefix}CH:SR:DCCT:Desc"])
    assert desc is not None
    for code in (float("nan"), float("inf"), 65.5, -129.0, 1114112.0):
        ioid = next(writer.numbers)
        answers = writer.ask(frames.put(desc.sid, frames.DOUBLE, 2, frames.encoded([65.0, code], frames.DOUBLE), ioid), ioid)
        assert "must be the code of a character" in answers.puts[ioid]
        assert answers.statuses[ioid] == 160
    found = writer.get(desc, frames.CHAR)
    assert found is not None
    assert found.payload.strip(b"\0") == b""
