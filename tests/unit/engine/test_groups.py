from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archioc.core.events import ChannelEvent, Reason
from archioc.core.table.group_status import ConditionState
from archioc.core.table.table import ChannelState
from tests.unit.engine.rig import Archive, Engine, numbers

SECOND = 1_000_000_000


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "state")
    made.group(3, "vacuum", "SR:MODE != 0")
    made.add("IN", group="vacuum")
    made.add("OUT")
    yield made
    made.close()


@pytest.fixture
def engine(archive: Archive) -> Iterator[Engine]:
    made = started(archive)
    yield made
    made.stop(time.time_ns())


def started(archive: Archive) -> Engine:
    made = Engine(archive, time.time_ns())
    made.collector.round(time.time_ns())
    for name in ("IN", "OUT"):
        made.connect(name)
    made.collector.round(time.time_ns())
    return made


def send(engine: Engine, value: float) -> None:
    for name in ("IN", "OUT"):
        engine.deliver(name, value, time.time_ns())
    engine.collector.round(time.time_ns())


def set_mode(engine: Engine, value: float | None) -> None:
    engine.conditions[-1].value = value
    engine.collector.round(time.time_ns())


def gaps(archive: Archive) -> list[ChannelEvent]:
    return [event for batch in archive.published() for event in batch.events if event.reason is Reason.GROUP_OFF]


def shown(archive: Archive, name: str) -> tuple[ChannelState, bytes]:
    cell = archive.table.status.cells[archive.registry.channels[name].row]
    return ChannelState(int(cell["state"])), bytes(cell["reason"])


def state(archive: Archive, number: int = 3) -> tuple[ConditionState, bool]:
    cell = archive.table.groups.cells[number]
    return ConditionState(int(cell["state"])), bool(cell["on"])


def test_channels_of_a_group_that_is_off_are_not_archived(archive: Archive, engine: Engine) -> None:
    """From the next round on: no samples, a gap that tells the condition; when it holds again a generated sample ends the gap."""
    set_mode(engine, 1)
    send(engine, 1.0)
    set_mode(engine, 0)
    send(engine, 2.0)
    assert shown(archive, "IN") == (ChannelState.GROUP_OFF, b"group vacuum: SR:MODE != 0 does not hold")
    assert shown(archive, "OUT")[0] is ChannelState.ARCHIVING
    set_mode(engine, 5)
    assert engine.access.asked == ["IN"]
    send(engine, 3.0)
    engine.write()
    assert numbers(archive.published(), "IN") == [1.0, 3.0]
    assert numbers(archive.published(), "IN", generated=True) == [1.0, 1.0, 3.0, 3.0]
    assert numbers(archive.published(), "OUT") == [1.0, 2.0, 3.0]
    opened, closed = gaps(archive)
    assert (opened.channel, opened.end_ns, opened.text) == ("IN", None, "group vacuum: SR:MODE != 0 does not hold")
    assert (closed.time_ns, closed.text) == (opened.time_ns, opened.text)
    assert closed.end_ns is not None
    row = archive.registry.channels["IN"].row
    memory = engine.sampler.memory
    assert memory.received[row] + memory.generated[row] == memory.filtered[row] + memory.committed[row]


def test_a_condition_that_was_never_known_holds(archive: Archive, engine: Engine) -> None:
    """While nobody serves the PV of a condition its channels are archived, and the group says that it is not known."""
    send(engine, 1.0)
    engine.write()
    assert state(archive) == (ConditionState.UNKNOWN, True)
    assert numbers(archive.published(), "IN") == [1.0]


@pytest.mark.parametrize(("mode", "on"), [(1, True), (0, False)])
def test_a_lost_condition_keeps_its_state(archive: Archive, mode: float, on: bool) -> None:
    """When the PV of a condition is lost its channels stay as they are, also for the next engine."""
    first = started(archive)
    set_mode(first, mode)
    set_mode(first, None)
    assert state(archive) == (ConditionState.UNKNOWN, on)
    first.stop(time.time_ns())
    second = started(archive)
    send(second, 7.0)
    second.write()
    assert state(archive) == (ConditionState.UNKNOWN, on)
    assert numbers(archive.published(), "IN") == ([7.0] if on else [])
    second.stop(time.time_ns())


def test_another_condition_begins_anew(archive: Archive, engine: Engine) -> None:
    """A new condition is watched in place of the old one and holds until it is known; without one its channels are archived."""
    set_mode(engine, 0)
    archive.group(3, "vacuum", 'SR:STATE == "Beam"')
    engine.collector.round(time.time_ns())
    assert [one.closed for one in engine.conditions] == [True, False]
    assert state(archive) == (ConditionState.UNKNOWN, True)
    set_mode(engine, 0)
    archive.group(3, "vacuum")
    engine.collector.round(time.time_ns())
    assert state(archive) == (ConditionState.NONE, True)
    assert shown(archive, "IN")[0] is ChannelState.ARCHIVING


def test_a_group_that_is_switched_off(archive: Archive, engine: Engine) -> None:
    """Enable of the group goes before its condition; Enable of the channel tells before both."""
    set_mode(engine, 1)
    archive.group(3, "vacuum", "SR:MODE != 0", enable=False)
    engine.collector.round(time.time_ns())
    assert shown(archive, "IN") == (ChannelState.GROUP_OFF, b"group vacuum: switched off by Enable")
    archive.set("IN", enable=False)
    engine.collector.round(time.time_ns())
    assert shown(archive, "IN")[0] is ChannelState.DISABLED
    archive.set("IN", enable=True)
    engine.collector.round(time.time_ns())
    assert shown(archive, "IN")[0] is ChannelState.GROUP_OFF
    archive.group(3, "vacuum", "SR:MODE != 0")
    engine.collector.round(time.time_ns())
    send(engine, 4.0)
    assert shown(archive, "IN")[0] is ChannelState.ARCHIVING
    engine.write()
    assert [(event.reason, event.end_ns is None) for batch in archive.published() for event in batch.events][-4:] == [
        (Reason.DISABLED, True),
        (Reason.DISABLED, False),
        (Reason.GROUP_OFF, True),
        (Reason.GROUP_OFF, False),
    ]


def test_channels_come_and_go(archive: Archive, engine: Engine) -> None:
    """A channel that is put into a group that is off is off from then on, and on again when it is taken out."""
    set_mode(engine, 0)
    archive.set("OUT", group="vacuum")
    engine.collector.round(time.time_ns())
    assert shown(archive, "OUT")[0] is ChannelState.GROUP_OFF
    archive.set("OUT", group="")
    engine.collector.round(time.time_ns())
    assert shown(archive, "OUT")[0] is ChannelState.ARCHIVING
