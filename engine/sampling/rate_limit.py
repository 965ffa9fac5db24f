"""Rate limit and scan, for many channels at once.

monitor: a value passes when its channel's interval is over; otherwise it is withheld, in place of
    the one withheld before, and passes when the interval ends.
scan: each value is withheld until the next tick (a multiple of the interval since 1970).

So in both modes at most one value of a channel waits, and the last one is never lost.

An interval is over when one of two clocks says so: the receive time, or the time of the samples. A stall (of the network, of this
process, of a virtual machine) hands over many updates at one receive time; by their own time they pass as they would have passed live.
An IOC whose clock stands still or runs slowly is judged by the receive time. Within a drain neither clock goes back.

Work is done in rounds; a round lets at most one sample of each channel pass, so the number of rounds is that of samples a channel
may give in the time looked at, not of its updates. An example, interval 100 ms, updates of one channel at 0, 30 and 130 ms:

    round  cursor  due   what happens
    -      0       0     due when the channel is new
    1      0       0     the update at 0 passes; due = 100
    2      1       100   the first update at or after 100 is the third: the one before it, at 30, is held
                         and released, for its interval is over; due = 200
    3      2       200   no update at or after 200: the third is held and waits
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.updates import I8

Index = npt.NDArray[np.intp]
HELD_BEFORE = -2
"""Stands for the value that was withheld before these updates."""
NOTHING_HELD = -1
KEY_SPACE = 1 << 62
"""For search keys: 25 h for each of 50 000 channels in one drain, however far a clock is set meanwhile."""


@dataclass(frozen=True, slots=True, eq=False)
class Limited:
    """What became of updates of rate-limited channels.

    passed: indices of updates that pass. released: rows whose formerly withheld value passes.
    withheld: per row in `rows`: index of the update that now waits, HELD_BEFORE for the old one still, NOTHING_HELD.
    replaced: per row in `rows`: how many values gave way to newer ones.
    """

    passed: Index
    released: npt.NDArray[np.uint32]
    rows: npt.NDArray[np.uint32]
    withheld: Index
    replaced: I8


def next_tick(time: I8, interval: I8) -> I8:
    """The first multiple of the interval after a time (ns)."""
    return (time // interval + 1) * interval


def limit_rate(
    row: npt.NDArray[np.uint32],
    received: I8,
    time: I8,
    forced: npt.NDArray[np.bool_],
    interval: I8,
    scan: npt.NDArray[np.bool_],
    memory: SamplerMemory,
) -> Limited:
    """Which of these updates pass now. `memory.due` and `memory.due_time` are brought up to date, `memory.withheld` is not.

    row, received, time, forced: shape (n,), sorted by row, n > 0; time: of the samples (ns); forced updates pass whatever the rate.
    interval (ns, > 0), scan: per update as well (equal for all updates of a row).
    """
    starts = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
    limiter = _Limiter(row[starts], _Clock(received, starts), _Clock(time, starts), interval[starts], scan[starts], memory)
    first = np.flatnonzero(forced[starts])
    if len(first):
        limiter.release(first[limiter.held[first] != NOTHING_HELD])
        limiter.pass_at_cursor(first)
    active = np.arange(len(starts))
    while len(active):
        active = limiter.round(active)
    return limiter.end(memory)


class _Clock:
    """A time of each update (ns), searched in the updates of all rows at once. Within a row it never goes back."""

    def __init__(self, time: I8, starts: Index) -> None:
        self.starts, self.ends = starts, np.append(starts[1:], len(time))
        self._base = time[starts]
        self._span = KEY_SPACE // len(starts)
        lane = np.repeat(np.arange(len(starts)), self.ends - starts)
        # one growing key: the place of the row, then the time since its first update
        since = np.clip(time - self._base[lane], 0, self._span - 2)
        self._key = np.maximum.accumulate(lane * self._span + since)
        self.time = self._key - lane * self._span + self._base[lane]

    def first_from(self, lanes: Index, due: I8, cursor: Index) -> Index:
        """Per row: index of the first update at or after `due`, not before `cursor`; the row's end if there is none."""
        wanted = lanes * self._span + np.clip(due - self._base[lanes], 0, self._span - 1)
        reach: Index = np.maximum(np.searchsorted(self._key, wanted), cursor)
        return reach


