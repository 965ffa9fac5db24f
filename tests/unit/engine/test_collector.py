from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from archioc.core.channel import Mask
from archioc.core.config import Spool, WhenFull
from archioc.core.dbr import DBR_CTRL_OFFSET, Dbr
from archioc.core.errors import SpoolError
from archioc.core.events import ChannelEvent, Reason
from archioc.core.table import ChannelState, RowState
from engine import collector as collector_module
from engine.commit import CommitThread
from engine.last_run import LastRun
from tests.unit.engine.deliveries import Delivery, call, hand_over
from tests.unit.engine.rig import Archive, CommitByHand, Engine, numbers

SECOND = 1_000_000_000


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "state")
    made.add("A")
    made.add("B", rate=1.0)
    yield made
    made.close()


@pytest.fixture
def engine(archive: Archive) -> Iterator[Engine]:
    made = Engine(archive, time.time_ns())
    made.collector.round(time.time_ns())
    yield made
    made.stop(time.time_ns())


def events(archive: Archive) -> list[ChannelEvent]:
    return [event for batch in archive.published() for event in batch.events]


def send(engine: Engine, name: str, *values: float) -> None:
    for value in values:
        engine.deliver(name, value, time.time_ns())


def test_the_ring_is_given_back_after_the_commit(archive: Archive, engine: Engine) -> None:
    """Events stay in the ring through drain and cut, until the spool file is published."""
    engine.connect("A")
    send(engine, "A", 1.0, 2.0)
    engine.collector.round(time.time_ns())
    engine.collector.cut()
    assert (engine.ring.drained, int(engine.ring.head["read_slot"][0])) == (3, 0)
    engine.write()
    assert int(engine.ring.head["read_slot"][0]) == 3
    assert numbers(archive.published(), "A") == [1.0, 2.0]


def test_a_channel_that_connects_is_followed_and_shown(archive: Archive, engine: Engine) -> None:
    """Each channel is created once, subscribed to with the type it connected with, and shown as archiving until it disconnects."""
    row = archive.registry.channels["A"].row
    assert sorted(engine.access.created) == ["A", "B"]
    assert archive.table.status.cells["state"][row] == ChannelState.CONNECTING
    engine.connect("A", Dbr.LONG, 1)
    engine.collector.round(time.time_ns())
    assert engine.access.followed == [("A", Dbr.LONG, 1)]
    assert archive.table.status.cells["state"][row] == ChannelState.ARCHIVING
    send(engine, "A", 1.0)
    engine.disconnect("A")
    engine.collector.round(time.time_ns())
    assert archive.table.status.cells["state"][row] == ChannelState.DISCONNECTED
    engine.write()
    assert [(one.reason, one.end_ns) for one in events(archive)] == [(Reason.DISCONNECTED, None)]


def test_a_name_that_is_refused_is_rejected(archive: Archive, engine: Engine) -> None:
    """A name that libca does not take shows as rejected, with the reason."""
    engine.access.refuses.add("BAD")
    row = archive.add("BAD")
    engine.collector.round(time.time_ns())
    status = archive.table.status.cells[row]
    assert (status["state"], bytes(status["reason"])) == (ChannelState.REJECTED, b"Channel Access does not take this name")


def test_a_disconnect_ends_the_wait_of_a_withheld_value(archive: Archive, engine: Engine) -> None:
    """The last value before a disconnect is stored, although its interval is not over; reconnecting closes the gap."""
    engine.connect("B")
    send(engine, "B", 1.0, 2.0, 3.0)
    engine.collector.round(time.time_ns())
    engine.write()
    assert numbers(archive.published(), "B") == [1.0]
    engine.disconnect("B")
    engine.connect("B")
    send(engine, "B", 4.0)
    engine.collector.round(time.time_ns())
    engine.write()
    assert numbers(archive.published(), "B") == [1.0, 3.0, 4.0]
    opened, closed = events(archive)
    assert (opened.reason, opened.end_ns, closed.time_ns) == (Reason.DISCONNECTED, None, opened.time_ns)
    assert closed.end_ns is not None
    assert closed.end_ns > opened.time_ns


