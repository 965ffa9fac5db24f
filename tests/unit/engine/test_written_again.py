"""What the engine writes again where the store has lost it, and once a day."""

from __future__ import annotations

import dataclasses
import time

from archioc.core.dbr import Dbr
from archioc.core.events import GAPS, Reason
from archioc.core.spool.batch import Batch, ChannelMeta
from archioc.engine.channels.once_per_day import DAY_S, SECOND
from tests.unit.engine.rig import Archive, Engine, numbers, send


def turn(engine: Engine, now: int) -> None:
    engine.collector.round(now)
    engine.write()


def newest(archive: Archive) -> list[Batch]:
    """What was committed since this was last called."""
    found = archive.published()
    for entry in archive.spool.waiting():
        entry.path.unlink()
    return found


def test_all_that_readers_need(archive: Archive, engine: Engine) -> None:
    """After a loss, once: metadata and alarm states as of now, open gaps, and each connected channel is asked for its value."""
    now = time.time_ns()
    engine.connect("A")
    turn(engine, now)
    send(engine, "A", 7.0)
    engine.connect("B")
    turn(engine, now + SECOND)
    send(engine, "B", 1.0)
    turn(engine, now + SECOND)
    engine.disconnect("B")
    turn(engine, now + 2 * SECOND)
    row = archive.registry.channels["A"].row
    told = ChannelMeta("A", now - 10**15, Dbr.DOUBLE, 1, "ioc", units="mA")
    engine.channels.metadata.of[row] = told
    newest(archive)
    asked = len(engine.access.asked)
    engine.table.delivery.head["write_again"] += 1
    engine.access.connections["A"] = (Dbr.DOUBLE, 1)
    at = now + 10 * SECOND
    turn(engine, at)
    assert engine.access.asked[asked:] == ["A"]
    send(engine, "A", 7.0)
    turn(engine, at + SECOND)
    batches = newest(archive)
    assert [meta for batch in batches for meta in batch.metas] == [dataclasses.replace(told, time_ns=at)]
    gaps = [event for batch in batches for event in batch.events if event.reason in GAPS and event.end_ns is None]
    assert [(gap.channel, gap.reason) for gap in gaps] == [("B", Reason.DISCONNECTED)]
    assert row in [one for batch in batches for one in batch.alarms["row"].tolist()]
    assert numbers(batches, "A", generated=True)[-1] == 7.0
    turn(engine, at + 2 * SECOND)
    assert newest(archive) == []
    assert len(engine.access.asked) == asked + 1


def test_metadata_once_a_day(archive: Archive, engine: Engine) -> None:
    """Metadata are written with the time of then once in any day, so that they are never older than the samples they belong to."""
    now = time.time_ns()
    engine.connect("A")
    turn(engine, now)
    row = archive.registry.channels["A"].row
    told = ChannelMeta("A", now, Dbr.DOUBLE, 1, "ioc", units="mA")
    engine.channels.metadata.of[row] = told
    newest(archive)
    for hours in range(1, 49):
        turn(engine, now + hours * DAY_S * SECOND // 24)
    metas = [meta for batch in newest(archive) for meta in batch.metas]
    assert [dataclasses.replace(meta, time_ns=now) for meta in metas] == [told, told]
    assert now < metas[0].time_ns < now + 25 * 3600 * SECOND < metas[1].time_ns
