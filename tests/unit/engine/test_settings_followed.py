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
    archive.set("A", max_interval=0.0)
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


def test_changed_settings_are_told(archive: Archive, engine: Engine) -> None:
    """An event tells which settings went from what to what, but not those of a new channel, `enable`, or what stayed."""
    archive.set("A", rate=5.0, deadband=0.25, enable=False)
    archive.set("B", mode="scan", quota=10.0, clock="archiver", max_elements=1_000_000, as_text=True)
    archive.add("C", rate=3.0)
    engine.collector.round(now := time.time_ns())
    archive.set("A", description="a lake", enable=True)
    engine.collector.round(now)
    engine.write()
    told = {one.channel: one for one in events(archive) if one.reason is Reason.SETTINGS_CHANGED}
    assert {name: one.text for name, one in told.items()} == {
        "A": "rate 0 -> 5, deadband 0 -> 0.25",
        "B": "mode monitor -> scan, quota 1000 -> 10, clock ioc -> archiver, max_elements 0 -> 1000000, as_text no -> yes",
    }
    assert {one.time_ns for one in told.values()} == {now}


def test_settings_changed_while_no_engine_ran_are_not_told(archive: Archive) -> None:
    """An engine that starts takes settings as they are."""
    first = Engine(archive, time.time_ns())
    first.collector.round(time.time_ns())
    first.stop(time.time_ns())
    archive.set("A", rate=5.0)
    second = Engine(archive, time.time_ns())
    second.collector.round(time.time_ns())
    second.stop(time.time_ns())
    assert Reason.SETTINGS_CHANGED not in {one.reason for one in events(archive)}


def test_a_quota_is_followed_at_once(archive: Archive, engine: Engine) -> None:
    """A quota set by an operator holds for the next drain; an event tells how many samples it cost, and the sum is right after a kill."""
    row = archive.registry.channels["A"].row
    engine.connect("A")
    send(engine, "A", *range(20))
    engine.collector.round(now := time.time_ns())
    archive.set("A", quota=1e-6)
    engine.collector.round(now)
    send(engine, "A", *range(20, 40))
    for seconds in (1, 2, 12):
        engine.collector.round(now + seconds * SECOND)
        send(engine, "A", 100.0 + seconds)
    engine.collector.round(now + 13 * SECOND)
    assert int(engine.sampler.memory.dropped_quota[row]) == 23
    engine.write()
    assert [(one.count, one.time_ns - now) for one in events(archive) if one.reason is Reason.LOST_QUOTA] == [
        (20, SECOND),
        (2, 12 * SECOND),
    ]
    later = Engine(archive, time.time_ns())
    later.replay(time.time_ns())
    later.collector.round(now + 14 * SECOND)
    later.write()
    assert sum(one.count for one in events(archive) if one.reason is Reason.LOST_QUOTA) == 23
    later.kill()