def test_a_mask_is_followed_at_once(archive: Archive, engine: Engine) -> None:
    """Another mask is subscribed with at once where a channel is connected, otherwise when it connects; other settings leave it alone."""
    engine.connect("A")
    engine.collector.round(time.time_ns())
    archive.set("A", mask="value")
    archive.set("B", mask="value")
    engine.collector.round(time.time_ns())
    archive.set("A", rate=5.0)
    engine.collector.round(time.time_ns())
    assert engine.access.masks == [("A", Mask.LOG), ("A", Mask.VALUE)]
    engine.connect("B")
    engine.collector.round(time.time_ns())
    assert engine.access.masks[2:] == [("B", Mask.VALUE)]


def test_a_value_is_not_written_again_while_nobody_sends_it(archive: Archive, engine: Engine) -> None:
    """A value that stays is generated every max_interval, but not while its channel is off, disconnected, or connected without a value."""
    row = archive.registry.channels["A"].row
    engine.connect("A")
    send(engine, "A", 1.0)
    engine.collector.round(time.time_ns())
    archive.set("A", max_interval=10.0)
    now = time.time_ns()
    engine.collector.round(now)
    assert engine.access.asked == ["A"]
    send(engine, "A", 2.0)

    def generated(seconds: int) -> int:
        engine.collector.round(now + seconds * SECOND)
        return int(engine.sampler.memory.generated[row])

    assert [generated(seconds) for seconds in (1, 9, 11, 12, 22)] == [1, 1, 2, 2, 3]
    archive.set("A", enable=False, max_interval=10.0)
    assert generated(40) == 3
    archive.set("A", enable=True)
    assert generated(60) == 3
    send(engine, "A", 3.0)
    assert generated(61) == 5  # the trace resumes at the time of receipt, which is a minute ago for the round
    engine.disconnect("A")
    assert generated(80) == 5
    engine.connect("A")
    assert generated(100) == 5
    send(engine, "A", 3.0)
    assert generated(101) == 7


def test_a_withheld_value_passes_when_its_interval_ends(archive: Archive, engine: Engine) -> None:
    """Without another update the round after the interval stores the value that waits."""
    engine.connect("B")
    send(engine, "B", 1.0, 2.0)
    engine.collector.round(time.time_ns())
    engine.collector.round(time.time_ns() + 2 * SECOND)
    engine.write()
    assert numbers(archive.published(), "B") == [1.0, 2.0]


def test_enable_is_followed(archive: Archive, engine: Engine) -> None:
    """Switched off, a channel stores nothing and has a gap with that reason; switched on, its value is asked for and resumes it."""
    engine.connect("A")
    send(engine, "A", 1.0)
    engine.collector.round(time.time_ns())
    archive.set("A", enable=False)
    engine.collector.round(time.time_ns())
    send(engine, "A", 2.0)
    engine.collector.round(time.time_ns())
    archive.set("A", enable=True)
    engine.collector.round(time.time_ns())
    assert engine.access.asked == ["A"]
    send(engine, "A", 3.0)
    engine.collector.round(time.time_ns())
    engine.write()
    assert numbers(archive.published(), "A") == [1.0, 3.0]
    assert numbers(archive.published(), "A", generated=True) == [1.0, 1.0, 3.0, 3.0]
    assert [(one.reason, one.end_ns is None) for one in events(archive)] == [(Reason.DISABLED, True), (Reason.DISABLED, False)]


def test_a_removed_row_is_released_after_its_last_batch(archive: Archive, engine: Engine) -> None:
    """A removed channel's row is given back once its samples are cut, and then a new channel may have it."""
    engine.connect("B")
    send(engine, "B", 1.0, 2.0)
    engine.collector.round(time.time_ns())
    row = archive.registry.channels["B"].row
    archive.remove("B")
    engine.collector.round(time.time_ns())
    assert "B" not in engine.access.created
    assert archive.table.status.cells["released"][row] == 0
    engine.write()
    assert archive.table.status.cells["released"][row] == 1
    assert numbers(archive.published(), "B") == [1.0, 2.0]
    assert archive.add("C") == row
    engine.collector.round(time.time_ns())
    assert engine.access.created["C"] == (row, 2)


