from __future__ import annotations

import time

from archioc.core.channel import Mask
from archioc.core.events import Reason
from tests.unit.engine.rig import Archive, Engine, events, numbers, send

SECOND = 1_000_000_000


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