class _Limiter:
    """The state of all rows of a drain. Arguments named `which` are places in `rows`."""

    def __init__(
        self, rows: npt.NDArray[np.uint32], received: _Clock, sampled: _Clock, step: I8, scan: npt.NDArray[np.bool_], memory: SamplerMemory
    ) -> None:
        self._rows, self._received, self._sampled, self._step, self._ticking = rows, received, sampled, step, scan
        self._cursor = received.starts.copy()
        self.held = np.where(memory.withheld[rows] != 0, HELD_BEFORE, NOTHING_HELD).astype(np.intp)
        # at most an interval ahead: a clock may have been set back, or the interval shortened
        self._due = np.minimum(memory.due[rows], received.time[received.starts] + step)
        self._due_time = np.minimum(memory.due_time[rows], sampled.time[received.starts] + step)
        self._replaced = np.zeros(len(rows), "i8")
        self._passed: list[Index] = []
        self._released: list[npt.NDArray[np.uint32]] = []

    def round(self, active: Index) -> Index:
        """Let at most one sample of each of these rows pass; the rows that may give more."""
        received = self._received.first_from(active, self._due[active], self._cursor[active])
        sampled = self._sampled.first_from(active, self._due_time[active], self._cursor[active])
        reach = np.minimum(received, sampled)
        self._hold_up_to(active, reach)
        active = active[reach < self._received.ends[active]]
        waiting = self.held[active] != NOTHING_HELD
        over, idle = active[waiting], active[~waiting]
        self.release(over)
        self._begin_next(over)
        self.pass_at_cursor(idle[~self._ticking[idle]])
        self._begin_ticks(idle[self._ticking[idle]])
        return active

    def release(self, which: Index) -> None:
        """What is held in these rows passes."""
        held = self.held[which]
        self._passed.append(held[held >= 0])
        self._released.append(self._rows[which][held == HELD_BEFORE])
        self.held[which] = NOTHING_HELD

    def pass_at_cursor(self, which: Index) -> None:
        """The next update of these rows passes, and their interval begins."""
        at = self._cursor[which]
        self._passed.append(at)
        self._due[which] = np.where(self._ticking[which], 0, self._received.time[at] + self._step[which])
        self._due_time[which] = np.where(self._ticking[which], 0, self._sampled.time[at] + self._step[which])
        self._cursor[which] += 1

    def end(self, memory: SamplerMemory) -> Limited:
        """Keep what the next drain needs."""
        memory.due[self._rows], memory.due_time[self._rows] = self._due, self._due_time
        passed = np.concatenate([*self._passed, np.empty(0, np.intp)])
        released = np.concatenate([*self._released, np.empty(0, "u4")])
        return Limited(passed, released, self._rows, self.held, self._replaced)

    def _hold_up_to(self, which: Index, reach: Index) -> None:
        """Of the updates from the cursor on, before `reach`, the last one is held; the others give way."""
        count = reach - self._cursor[which]
        some = which[count > 0]
        self._replaced[some] += count[count > 0] - (self.held[some] == NOTHING_HELD)
        self.held[some] = reach[count > 0] - 1
        self._cursor[which] = reach

    def _begin_next(self, which: Index) -> None:
        """What was held has passed at the end of its interval: the next one begins there, and ends at most an interval from now."""
        at, step, ticking = self._cursor[which], self._step[which], self._ticking[which]
        self._due[which] = np.where(ticking, 0, np.minimum(self._due[which], self._received.time[at]) + step)
        self._due_time[which] = np.where(ticking, 0, np.minimum(self._due_time[which], self._sampled.time[at]) + step)

    def _begin_ticks(self, which: Index) -> None:
        """The next update of these rows waits for the tick after it."""
        at = self._cursor[which]
        self.held[which] = at
        self._due[which] = next_tick(self._received.time[at], self._step[which])
        self._due_time[which] = next_tick(self._sampled.time[at], self._step[which])
        self._cursor[which] += 1
