"""Which time a sample gets: the IOC's stamp wherever it can be believed.

Rules, in this order:
1. a stamp before 1991 is that of a record that was never processed: receive time instead;
2. a stamp more than MAX_FUTURE ahead of the receive time: receive time instead;
3. the same stamp, value and alarm as the update before: the same update, not another sample;
4. the same stamp with another value: one nanosecond after the one before, if received within a
   second of the stamp; otherwise receive time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.memory import SamplerMemory
from engine.updates import I8, Updates, run_ends

SECOND = 1_000_000_000
EARLIEST = 662_688_000 * SECOND
"""1991-01-01 UTC: EPICS time starts in 1990, and an unset stamp reads as its first second."""
MAX_FUTURE = 60 * SECOND
MAX_PAST = 7 * 86400 * SECOND
"""A first value older than this is stored only at its receive time."""
SAME_STAMP_WINDOW = SECOND

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Stamped:
    """Times of updates, shape (n,). time: ns; repeated: rule 3 applies; restamped: the receive time was taken."""

    time: I8
    repeated: Mask
    restamped: Mask


def stamp_updates(updates: Updates, starts: npt.NDArray[np.intp], memory: SamplerMemory) -> Stamped:
    """Apply the rules to updates sorted by row, and remember the last update of each row.

    starts: index of the first update of each row.
    """
    rows = updates.row[starts]
    seen = memory.seen[rows] != 0
    before = _before(updates.stamp, starts, np.where(seen, memory.last_stamp[rows], np.iinfo("i8").min))
    same = repeated = before == updates.stamp
    restamped = (updates.stamp < EARLIEST) | (updates.stamp > updates.received + MAX_FUTURE)
    bumped = None
    if same.any():
        repeated = same & (_before(updates.bits, starts, memory.last_bits[rows]) == updates.bits)
        repeated &= _before(updates.alarm, starts, memory.last_alarm[rows]) == updates.alarm
        bumped = same & ~repeated & ~restamped
        restamped |= bumped & (updates.received - updates.stamp > SAME_STAMP_WINDOW)
        bumped &= ~restamped
    time = np.where(restamped, updates.received, updates.stamp) if restamped.any() else updates.stamp.copy()
    if bumped is not None and bumped.any():
        _bump(time, bumped, repeated, starts, memory.last_time[rows])
    _remember(updates, time, repeated, starts, memory)
    return Stamped(time, repeated, restamped)


def _before(column: npt.NDArray[np.generic], starts: npt.NDArray[np.intp], remembered: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """The column shifted by one within each row, with what was remembered at the start."""
    out = np.empty_like(column)
    out[1:] = column[:-1]
    out[starts] = remembered
    return out


def _bump(time: I8, bumped: Mask, repeated: Mask, starts: npt.NDArray[np.intp], last_time: I8) -> None:
    """Give updates of one stamp consecutive nanoseconds, counted from the first of their run."""
    at_start = np.zeros(len(time), bool)
    at_start[starts] = True
    run_start = at_start | ~(bumped | repeated)
    base = time.copy()
    base[starts] = np.where((bumped | repeated)[starts], last_time, time[starts])
    run = np.flatnonzero(run_start)[np.cumsum(run_start) - 1]
    steps = np.cumsum(bumped)
    offset = steps - steps[run] + bumped[run]
    time[bumped] = (base[run] + offset)[bumped]


def _remember(updates: Updates, time: I8, repeated: Mask, starts: npt.NDArray[np.intp], memory: SamplerMemory) -> None:
    last = run_ends(starts, len(updates)) - 1
    rows = updates.row[last]
    memory.seen[rows] = 1
    memory.last_stamp[rows] = updates.stamp[last]
    memory.last_bits[rows] = updates.bits[last]
    memory.last_alarm[rows] = updates.alarm[last]
    if not repeated.any():
        memory.last_time[rows] = time[last]
        return
    newest = np.maximum.reduceat(np.where(repeated, -1, np.arange(len(time))), starts)
    known = newest >= 0
    memory.last_time[rows[known]] = time[newest[known]]
