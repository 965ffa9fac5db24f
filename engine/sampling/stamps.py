"""Which time a sample gets: the IOC's stamp wherever it can be believed.

Rules, in this order:
1. a stamp before 1991 is that of a record that was never processed: receive time instead;
2. a stamp more than MAX_FUTURE ahead of the receive time: receive time instead, unless our own clock is suspect (`clock_check`);
3. the same stamp, value and alarm as the update before: the same update, not another sample;
4. a stamp more than `ca.max_past` (1 h) behind the receive time: receive time instead, from the second value after a connection on,
   unless our own clock is suspect or the channel has `clock: ioc`. The first value after a connection may be old: it is the present one;
5. the same stamp with another value: one nanosecond after the one before, if received within a
   second of the stamp; otherwise receive time.

A stamp older than the one before is kept and counted as late. With `clock: archiver` only rule 3
holds: another value under the same stamp is another sample, for fields other than VAL carry the
stamp of their record's last processing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.spool.batch import SampleFlag
from archioc.engine.sampling.drain import Drain, Mask, Runs
from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.updates import I8, Updates

SECOND = 1_000_000_000
EARLIEST = 662_688_000 * SECOND
"""1991-01-01 UTC: EPICS time starts in 1990, and an unset stamp reads as its first second."""
MAX_FUTURE = 60 * SECOND
MAX_PAST = 7 * 86400 * SECOND
"""A first value older than this is stored only at its receive time."""
MAX_PAST_LIVE = 3600 * SECOND
"""Default of `ca.max_past`."""
SAME_STAMP_WINDOW = SECOND
NEVER = np.iinfo("i8").min
"""Stands for the stamp of the update before the first."""


@dataclass(frozen=True, slots=True, eq=False)
class Stamped:
    """Times of updates, shape (n,).

    time: ns. flags: RESTAMPED or ARCHIVER_CLOCK where it is the receive time, else 0; uint8.
    repeated: rule 3 applies. unusable: rule 1, 2, 4 or 5 took the receive time. late: older than the update of its row before it.
    """

    time: I8
    flags: npt.NDArray[np.uint8]
    repeated: Mask
    unusable: Mask
    late: Mask


def look_ahead(updates: Updates) -> Mask:
    """Which stamps lie more than MAX_FUTURE ahead of the receive time."""
    ahead: Mask = updates.stamp - updates.received > MAX_FUTURE
    return ahead


def look_behind(updates: Updates, max_past: int) -> Mask:
    """Which stamps lie more than `max_past` (ns) behind the receive time, without those that are unset."""
    behind: Mask = updates.received - updates.stamp > max_past
    if behind.any():
        behind &= updates.stamp >= EARLIEST
    return behind


def stamp_updates(drain: Drain, memory: SamplerMemory, by_archiver: Mask | None, clock_suspect: bool, wrong: Mask) -> Stamped:
    """Apply the rules, and remember the last update of each row.

    by_archiver: per update, those that get the archiver's time in any case; None: none.
    wrong: those that `look_ahead` or `look_behind` names; clock_suspect: our own clock is in doubt, so that these are kept.
    """
    updates, runs, rows = drain.updates, drain.runs, drain.rows
    seen = memory.seen[rows] != 0
    same = repeated = runs.value_before(updates.stamp, np.where(seen, memory.last_stamp[rows], NEVER)) == updates.stamp
    unusable = updates.stamp < EARLIEST
    if not clock_suspect:
        unusable |= wrong
    bumped = None
    if same.any():
        repeated = same & (runs.value_before(updates.bits, memory.last_bits[rows]) == updates.bits)
        repeated &= runs.value_before(updates.alarm, memory.last_alarm[rows]) == updates.alarm
        bumped = same & ~repeated & ~unusable
        unusable |= bumped & (updates.received - updates.stamp > SAME_STAMP_WINDOW)
        bumped &= ~unusable
    if by_archiver is not None:
        unusable &= ~by_archiver
        bumped = bumped & ~by_archiver if bumped is not None else None
    time, flags = _times(updates, unusable, by_archiver)
    if bumped is not None and bumped.any():
        _bump(time, bumped, repeated, runs, memory.last_time[rows])
    late = _late(drain, time, repeated, memory)
    _remember(drain, time, repeated, memory)
    return Stamped(time, flags, repeated, unusable, late)


def _times(updates: Updates, unusable: Mask, by_archiver: Mask | None) -> tuple[I8, npt.NDArray[np.uint8]]:
    """Time and flags of each sample; new arrays."""
    flags = np.where(unusable, SampleFlag.RESTAMPED, 0).astype("u1") if unusable.any() else np.zeros(len(updates), "u1")
    if by_archiver is not None:
        flags[by_archiver] = SampleFlag.ARCHIVER_CLOCK
    return np.where(flags != 0, updates.received, updates.stamp) if flags.any() else updates.stamp.copy(), flags


def _late(drain: Drain, time: I8, repeated: Mask, memory: SamplerMemory) -> Mask:
    """Which updates are older than the one of their row before; a repetition is none."""
    if not repeated.any():
        return time < drain.runs.value_before(time, memory.last_time[drain.rows])
    sent = np.flatnonzero(~repeated)
    late = np.zeros(len(time), bool)
    if len(sent):
        runs, its_time = Runs(drain.row[sent]), time[sent]
        late[sent] = its_time < runs.value_before(its_time, memory.last_time[runs.rows])
    return late


def _bump(time: I8, bumped: Mask, repeated: Mask, runs: Runs, last_time: I8) -> None:
    """Give updates of one stamp consecutive nanoseconds, counted from the first of their run."""
    starts, at_start = runs.starts, np.zeros(len(time), bool)
    at_start[starts] = True
    run_start = at_start | ~(bumped | repeated)
    base = time.copy()
    base[starts] = np.where((bumped | repeated)[starts], last_time, time[starts])
    run = np.flatnonzero(run_start)[np.cumsum(run_start) - 1]
    steps = np.cumsum(bumped)
    offset = steps - steps[run] + bumped[run]
    time[bumped] = (base[run] + offset)[bumped]


def _remember(drain: Drain, time: I8, repeated: Mask, memory: SamplerMemory) -> None:
    updates, last, rows = drain.updates, drain.runs.newest, drain.rows
    memory.seen[rows] = 1
    memory.last_stamp[rows] = updates.stamp[last]
    memory.last_bits[rows] = updates.bits[last]
    memory.last_alarm[rows] = updates.alarm[last]
    if not repeated.any():
        memory.last_time[rows] = time[last]
        return
    newest = np.maximum.reduceat(np.where(repeated, -1, np.arange(len(time))), drain.runs.starts)
    known = newest >= 0
    memory.last_time[rows[known]] = time[newest[known]]