def test_a_removed_row_is_released_without_any_traffic(archive: Archive, engine: Engine) -> None:
    """A row is given back also where there is nothing else to commit."""
    engine.write()
    row = archive.registry.channels["B"].row
    archive.remove("B")
    engine.collector.round(time.time_ns())
    engine.write()
    assert archive.table.status.cells["released"][row] == 1
    archive.rows.release()
    assert archive.table.settings.cells["state"][row] == RowState.FREE


def test_a_channel_removed_while_it_connects(archive: Archive, engine: Engine) -> None:
    """The news that a channel has connected may come after its removal; nobody is asked about it any more."""
    engine.connect("B")
    archive.remove("B")
    engine.connect("A")
    engine.collector.round(time.time_ns())
    assert [name for name, _, _ in engine.access.followed] == ["A"]


def test_events_of_an_earlier_channel_in_the_row_are_ignored(archive: Archive, engine: Engine) -> None:
    """An update of another generation is not given to the channel that has the row now."""
    engine.connect("A")
    row, generation = engine.access.created["A"]
    engine.access.created["A"] = (row, generation + 1)
    send(engine, "A", 99.0)
    engine.collector.round(time.time_ns())
    engine.write()
    assert numbers(archive.published(), "A") == []


def test_metadata_is_stored_when_it_changes(archive: Archive, engine: Engine) -> None:
    """Metadata goes into a batch the first time and when it differs from what was known."""
    engine.connect("A")
    for units in (b"mA", b"mA", b"A"):
        raw = bytearray(88)
        raw[8 : 8 + len(units)] = units
        call(engine.callback, *engine.access.created["A"], False, Dbr.DOUBLE + DBR_CTRL_OFFSET, 1, bytes(raw))
    engine.collector.round(time.time_ns())
    engine.write()
    assert [(one.channel, one.units, one.host) for batch in archive.published() for one in batch.metas] == [
        ("A", "mA", "ioc:5064"),
        ("A", "A", "ioc:5064"),
    ]


def test_overflow_is_counted_and_told(archive: Archive, engine: Engine) -> None:
    """Updates that found the ring full are received and dropped in the count, with one event that says how many."""
    engine.connect("A")
    engine.access.connections = {"A": (Dbr.DOUBLE, 1)}
    send(engine, "A", *range(len(engine.ring.slots) + 4))
    engine.collector.round(time.time_ns())
    engine.write()
    row = archive.registry.channels["A"].row
    cell = archive.table.ledger.cells[row]
    assert (cell["dropped_overflow"], cell["received"]) == (5, len(engine.ring.slots) + 4)
    assert cell["received"] + cell["generated"] == cell["filtered"] + cell["committed"] + cell["withheld"] + cell["dropped_overflow"]
    assert [(one.reason, one.count) for one in events(archive)] == [(Reason.LOST_OVERFLOW, 5)]


def test_a_connection_lost_in_an_overflow_is_found(archive: Archive, engine: Engine) -> None:
    """When a connection event found the ring full the channel is subscribed all the same, and its newest value is asked for."""
    engine.connect("A")
    send(engine, "A", *range(len(engine.ring.slots)))
    engine.connect("B")
    engine.access.connections = {"A": (Dbr.DOUBLE, 1), "B": (Dbr.DOUBLE, 1)}
    engine.collector.round(time.time_ns())
    assert ("B", Dbr.DOUBLE, 1) in engine.access.followed
    assert {"A", "B"} <= set(engine.access.asked)
    assert archive.table.status.cells["connected"][archive.registry.channels["B"].row] == 1


def test_a_disconnection_lost_in_an_overflow_is_found(archive: Archive, engine: Engine) -> None:
    """When a disconnection event found the ring full the channel is shown as disconnected, with a gap."""
    engine.connect("A")
    send(engine, "A", 1.0)
    engine.collector.round(time.time_ns())
    send(engine, "A", *range(len(engine.ring.slots) - 1))
    engine.disconnect("A")
    engine.collector.round(time.time_ns())
    engine.write()
    assert archive.table.status.cells["connected"][archive.registry.channels["A"].row] == 0
    assert [one.reason for one in events(archive)] == [Reason.LOST_OVERFLOW, Reason.DISCONNECTED]


