"""What keeps values of a connected channel out, and what is told of it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archioc.core.channel import LargeArrays
from archioc.core.dbr import DBR_CTRL_OFFSET, DBR_TIME_OFFSET, Dbr
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import Kind
from archioc.core.table.table import ChannelState
from archioc.engine.channels.admission import ECA_NORDACCESS
from archioc.engine.channels.last_run import LastRun
from tests.unit.engine.deliveries import Delivery, call, hand_over
from tests.unit.engine.rig import Archive, Engine, events, numbers

SECOND = 1_000_000_000
ECA_BADMASK = 320


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "state")
    made.add("A")
    made.add("B", rate=1.0, as_text=True)
    yield made
    made.close()


@pytest.fixture
def engine(archive: Archive) -> Iterator[Engine]:
    made = Engine(archive, time.time_ns())
    made.collector.round(time.time_ns())
    yield made
    made.stop(time.time_ns())
    cells = archive.table.ledger.cells
    lost = cells["dropped_overflow"] + cells["dropped_spool_full"]
    assert (cells["received"] + cells["generated"] == cells["filtered"] + cells["committed"] + cells["withheld"] + lost).all()


def turn(engine: Engine, now: int | None = None) -> None:
    engine.collector.round(time.time_ns() if now is None else now)
    engine.write()


def array(engine: Engine, name: str, elements: bytes, native: Dbr = Dbr.CHAR) -> None:
    row, generation = engine.access.created[name]
    hand_over(engine.callback, Delivery(row, native, True, elements, time.time_ns(), generation=generation))


def refuse(engine: Engine, name: str, code: int, dbr: int = Dbr.DOUBLE + DBR_TIME_OFFSET) -> None:
    call(engine.callback, *engine.access.created[name], False, dbr, 0, None, code)


def shown(archive: Archive, name: str) -> tuple[ChannelState, str]:
    status = archive.table.status.cells[archive.registry.channels[name].row]
    return ChannelState(int(status["state"])), bytes(status["reason"]).decode()


def told(archive: Archive, reason: Reason) -> list[ChannelEvent]:
    return [event for batch in archive.published() for event in batch.events if event.reason is reason]


def blobs(archive: Archive) -> list[tuple[Kind, bytes]]:
    found = ((batch, one) for batch in archive.published() for one in batch.samples if not one["flags"])
    return [(Kind(int(one["kind"])), batch.blobs[one["blob"]]) for batch, one in found]


def test_an_array_that_never_fits_is_refused_once(archive: Archive, engine: Engine) -> None:
    """An array larger than the ring shows its channel as rejected, with one event; it is counted and not asked for again and again."""
    engine.connect("A", Dbr.CHAR, 1_000_000)
    for _ in range(3):
        array(engine, "A", bytes(1_000_000))
        turn(engine)
    assert shown(archive, "A") == (ChannelState.REJECTED, "array of 1000000 elements: see max_array_bytes, ring_bytes")
    assert engine.access.asked == []
    assert len(told(archive, Reason.REJECTED)) == 1
    assert archive.table.ledger.cells["dropped_overflow"][archive.registry.channels["A"].row] == 3
    array(engine, "A", b"short")
    turn(engine)
    assert shown(archive, "A") == (ChannelState.ARCHIVING, "")


def test_what_is_lost_again_and_again_is_asked_for_once_a_second(archive: Archive, engine: Engine) -> None:
    """An array that finds no room in any round is asked for at once and then once a second, and told every 10 s; every loss counts."""
    engine.connect("A", Dbr.CHAR, 200_000)
    engine.access.connections = {"A": (Dbr.CHAR, 200_000)}
    now = time.time_ns()
    for at in range(30):
        array(engine, "A", bytes(200_000))
        engine.collector.round(now + at * SECOND // 10)  # never committed: only the first has found room
    engine.collector.round(now + 11 * SECOND)
    engine.write()
    assert [event.count for event in told(archive, Reason.LOST_OVERFLOW)] == [1, 28]
    assert len(engine.access.asked) == 4


def test_losses_that_were_not_told_are_told_at_the_end(archive: Archive, engine: Engine) -> None:
    """A stop tells what is still to be told of losses."""
    engine.connect("A", Dbr.CHAR, 200_000)
    for _ in range(3):
        array(engine, "A", bytes(200_000))
        engine.collector.round(time.time_ns())
    engine.collector.stop(time.time_ns())
    engine.write()
    assert sum(event.count for event in told(archive, Reason.LOST_OVERFLOW)) == 2


def test_no_read_access_is_told_until_a_value_comes(archive: Archive, engine: Engine) -> None:
    """A channel without read access is rejected with one event, also when asked again; the first value ends that, not one from before."""
    engine.connect("A")
    engine.deliver("A", 1.0, time.time_ns())
    refuse(engine, "A", ECA_NORDACCESS)
    refuse(engine, "A", ECA_NORDACCESS, Dbr.DOUBLE + DBR_CTRL_OFFSET)
    turn(engine)
    assert shown(archive, "A") == (ChannelState.REJECTED, "no read access")
    engine.deliver("A", 2.0, time.time_ns())
    turn(engine)
    assert shown(archive, "A") == (ChannelState.ARCHIVING, "")
    assert [event.text for event in told(archive, Reason.REJECTED)] == ["no read access"]
    assert engine.access.without_properties == []


def test_a_server_without_properties_does_no_harm(archive: Archive, engine: Engine) -> None:
    """A server that refuses the subscription to metadata is asked for it instead; the channel is archived like any other."""
    engine.connect("A")
    refuse(engine, "A", ECA_BADMASK, Dbr.DOUBLE + DBR_CTRL_OFFSET)
    turn(engine)
    assert engine.access.without_properties == ["A"]
    assert shown(archive, "A") == (ChannelState.ARCHIVING, "")
    assert told(archive, Reason.REJECTED) == []


def test_a_refused_subscription_is_told(archive: Archive, engine: Engine) -> None:
    """When libca does not take the subscription the channel is rejected with its code."""
    engine.access.answer = 114
    engine.connect("A")
    turn(engine)
    assert shown(archive, "A") == (ChannelState.REJECTED, "Channel Access error 114")


def test_a_refused_name_stays_rejected(archive: Archive, engine: Engine) -> None:
    """A name that libca does not take is still shown as rejected when it has not connected for long."""
    engine.access.refuses.add("BAD")
    archive.add("BAD")
    turn(engine)
    turn(engine, time.time_ns() + 10 * SECOND)
    assert shown(archive, "BAD")[0] is ChannelState.REJECTED


def test_values_of_the_former_type_are_left_out(archive: Archive, engine: Engine) -> None:
    """After a change of type only values of the new one are stored, and the change is told; metadata of the former type is ignored."""
    engine.connect("A", Dbr.LONG)
    row, generation = engine.access.created["A"]
    hand_over(engine.callback, Delivery(row, Dbr.LONG, False, (7).to_bytes(4, "little"), time.time_ns(), generation=generation))
    turn(engine)
    engine.disconnect("A")
    engine.connect("A", Dbr.DOUBLE)
    hand_over(engine.callback, Delivery(row, Dbr.LONG, False, (1).to_bytes(4, "little"), time.time_ns(), generation=generation))
    call(engine.callback, row, generation, False, Dbr.LONG + DBR_CTRL_OFFSET, 1, bytes(52))
    turn(engine)
    engine.deliver("A", 1.5, time.time_ns())
    turn(engine)
    assert numbers(archive.published(), "A") == [7.0, 1.5]
    assert [event.text for event in told(archive, Reason.TYPE_CHANGED)] == ["LONG became DOUBLE"]
    assert [meta for batch in archive.published() for meta in batch.metas] == []


def test_the_next_engine_knows_the_type(archive: Archive) -> None:
    """A type that changed while no engine was there is told as well."""
    for native, number in ((Dbr.LONG, 1), (Dbr.DOUBLE, 2)):
        engine = Engine(archive, time.time_ns())
        engine.collector.round(time.time_ns())
        engine.connect("A", native)
        turn(engine)
        assert len(told(archive, Reason.TYPE_CHANGED)) == number - 1
        engine.stop(time.time_ns())


def test_as_text_holds_from_the_next_drain(archive: Archive, engine: Engine) -> None:
    """Characters are stored as an array or, once the setting says so, as a text of any length up to its first NUL."""
    engine.connect("A", Dbr.CHAR, 500)
    array(engine, "A", b"one\0x")
    turn(engine)
    archive.set("A", as_text=True)
    array(engine, "A", b"long " * 90 + b"\0rest")
    turn(engine)
    assert blobs(archive) == [(Kind.ARRAY, b"one\0x"), (Kind.TEXT, b"long " * 90)]
    assert bytes(archive.table.status.cells["text"][archive.registry.channels["A"].row]) == (b"long " * 90)[:39]


@pytest.mark.parametrize(("text", "cut"), [("é" * 30, "é" * 19), ("x" * 38 + "é", "x" * 38), ("\udce9" * 50, "é" * 19), ("é", "é")])
def test_a_shown_text_is_cut_between_characters(archive: Archive, engine: Engine, text: str, cut: str) -> None:
    """The status block shows at most 39 bytes, always valid UTF-8."""
    engine.connect("B", Dbr.CHAR, 500)
    array(engine, "B", text.encode(errors="surrogateescape"))
    turn(engine)
    assert bytes(archive.table.status.cells["text"][archive.registry.channels["B"].row]).decode() == cut


@pytest.mark.parametrize(("length", "kept"), [(40, 1), (41, 0)])
def test_a_long_text_that_waits_is_given_up_by_a_restart(archive: Archive, length: int, kept: int) -> None:
    """A withheld text that the ledger cannot hold is counted as filtered by the next engine; a shorter one is stored."""
    first = Engine(archive, time.time_ns())
    first.collector.round(time.time_ns())
    first.connect("B", Dbr.CHAR, 500)
    array(first, "B", b"first")
    array(first, "B", b"y" * length)
    turn(first)
    first.kill()
    second = Engine(archive, time.time_ns())
    second.replay(time.time_ns())
    turn(second, time.time_ns() + 2 * SECOND)
    cell = archive.table.ledger.cells[archive.registry.channels["B"].row]
    assert (cell["received"], cell["withheld"], cell["filtered"]) == (2, 0, 1 - kept)
    assert blobs(archive)[1:] == [(Kind.TEXT, b"y" * length)] * kept
    second.kill()


def test_refused_arrays_pass_when_the_limit_is_lifted(archive: Archive, engine: Engine) -> None:
    """Another limit has the current value of a refused channel asked for."""
    archive.set("A", max_elements=3, large_arrays=LargeArrays.REFUSE)
    engine.connect("A", Dbr.CHAR, 10)
    array(engine, "A", b"four")
    turn(engine)
    assert shown(archive, "A") == (ChannelState.REJECTED, "array of 4 elements, max_elements is 3")
    archive.set("A", max_elements=4)
    turn(engine)
    assert engine.access.asked == ["A"]
    assert shown(archive, "A")[0] is ChannelState.ARCHIVING


def refused_from_its_first_connection(archive: Archive, engine: Engine) -> None:
    archive.set("A", max_elements=3, large_arrays=LargeArrays.REFUSE)
    engine.connect("A", Dbr.CHAR, 10)
    array(engine, "A", b"four")
    turn(engine)


def test_who_is_refused_from_the_first_has_not_failed_to_connect(archive: Archive, engine: Engine) -> None:
    """A new channel whose values are refused is told as rejected only, however long that lasts; losing its server is a gap then."""
    refused_from_its_first_connection(archive, engine)
    turn(engine, time.time_ns() + 10 * SECOND)
    assert [event for event in events(archive) if event.channel == "A" and event.reason is Reason.DISCONNECTED] == []
    assert shown(archive, "A")[0] is ChannelState.REJECTED
    engine.disconnect("A")
    turn(engine)
    assert len([event for event in told(archive, Reason.DISCONNECTED) if event.channel == "A"]) == 1


def test_who_was_always_refused_has_a_gap_while_no_engine_runs(archive: Archive) -> None:
    """The absence of a killed engine is a gap of every channel that it had, also of one that never gave it a value."""
    first = Engine(archive, time.time_ns())
    first.collector.round(time.time_ns())
    refused_from_its_first_connection(archive, first)
    first.kill()
    second = Engine(archive, time.time_ns())
    second.collector.replay(LastRun(Reason.ENGINE_RESTART, time.time_ns(), archive.registry.revision))
    second.write()
    assert [event.channel for event in told(archive, Reason.ENGINE_RESTART)] == ["A"]
    second.kill()


def test_unchanged_metadata_alone_gives_the_ring_back(archive: Archive, engine: Engine) -> None:
    """Events that leave nothing to be stored do not keep their place in the ring."""
    engine.connect("A")
    for _ in range(2):
        call(engine.callback, *engine.access.created["A"], False, Dbr.DOUBLE + DBR_CTRL_OFFSET, 1, bytes(88))
        turn(engine)
    assert int(engine.ring.head["read_bulk"][0]) == int(engine.ring.head["write_bulk"][0]) == 2 * 80  # in the ring a multiple of 8 bytes


MESSAGES = """
from epics import ca
from archioc.engine.ca.libca_messages import LibcaMessages
ca.AUTO_CLEANUP = False
library = ca.initialize_libca()
messages = LibcaMessages(library)
library.ca_signal_with_file_and_lineno(192, b"what it was about", b"file.c", 7)
messages.log()
library.ca_context_destroy()
"""


def test_what_libca_prints_is_logged(tmp_path: Path) -> None:
    """A message of libca becomes events of the log, a line each with what it was printed with; nothing goes to standard error."""
    done = subprocess.run([sys.executable, "-c", MESSAGES], capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    assert "ca_message" in done.stdout
    assert "what it was about" in done.stdout
    assert "file.c line 7" in done.stdout
