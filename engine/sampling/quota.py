"""Quota: how many samples a channel may give, on average over 10 s.

A sample uses up `cost` ns (1 s / quota) of its channel's time; what was not used is kept for at most
10 s, or for one sample where the quota is less than that. A drain is judged as a whole: the first
samples of a channel pass until its time is used up, the rest is dropped. So a channel that stays
below its quota loses nothing, however late it is looked at, and one that runs away gives its quota
and what it had kept.

What a stall hands over at one moment passes as it would have passed live: where the receive time does not let all pass, the time of the
samples is asked as well, and the clock that allows more decides. The time used up is kept by the receive time, with the lag between the
two clocks at the last look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.updates import I8

SECOND = 1_000_000_000
KEPT = 10 * SECOND
"""Unused time that is kept (ns)."""
SET_BACK = SECOND
"""Time used up that lies further ahead than this was booked before the clock was set back (ns)."""


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """The first and the last time that one clock shows for the updates of each row (ns)."""

    first: I8
    last: I8

    @classmethod
    def at(cls, time: I8) -> Span:
        """One moment for each row."""
        return cls(time, time)


def within_quota(rows: npt.NDArray[np.integer], count: I8, received: Span, sampled: Span, cost: I8, memory: SamplerMemory) -> I8:
    """How many of `count` samples of each row may pass; they are booked.

    rows: each once. received, sampled: of the updates looked at: when they came, and the times of their samples. cost: ns, 0 = no quota.
    """
    before = memory.quota_base[rows]
    base, used = _base(before, received, cost), count * cost
    passing = count
    if (base + used > received.last).any():
        base_time = _base(before - memory.quota_lag[rows], sampled, cost)
        allowed = np.maximum(_allowed(base, received.last, cost), _allowed(base_time, sampled.last, cost))
        passing = np.where(cost > 0, np.minimum(count, allowed), count)
        used = passing * cost
    # a clock that allows less than the other one is used up, not in debt
    memory.quota_base[rows] = np.where(count * cost > 0, np.minimum(base + used, received.last), before)
    memory.quota_lag[rows] = received.last - sampled.last
    return passing


def _base(before: I8, clock: Span, cost: I8) -> I8:
    """Up to when the time of each row is used up, at most what may be kept before its first update."""
    kept = np.maximum(cost, KEPT)
    base = np.maximum(before, np.minimum(clock.first, clock.last) - kept)
    return np.where(before > clock.last + SET_BACK, clock.last - kept, base)


def _allowed(base: I8, last: I8, cost: I8) -> I8:
    allowed: I8 = np.maximum(last - base, 0) // np.maximum(cost, 1)
    return allowed
