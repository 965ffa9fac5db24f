"""Rate limit and scan, for many channels at once.

monitor: a value passes when its channel's interval is over; otherwise it is withheld, in place of
    the one withheld before, and passes when the interval ends.
scan: each value is withheld until the next tick (a multiple of the interval since 1970).

So in both modes at most one value of a channel waits, and the last one is never lost. Time is the
receive time. Work is done in rounds; a round lets at most one sample of each channel pass, so the
number of rounds is that of samples a channel may give in the time looked at, not of its updates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.updates import I8

Index = npt.NDArray[np.intp]
HELD = -2
"""Stands for the value that was withheld before these updates."""
NONE = -1
KEYS = 1 << 62
"""Room for search keys: 25 h for each of 50 000 channels in one drain, however far the clock is set meanwhile."""


@dataclass(frozen=True, slots=True, eq=False)
class Limited:
    """What became of updates of rate-limited channels.

    passed: indices of updates that pass. released: rows whose formerly withheld value passes.
    withheld: per row in `rows`: index of the update that now waits, HELD for the old one still, NONE.
    replaced: per row in `rows`: how many values gave way to newer ones.
    """

    passed: Index
    released: npt.NDArray[np.uint32]
    rows: npt.NDArray[np.uint32]
    withheld: Index
    replaced: I8


def next_tick(received: I8, interval: I8) -> I8:
    """The first multiple of the interval after a time (ns)."""
    return (received // interval + 1) * interval


def limit_rate(
    row: npt.NDArray[np.uint32],
    received: I8,
    forced: npt.NDArray[np.bool_],
    interval: I8,
    scan: npt.NDArray[np.bool_],
    memory: SamplerMemory,
) -> Limited:
    """Which of these updates pass now. `memory.due` is brought up to date, `memory.withheld` is not.

    row, received, forced: shape (n,), sorted by row, n > 0; forced updates pass whatever the rate.
    interval (ns, > 0), scan: per update as well (equal for all updates of a row).
    """
    starts = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
    rows, step, ticking = row[starts], interval[starts], scan[starts]
    lanes = _Lanes(row, received, starts)
    held = np.where(memory.withheld[rows] != 0, HELD, NONE).astype(np.intp)
    due = np.minimum(memory.due[rows], received[starts] + step)
    at = starts.copy()
    replaced = np.zeros(len(rows), "i8")
    passed: list[Index] = []
    released: list[npt.NDArray[np.uint32]] = []

    def let_go(which: Index) -> None:
        passed.append(held[which][held[which] >= 0])
        released.append(rows[which][held[which] == HELD])
        held[which] = NONE

    def pass_next(which: Index) -> None:
        passed.append(at[which])
        due[which] = np.where(ticking[which], 0, received[at[which]] + step[which])
        at[which] += 1

    first = np.flatnonzero(forced[starts])
    if len(first):
        let_go(first[held[first] != NONE])
        pass_next(first)
    active = np.arange(len(rows))
    while len(active):
        reach = lanes.first_from(active, due[active], at[active])
        taken = reach - at[active]
        some = active[taken > 0]
        replaced[some] += taken[taken > 0] - (held[some] == NONE)
        held[some] = reach[taken > 0] - 1
        at[active] = reach
        active = active[reach < lanes.ends[active]]
        waiting = held[active] != NONE
        over = active[waiting]
        let_go(over)
        due[over] = np.where(ticking[over], 0, due[over] + step[over])
        idle = active[~waiting]
        pass_next(idle[~ticking[idle]])
        begun = idle[ticking[idle]]
        held[begun] = at[begun]
        due[begun] = next_tick(received[at[begun]], step[begun])
        at[begun] += 1
    memory.due[rows] = due
    return Limited(np.concatenate([*passed, np.empty(0, np.intp)]), np.concatenate([*released, np.empty(0, "u4")]), rows, held, replaced)


class _Lanes:
    """The updates of each row, searched for all rows at once."""

    def __init__(self, row: npt.NDArray[np.uint32], received: I8, starts: Index) -> None:
        self.ends = np.append(starts[1:], len(row))
        self._base = received[starts]
        self._span = KEYS // len(starts)
        lane = np.repeat(np.arange(len(starts)), self.ends - starts)
        # one growing key: the lane, then the time since its first update; a clock that stepped back counts as standing still
        since = np.clip(received - self._base[lane], 0, self._span - 2)
        self._key = np.maximum.accumulate(lane * self._span + since)

    def first_from(self, lanes: Index, time: I8, at: Index) -> Index:
        """Per lane: index of the first update at or after `time`, not before `at`; the lane's end if there is none."""
        wanted = lanes * self._span + np.clip(time - self._base[lanes], 0, self._span - 1)
        reach: Index = np.maximum(np.searchsorted(self._key, wanted), at)
        return reach
