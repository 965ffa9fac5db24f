"""Quota: how many samples a channel may give, on average over 10 s.

A sample uses up `cost` ns (1 s / quota) of its channel's time; what was not used is kept for at most
10 s, or for one sample where the quota is less than that. A drain is judged as a whole: the first
samples of a channel pass until its time is used up, the rest is dropped. So a channel that stays
below its quota loses nothing, however late it is looked at, and one that runs away gives its quota
and what it had kept. Time is the receive time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.updates import I8

SECOND = 1_000_000_000
KEPT = 10 * SECOND
"""Unused time that is kept (ns)."""
SET_BACK = SECOND
"""Time used up that lies further ahead than this was booked before the clock was set back (ns)."""


def within_quota(rows: npt.NDArray[np.integer], count: I8, first: I8, last: I8, cost: I8, memory: SamplerMemory) -> I8:
    """How many of `count` samples of each row may pass; they are booked.

    rows: each once. first, last: receive times (ns) of the first and last update looked at. cost: ns, 0 = no quota.
    """
    kept, before = np.maximum(cost, KEPT), memory.quota_base[rows]
    base = np.maximum(before, np.minimum(first, last) - kept)
    wanted = count * cost
    passing = count
    if (base + wanted > last).any():
        base = np.where(before > last + SET_BACK, last - kept, base)
        passing = np.where(cost > 0, np.minimum(count, np.maximum(last - base, 0) // np.maximum(cost, 1)), count)
    memory.quota_base[rows] = np.where(wanted > 0, base + passing * cost, before)
    return passing
