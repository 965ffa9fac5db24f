from __future__ import annotations

import time

import numpy as np
import pytest

from archioc.core.config.config import Spool, WhenFull
from archioc.core.dbr import Dbr
from archioc.core.events import Reason
from tests.unit.engine.deliveries import call
from tests.unit.engine.rig import Archive, CommitByHand, Engine, events, send


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
    first.channels.create_some(time.time_ns())
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


def test_a_spool_that_is_full_drops_the_newest_and_counts_it_once(archive: Archive) -> None:
    """With drop_newest a batch beyond the limit is dropped, counted once even if its commit had to be tried again, and told. (SPL-12)"""
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
    cell = archive.table.ledger.cells[archive.registry.channels["A"].row]
    assert (cell["dropped_spool_full"], cell["committed"], cell["received"], cell["generated"]) == (2, 0, 1, 1)
    assert archive.published() == []
    engine.kill()


def test_the_oldest_batch_gives_way(archive: Archive) -> None:
    """With drop_oldest the oldest batch makes room for the newest, and its samples are booked as dropped. (SPL-12)"""
    engine = Engine(archive, time.time_ns(), config=Spool(min_free=0, max_bytes=1_000_000))
    engine.collector.round(time.time_ns())
    row, generation = engine.access.created["A"]
    rng = np.random.default_rng(1)
    for _ in range(8):
        call(engine.callback, row, generation, True, Dbr.CHAR + 14, 200_000, bytes(16) + rng.bytes(200_000))
        engine.collector.round(time.time_ns())
        engine.write()
    kept = sum(len(batch.samples) for batch in archive.published())
    cell = archive.table.ledger.cells[row]
    assert 0 < kept < 8
    assert cell["committed"] == kept
    assert cell["dropped_spool_full"] == 8 - kept
    engine.stop(time.time_ns())
    assert Reason.LOST_SPOOL_FULL in {one.reason for one in events(archive)}
