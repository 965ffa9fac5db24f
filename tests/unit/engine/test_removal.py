from __future__ import annotations

import time

import numpy as np

from archioc.core.dbr import Dbr
from archioc.core.table import RowState
from tests.unit.engine.deliveries import Delivery, hand_over
from tests.unit.engine.rig import Archive, Engine, numbers, send

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
