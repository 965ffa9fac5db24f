from __future__ import annotations

import numpy as np
import pytest

from archioc.core.events import ChannelEvent, Reason
from archioc.engine.channels.gaps import GRACE_NS, Gaps
from archioc.engine.channels.open_gaps import OpenGap
from archioc.engine.sampling.memory import SamplerMemory
from tests.unit.engine.arrivals import T0

ROWS = np.array([0, 1])


@pytest.fixture
def gaps() -> Gaps:
    return Gaps(SamplerMemory(3), ["A", "B", "C"], {})


def test_a_gap_is_told_at_its_start_and_again_with_its_end(gaps: Gaps) -> None:
    """One event when it opens, the same one with its end when it closes, and no more."""
    gaps.open(ROWS, Reason.DISCONNECTED, T0)
    assert gaps.pop_events() == (ChannelEvent("A", T0, Reason.DISCONNECTED), ChannelEvent("B", T0, Reason.DISCONNECTED))
    gaps.open(ROWS, Reason.ARCHIVER_STOP, T0 + 5)
    assert gaps.pop_events() == ()
    gaps.close(ROWS, np.array([T0 + 7, T0 + 9]))
    assert gaps.pop_events() == (
        ChannelEvent("A", T0, Reason.DISCONNECTED, end_ns=T0 + 7),
        ChannelEvent("B", T0, Reason.DISCONNECTED, end_ns=T0 + 9),
    )
    gaps.close(ROWS, np.array([T0 + 10, T0 + 10]))
    assert gaps.pop_events() == ()


def test_a_gap_never_ends_before_it_began(gaps: Gaps) -> None:
    """Where the clock was set back meanwhile the gap has no length."""
    gaps.open(ROWS[:1], Reason.DISABLED, T0)
    gaps.pop_events()
    gaps.close(ROWS[:1], np.array([T0 - 1]))
    assert gaps.pop_events() == (ChannelEvent("A", T0, Reason.DISABLED, end_ns=T0),)


def test_a_change_of_reason_ends_one_gap_and_begins_another(gaps: Gaps) -> None:
    """Each reason has its own gap, end to end; the same reason again changes nothing."""
    gaps.open(ROWS[:1], Reason.DISCONNECTED, T0)
    gaps.pop_events()
    gaps.change(ROWS[:1], Reason.DISABLED, T0 + 5)
    gaps.change(ROWS[:1], Reason.DISABLED, T0 + 6)
    assert gaps.pop_events() == (
        ChannelEvent("A", T0, Reason.DISCONNECTED, end_ns=T0 + 5),
        ChannelEvent("A", T0 + 5, Reason.DISABLED),
    )


def test_a_new_channel_that_connects_in_time_tells_nothing(gaps: Gaps) -> None:
    """Within the grace there is no gap to tell."""
    gaps.wait_for_first(ROWS, T0)
    assert gaps.unannounced(np.arange(3)).tolist() == [True, True, False]
    assert gaps.announce_lasting(T0 + GRACE_NS).tolist() == []
    gaps.close(ROWS, np.array([T0 + 1, T0 + 2]))
    gaps.announce_lasting(T0 + 10 * GRACE_NS)
    assert gaps.pop_events() == ()


def test_a_new_channel_that_does_not_connect_has_a_gap_from_the_start(gaps: Gaps) -> None:
    """After the grace the gap is told once, from when the channel was added, and gets its end like others."""
    gaps.wait_for_first(ROWS[:1], T0)
    assert gaps.announce_lasting(T0 + GRACE_NS + 1).tolist() == [0]
    assert gaps.announce_lasting(T0 + GRACE_NS + 2).tolist() == []
    (told,) = gaps.pop_events()
    assert (told.channel, told.time_ns, told.reason, told.end_ns) == ("A", T0, Reason.DISCONNECTED, None)
    gaps.close(ROWS[:1], np.array([T0 + 99]))
    assert [(one.time_ns, one.end_ns) for one in gaps.pop_events()] == [(T0, T0 + 99)]


def test_a_new_channel_that_is_switched_off_is_disabled_only(gaps: Gaps) -> None:
    """The wait that nobody was told of leaves no trace when another reason takes over."""
    gaps.wait_for_first(ROWS[:1], T0)
    gaps.change(ROWS[:1], Reason.DISABLED, T0 + 1)
    gaps.announce_lasting(T0 + 10 * GRACE_NS)
    assert gaps.pop_events() == (ChannelEvent("A", T0 + 1, Reason.DISABLED),)


