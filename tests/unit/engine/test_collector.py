from __future__ import annotations

import time

from archioc.core.dbr import DBR_CTRL_OFFSET, Dbr
from archioc.core.events import Reason
from tests.unit.engine.deliveries import call
from tests.unit.engine.rig import Archive, CommitByHand, Engine, events, numbers, send

SECOND = 1_000_000_000


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


def test_alarms_go_into_the_batch_with_their_names(archive: Archive, engine: Engine) -> None:
    """A batch carries the alarm states of channels, also of one without samples, and names them."""
    assert isinstance(engine.commits, CommitByHand)
    row = archive.registry.channels["A"].row
    archive.set("A", max_interval=0.0)
    engine.connect("A")
    send(engine, "A", 1.0)
    engine.collector.round(now := time.time_ns())
    engine.write()
    first = engine.commits.written[-1]
    assert (first.alarms["row"].tolist(), first.names) == ([row, row], {row: "A"})
    engine.collector.round(now + 3600 * SECOND)
    engine.write()
    hourly = engine.commits.written[-1]
    assert (hourly.alarms["row"].tolist(), hourly.names, len(hourly.samples)) == ([row], {row: "A"}, 0)


def test_bad_stamps_are_told_by_an_event(archive: Archive, engine: Engine) -> None:
    """When stamps become unusable the batch has an event that says why."""
    engine.connect("A")
    for stamp in (time.time_ns(), 631_152_000 * SECOND):
        engine.deliver("A", 1.0, stamp)
    engine.collector.round(time.time_ns())
    engine.write()
    assert [(one.channel, one.reason, one.text) for one in events(archive)] == [("A", Reason.BAD_TIME, "the IOC's stamp is unset")]


def test_doubt_in_our_own_clock_is_shown_and_outlives_a_restart(archive: Archive, engine: Engine) -> None:
    """The status block shows whether our clock is suspect; the next engine begins with that."""
    engine.sampler.clocks.suspect = True
    engine.collector.round(time.time_ns())
    assert archive.table.status.head["clock_suspect"][0] == 1
    later = Engine(archive, time.time_ns())
    assert later.sampler.clocks.suspect
    later.kill()
    engine.sampler.clocks.suspect = False
    engine.collector.round(time.time_ns())
    assert archive.table.status.head["clock_suspect"][0] == 0
