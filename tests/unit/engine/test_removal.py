from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest

from archioc.core.dbr import Dbr
from archioc.core.events import ChannelEvent, Reason
from archioc.core.shard import Shard
from archioc.core.table.table import RowState
from archioc.engine.channels.last_run import LastRun
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.hand_over import HandOver
from tests.unit.engine.deliveries import Delivery, hand_over
from tests.unit.engine.rig import Archive, Engine, events, newest, numbers, send

SECOND = 1_000_000_000


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


@pytest.mark.parametrize("died", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_a_channel_that_is_removed_while_no_engine_runs(archive: Archive, died: bool, shared: bool) -> None:
    """The next engine tells of the gap since the last one and, where others write too, of the removal; once, and of no other channel."""
    begun = time.time_ns()
    first = Engine(archive, begun, shared_store=shared)
    first.collector.round(begun)
    for name in ("A", "B"):
        first.connect(name)
        send(first, name, 1.0)
    first.collector.round(time.time_ns())
    first.write()
    revision, ended = first.channels.revision, time.time_ns()
    if died:
        first.kill()
    else:
        first.stop(ended)
    told = len(events(archive))
    archive.add("NEW")
    archive.remove("NEW")
    archive.remove("B")
    last = LastRun(Reason.ENGINE_RESTART if died else Reason.ARCHIVER_STOP, ended, revision)
    now = time.time_ns()
    second = Engine(archive, now, last=last, shared_store=shared)
    second.replay(ended)
    second.write()
    removed = [ChannelEvent("B", now, Reason.REMOVED)] if shared else []
    assert [event for event in events(archive)[told:] if event.channel != "A"] == [
        ChannelEvent("B", ended if died else newest(archive.published(), "B") + 1, last.reason, end_ns=now),
        *removed,
    ]
    second.kill()
    again = len(events(archive))
    third = Engine(archive, now, last=LastRun(last.reason, now, second.channels.revision), shared_store=shared)
    third.write()
    assert not [event for event in events(archive)[again:] if event.channel != "A"]
    third.kill()


def test_a_channel_that_moved_while_no_engine_ran(tmp_path: Path) -> None:
    """Whatever the store, the next engine tells which shard has the channel now."""
    archive = Archive(tmp_path / "state")
    archive.registry.content.shard = Shard(1, 4, 60.0, "ARCH{shard}:")
    archive.add("B")
    first = Engine(archive, time.time_ns())
    revision = first.channels.revision
    first.kill()
    archive.change(Change(changed=(dataclasses.replace(archive.registry.channels["B"], handover=HandOver(3, 5)),)))
    archive.remove("B")
    now = time.time_ns()
    second = Engine(archive, now, last=LastRun(Reason.ENGINE_RESTART, now - SECOND, revision))
    second.write()
    assert events(archive)[-1] == ChannelEvent("B", now, Reason.REMOVED, text="moved to shard 3 (ARCH3:)")
    second.kill()
    archive.close()