def test_a_removed_channel_is_forgotten(gaps: Gaps) -> None:
    """A channel removed while it waited for its first connection is not told of later."""
    gaps.wait_for_first(ROWS[:1], T0)
    gaps.close(ROWS[:1], np.array([T0]))
    assert gaps.announce_lasting(T0 + 10 * GRACE_NS).tolist() == []
    assert gaps.pop_events() == ()


def test_open_gaps_are_kept_for_the_next_engine(gaps: Gaps) -> None:
    """A gap that is open lies in the memory that the ledger keeps, so that another engine can close it."""
    memory = SamplerMemory(3)
    Gaps(memory, ["A", "B", "C"], {}).open(ROWS[:1], Reason.ARCHIVER_STOP, T0)
    assert memory.touched.tolist() == [True, False, False]
    later = Gaps(memory, ["A", "B", "C"], {})
    later.close(ROWS[:1], np.array([T0 + 3]))
    assert later.pop_events() == (ChannelEvent("A", T0, Reason.ARCHIVER_STOP, end_ns=T0 + 3),)


def test_a_gap_is_inherited() -> None:
    """A gap that was open when all memory was lost goes on; that of a channel which is not archived any more ends."""
    memory = SamplerMemory(3)
    old = {name: OpenGap(Reason.DISCONNECTED, T0 - 5) for name in ("A", "B", "X")}
    gaps = Gaps(memory, ["A", "B", "C"], old)
    gaps.wait_for_first(np.array([0, 2]), T0)
    gaps.end_inheritance(T0, {}, {})
    assert gaps.pop_events() == (ChannelEvent("X", T0 - 5, Reason.DISCONNECTED, end_ns=T0),)
    assert gaps.standing() == {"A": OpenGap(Reason.DISCONNECTED, T0 - 5)}
    gaps.close(np.array([0]), np.array([T0 + 1]))
    assert gaps.pop_events() == (ChannelEvent("A", T0 - 5, Reason.DISCONNECTED, end_ns=T0 + 1),)
    gaps.wait_for_first(np.array([1]), T0 + 2)
    assert gaps.standing() == {}


def test_a_shared_store_is_told_who_collects_what() -> None:
    """Where others write too, the first value of a channel is told, its removal, and that it is collected where it has no gap."""
    gaps = Gaps(SamplerMemory(3), ["A", "B", "C"], {}, shared=True)
    gaps.wait_for_first(np.arange(3), T0)
    gaps.close(ROWS, np.array([T0 + 1, T0 + 2]))
    assert gaps.pop_events() == (ChannelEvent("A", T0 + 1, Reason.COLLECTING), ChannelEvent("B", T0 + 2, Reason.COLLECTING))
    gaps.announce_collected(np.arange(3), T0 + 5)
    assert [event.channel for event in gaps.pop_events()] == ["A", "B"]
    gaps.open(ROWS[:1], Reason.DISCONNECTED, T0 + 6)
    gaps.leave(ROWS, T0 + 7, {})
    assert gaps.pop_events()[1:] == (
        ChannelEvent("A", T0 + 6, Reason.DISCONNECTED, end_ns=T0 + 7),
        ChannelEvent("A", T0 + 7, Reason.REMOVED),
        ChannelEvent("B", T0 + 7, Reason.REMOVED),
    )


def test_a_store_of_our_own_is_not_told_who_collects(gaps: Gaps) -> None:
    """Without others there is nothing to tell apart."""
    gaps.leave(ROWS, T0, {})
    gaps.announce_collected(ROWS, T0)
    assert gaps.pop_events() == ()


@pytest.mark.parametrize("shared", [False, True])
def test_a_channel_that_moves_is_told_with_its_shard(shared: bool) -> None:
    """Whatever the store, the shard that has a moved channel now is told once."""
    gaps = Gaps(SamplerMemory(3), ["A", "B", "C"], {}, shared=shared)
    gaps.leave(ROWS[:1], T0, {0: "shard 4 (ARCH4:)"})
    assert gaps.pop_events() == (ChannelEvent("A", T0, Reason.REMOVED, text="moved to shard 4 (ARCH4:)"),)
