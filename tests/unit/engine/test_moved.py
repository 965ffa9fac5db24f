"""The engine lets go of channels that have moved to another shard."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archioc.core.events import GAPS, ChannelEvent, Reason
from archioc.core.shard import Shard
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.hand_over import HandOver
from tests.unit.engine.rig import Archive, Engine, numbers

NAMES = ("STAYS", "MOVES", "FOREIGN", "REMOVED")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Channels of which one is handed over to shard 3 of 4, one belongs there but is not named by the file."""
    made = Archive(tmp_path / "state")
    made.registry.content.shard = Shard(1, 4, 60.0, "ARCH{shard}:")
    for name in NAMES:
        made.add(name)
    yield made
    made.close()


def hand_over(archive: Archive) -> None:
    moving = {"MOVES": HandOver(3, 5), "FOREIGN": HandOver(3, 0)}
    channels = archive.registry.channels
    archive.change(Change(changed=tuple(dataclasses.replace(channels[name], handover=to) for name, to in moving.items())))


def events(archive: Archive) -> list[ChannelEvent]:
    return [event for batch in archive.published() for event in batch.events]


def test_only_a_channel_that_moved_tells_where(archive: Archive) -> None:
    """A hand-over changes nothing for the engine; the removal is a moment that names the shard, and no gap although it stops at once."""
    engine = Engine(archive, time.time_ns())
    engine.collector.round(time.time_ns())
    for name in NAMES:
        engine.connect(name)
    engine.collector.round(time.time_ns())
    hand_over(archive)
    for name in NAMES:
        engine.deliver(name, 1, time.time_ns())
    engine.collector.round(time.time_ns())
    begun_ns = time.time_ns()
    archive.change(Change(removed=tuple(archive.registry.channels[name] for name in ("MOVES", "FOREIGN", "REMOVED"))))
    engine.collector.round(time.time_ns())
    engine.stop(time.time_ns())
    told = events(archive)
    (moved,) = [event for event in told if event.reason is Reason.REMOVED and event.text]
    assert (moved.channel, moved.text, moved.end_ns) == ("MOVES", "moved to shard 3 (ARCH3:)", None)
    assert begun_ns <= moved.time_ns <= time.time_ns()
    assert not [event for event in told if event.reason in GAPS and event.channel != "STAYS"]
    assert all(numbers(archive.published(), name)[-1] == 1 for name in NAMES)
