"""A channel that is connected and has sent no value: its gap and its state say so, and since when."""

from __future__ import annotations

import time

import pytest

from archioc.core.events import GAPS, ChannelEvent, Reason
from archioc.core.table.table import ChannelState
from archioc.core.timestamp import format_local
from archioc.engine.channels.gaps import GRACE_NS
from tests.unit.engine.deliveries import call
from tests.unit.engine.rig import Archive, Engine, events, send

ECA_NORDACCESS = 368


@pytest.fixture
def now() -> int:
    return time.time_ns()


def turn(engine: Engine, now: int) -> None:
    engine.collector.round(now)
    engine.write()


def shown(archive: Archive, name: str) -> tuple[ChannelState, str]:
    status = archive.table.status.cells[archive.registry.channels[name].row]
    return ChannelState(int(status["state"])), bytes(status["reason"]).decode()


def gaps(archive: Archive, name: str) -> list[ChannelEvent]:
    """The newest that was told of each gap of a channel, oldest gap first."""
    told = {(event.time_ns, event.reason): event for event in events(archive) if event.channel == name}
    return sorted((event for event in told.values() if event.reason in GAPS), key=lambda event: event.time_ns)


def test_a_new_channel_that_connects_and_sends_nothing(archive: Archive, engine: Engine, now: int) -> None:
    """Its gap begins with the connection and has a reason of its own; state and text say since when, until the first value."""
    engine.connect("A")
    turn(engine, now)
    turn(engine, now + GRACE_NS)
    assert gaps(archive, "A") == []
    turn(engine, now + 2 * GRACE_NS)
    (gap,) = gaps(archive, "A")
    text = f"connected at {format_local(gap.time_ns)[:19]}, no value yet"
    assert (gap.reason, gap.end_ns, gap.text) == (Reason.NO_VALUE, None, text)
    assert now - 60 * GRACE_NS < gap.time_ns < now + GRACE_NS
    assert shown(archive, "A") == (ChannelState.ARCHIVING, text)
    send(engine, "A", 1.0)
    turn(engine, now + 3 * GRACE_NS)
    (gap,) = gaps(archive, "A")
    assert gap.end_ns is not None
    assert shown(archive, "A") == (ChannelState.ARCHIVING, "")


def test_a_channel_that_comes_back_and_sends_nothing(archive: Archive, engine: Engine, now: int) -> None:
    """The gap `disconnected` ends with the connection, the next one begins there; when the server goes again it is the other way round."""
    engine.connect("A")
    send(engine, "A", 1.0)
    turn(engine, now)
    engine.disconnect("A")
    turn(engine, now)
    engine.connect("A")
    turn(engine, now)
    turn(engine, now + 2 * GRACE_NS)
    away, silent = gaps(archive, "A")
    assert (away.reason, silent.reason, silent.end_ns) == (Reason.DISCONNECTED, Reason.NO_VALUE, None)
    assert away.end_ns == silent.time_ns
    engine.disconnect("A")
    turn(engine, now + 3 * GRACE_NS)
    _, silent, again = gaps(archive, "A")
    assert (silent.end_ns, again.reason, again.end_ns) == (again.time_ns, Reason.DISCONNECTED, None)
    assert shown(archive, "A") == (ChannelState.DISCONNECTED, "no server answers")


def test_a_channel_that_sends_within_the_grace_has_no_such_gap(archive: Archive, engine: Engine, now: int) -> None:
    """A first value that takes a second tells nobody anything."""
    engine.connect("A")
    turn(engine, now)
    send(engine, "A", 1.0)
    turn(engine, now + GRACE_NS // 5)
    turn(engine, now + 3 * GRACE_NS)
    assert gaps(archive, "A") == []


def test_a_channel_switched_on_that_sends_nothing_is_not_disabled(archive: Archive, engine: Engine, now: int) -> None:
    """The gap `disabled` ends when the channel is switched on, though no value comes."""
    engine.connect("A")
    send(engine, "A", 1.0)
    turn(engine, now)
    archive.set("A", enable=False)
    turn(engine, now + 1)
    archive.set("A", enable=True)
    turn(engine, now + 2)
    turn(engine, now + 2 * GRACE_NS)
    off, silent = gaps(archive, "A")
    assert (off.reason, off.end_ns, silent.reason, silent.time_ns) == (Reason.DISABLED, now + 2, Reason.NO_VALUE, now + 2)


def test_the_gap_of_a_refused_channel_tells_why(archive: Archive, engine: Engine, now: int) -> None:
    """Where values are refused after a connection the gap is not that of a missing server."""
    engine.connect("A")
    send(engine, "A", 1.0)
    turn(engine, now)
    engine.disconnect("A")
    engine.connect("A")
    call(engine.callback, *engine.access.created["A"], False, 20, 0, None, ECA_NORDACCESS)
    turn(engine, now)
    turn(engine, now + 2 * GRACE_NS)
    away, refused = gaps(archive, "A")
    assert away.end_ns == refused.time_ns
    assert refused.text.endswith(", values are refused: no read access")
    assert shown(archive, "A") == (ChannelState.REJECTED, "no read access")


def test_a_silent_channel_over_a_restart(archive: Archive, now: int) -> None:
    """What ended with the engine is not told as a lasting connection: from its end on the gap is that of the restart."""
    first = Engine(archive, now)
    turn(first, now)
    first.connect("A")
    turn(first, now)
    turn(first, now + 2 * GRACE_NS)
    first.kill()
    second = Engine(archive, now + 3 * GRACE_NS)
    second.replay(since=now + 3 * GRACE_NS)
    second.write()
    silent, restart = gaps(archive, "A")
    assert (silent.reason, silent.end_ns) == (Reason.NO_VALUE, now + 3 * GRACE_NS)
    assert (restart.reason, restart.time_ns, restart.end_ns) == (Reason.ENGINE_RESTART, now + 3 * GRACE_NS, None)
    second.kill()


def test_what_is_told_again_has_its_text(archive: Archive, engine: Engine, now: int) -> None:
    """When events are told once more, because batches were dropped, their texts go with them."""
    engine.connect("A")
    turn(engine, now)
    turn(engine, now + 2 * GRACE_NS)
    (gap,) = gaps(archive, "A")
    engine.channels.gaps.announce_again()
    engine.write()
    again = [event for event in events(archive) if event.channel == "A"]
    assert [event.text for event in again] == [gap.text, gap.text]