def test_overflow_before_a_kill_is_counted_after_it(archive: Archive) -> None:
    """Losses that a killed engine had not booked are booked by the next one, once."""
    first = Engine(archive, time.time_ns())
    first.channels.create_some()
    first.connect("A")
    send(first, "A", *range(len(first.ring.slots) + 4))
    first.kill()
    second = Engine(archive, time.time_ns())
    second.replay(time.time_ns())
    second.collector.round(time.time_ns())
    second.collector.round(time.time_ns())
    second.write()
    assert archive.table.ledger.cells[archive.registry.channels["A"].row]["dropped_overflow"] == 5
    second.kill()


def test_settings_change_while_a_channel_leaves(archive: Archive, engine: Engine) -> None:
    """Updates of a removed channel that are still in the ring are not stored, also when settings of another one change meanwhile."""
    engine.connect("B")
    send(engine, "B", 1.0)
    engine.collector.round(time.time_ns())
    row, generation = engine.access.created["B"]
    archive.remove("B")
    engine.channels.follow(time.time_ns())
    archive.set("A", rate=2.0)
    engine.channels.follow(time.time_ns())
    late = Delivery(row, Dbr.DOUBLE, False, np.float64(2.0).tobytes(), time.time_ns(), generation=generation)
    hand_over(engine.callback, late)
    engine.collector.drain()
    engine.write()
    engine.collector.round(time.time_ns() + 2 * SECOND)  # the interval of a withheld value is over by then
    engine.write()
    assert numbers(archive.published(), "B") == [1.0]
    assert "" not in {name for batch in archive.published() for name in batch.names.values()}


def test_a_flush_is_followed(archive: Archive, engine: Engine) -> None:
    """A flush that was asked for is seen at once, done with the next commit, and then no longer wanted."""
    archive.table.settings.head["flush"] = 1
    wanted = [engine.collector.commit_wanted]
    engine.write()
    wanted.append(engine.collector.commit_wanted)
    assert wanted == [True, False]
    assert archive.table.status.head["flush_done"][0] == 1


def test_a_busy_commit_thread_leaves_the_batch_open(archive: Archive, engine: Engine) -> None:
    """While no commit is taken samples stay in the open batch, and none is lost."""
    engine.connect("A")
    for number in range(8):
        send(engine, "A", number)
        engine.collector.round(time.time_ns())
        engine.collector.cut()
    assert engine.commits.full
    assert engine.collector.open_samples == 4
    engine.write()
    engine.write()
    assert numbers(archive.published(), "A") == list(range(8))


def test_a_spool_that_is_full_drops_the_newest_and_counts_it_once(archive: Archive) -> None:
    """With drop_newest a batch beyond the limit is dropped, counted once even if its commit had to be tried again, and told."""
    engine = Engine(archive, time.time_ns(), config=Spool(min_free=10**15, when_full=WhenFull.DROP_NEWEST))
    engine.collector.round(time.time_ns())
    engine.connect("A")
    send(engine, "A", 1.0)
    engine.collector.round(time.time_ns())
    engine.collector.cut()
    assert isinstance(engine.commits, CommitByHand)
    journal = archive.directories.run / "ledger.journal.new"
    commit = engine.commits._queue.get_nowait()
    assert commit is not None
    journal.unlink(missing_ok=True)
    journal.mkdir()  # the announcement fails
    with pytest.raises(IsADirectoryError):
        engine.commits._write(commit)
    journal.rmdir()
    engine.commits._write(commit)
    engine.collector.round(time.time_ns())
    row = archive.registry.channels["A"].row
    memory = engine.sampler.memory
    assert (memory.dropped_spool_full[row], memory.committed[row], memory.received[row], memory.generated[row]) == (2, 0, 1, 1)
    assert archive.published() == []
    engine.kill()


def test_the_oldest_batch_gives_way(archive: Archive) -> None:
    """With drop_oldest the oldest batch makes room for the newest, and its samples are booked as dropped."""
    engine = Engine(archive, time.time_ns(), config=Spool(min_free=0, max_bytes=1_000_000))
    engine.collector.round(time.time_ns())
    row, generation = engine.access.created["A"]
    rng = np.random.default_rng(1)
    for _ in range(8):
        call(engine.callback, row, generation, True, Dbr.CHAR + 14, 200_000, bytes(16) + rng.bytes(200_000))
        engine.collector.round(time.time_ns())
        engine.write()
    engine.collector.round(time.time_ns())
    kept = sum(len(batch.samples) for batch in archive.published())
    memory = engine.sampler.memory
    assert 0 < kept < 8
    assert memory.committed[row] == kept
    assert memory.dropped_spool_full[row] == 8 - kept
    engine.stop(time.time_ns())
    assert Reason.LOST_SPOOL_FULL in {one.reason for one in events(archive)}


def test_a_stop_stores_all_there_is(archive: Archive) -> None:
    """Stopping drains the ring, lets withheld values pass, and opens a gap that the next start closes."""
    first = Engine(archive, time.time_ns())
    first.collector.round(time.time_ns())
    first.connect("B")
    first.collector.round(time.time_ns())
    send(first, "B", 1.0, 2.0, 3.0)
    first.stop(stopped := time.time_ns())
    assert numbers(archive.published(), "B") == [1.0, 3.0]
    second = Engine(archive, time.time_ns())
    assert second.collector.replay(LastRun(Reason.ARCHIVER_STOP, stopped, 0)) == 0
    second.collector.round(time.time_ns())
    second.connect("B")
    send(second, "B", 4.0)
    second.collector.round(time.time_ns())
    second.write()
    told = [(one.channel, one.reason, one.time_ns, one.end_ns is None) for one in events(archive) if one.channel == "B"]
    assert told == [("B", Reason.ARCHIVER_STOP, stopped, True), ("B", Reason.ARCHIVER_STOP, stopped, False)]
    assert numbers(archive.published(), "B", generated=True) == [1.0, 1.0, 3.0, 4.0, 4.0]
    second.kill()


def test_a_value_withheld_for_a_channel_that_was_removed_meanwhile(archive: Archive) -> None:
    """What a killed engine withheld for a channel that is gone when the next one starts is counted as filtered and stored under no name."""
    first = Engine(archive, time.time_ns())
    first.collector.round(time.time_ns())
    first.connect("B")
    send(first, "B", 1.0, 2.0)
    first.collector.round(time.time_ns())
    first.write()
    first.kill()
    archive.remove("B")
    second = Engine(archive, time.time_ns())
    second.replay(time.time_ns())
    second.collector.round(time.time_ns() + 10 * SECOND)
    second.write()
    assert all(name for batch in archive.published() for name in batch.names.values())
    head = archive.table.ledger.head[0]
    assert head["withheld"] == 0
    assert head["received"] + head["generated"] == head["filtered"] + head["committed"] == 3
    second.kill()


def test_a_long_backlog_is_replayed_to_its_end(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog beyond what the commit thread takes at once is replayed whole before anything live is looked at."""
    first = Engine(archive, time.time_ns())
    first.collector.round(time.time_ns())
    first.connect("A")
    send(first, "A", *range(900))
    first.kill()
    monkeypatch.setattr(collector_module, "DRAIN_AT_MOST", 50)
    monkeypatch.setattr(collector_module, "OPEN_AT_MOST", 60)
    second = Engine(archive, time.time_ns(), commits=CommitThread)
    assert second.replay(time.time_ns()) == 901
    second.stop(time.time_ns())
    assert numbers(archive.published(), "A") == list(range(900))


def test_a_replay_that_the_spool_never_takes_ends(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the spool takes nothing the replay gives up with an error that says so; the events stay in the ring."""
    first = Engine(archive, time.time_ns())
    first.collector.round(time.time_ns())
    first.connect("A")
    send(first, "A", *range(900))
    first.kill()
    for name, value in {"DRAIN_AT_MOST": 50, "OPEN_AT_MOST": 60, "REPLAY_STALL_S": 0.1}.items():
        monkeypatch.setattr(collector_module, name, value)
    second = Engine(archive, time.time_ns())
    with pytest.raises(SpoolError, match="the spool has taken nothing"):
        second.replay(time.time_ns())
    assert int(second.ring.head["read_slot"][0]) == 0
    second.kill()
