"""Alarm transitions: written whatever dead band, rate and quota leave out of the samples.

A transition has the time that its sample has, or would have. The state is written again at receive
time when a trace begins or resumes, and once an hour, so that any window of time shows it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.core.spool.batch import ALARM
from archioc.engine.sampling.drain import Drain, Index, Mask, Resumed
from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.sampling_settings import SamplingSettings
from archioc.engine.sampling.stamps import Stamped

SECOND = 1_000_000_000
HOUR_S = 3600

AlarmStates = npt.NDArray[np.void]
"""Dtype ALARM."""
NO_STATES = np.empty(0, ALARM)
KNOWN = np.uint32(1)
"""Added to an alarm in the memory, where 0 means that none has been told."""


class Alarms:
    """Follows the alarms of all rows; what the store knows of them is in the memory."""

    def __init__(self, memory: SamplerMemory, wanted: SamplingSettings) -> None:
        self._memory, self._wanted = memory, wanted
        self._swept = -1  # s since 1970

    def transitions(self, drain: Drain, stamped: Stamped, resumed: Resumed) -> AlarmStates:
        """What these updates say of alarms."""
        memory, updates, rows = self._memory, drain.updates, drain.rows
        alarm = updates.alarm + KNOWN
        changed = alarm != drain.runs.value_before(alarm, memory.alarm_told[rows])
        if not (len(resumed) or changed.any()):
            return NO_STATES
        changed &= drain.on
        archived = drain.on[drain.runs.starts]
        memory.alarm_told[rows[archived]] = alarm[drain.runs.newest][archived]
        changed[resumed.at[resumed.by_copy]] = False
        moved = np.flatnonzero(changed)
        which = np.concatenate([moved, resumed.at])
        states = _states(updates.row[which], updates.alarm[which], np.concatenate([stamped.time[moved], updates.received[resumed.at]]))
        order = np.argsort(np.concatenate([2 * moved, 2 * resumed.at + 1]))  # the state again follows the transition
        ordered: AlarmStates = states[order]
        return ordered

    def hourly(self, now: int, connected: Mask, fresh: Mask) -> AlarmStates:
        """The states that are due again at a time (ns): those of each row once an hour, in a second of its own.

        connected, fresh (its trace has still to resume): of all rows, shape (rows,).
        """
        second, swept = now // SECOND, self._swept
        if second == swept:
            return NO_STATES
        self._swept = second
        if swept < 0 or second < swept:  # the start, or the clock was set back
            return NO_STATES
        seconds = range(max(swept + 1, second - HOUR_S + 1), second + 1)
        rows = np.concatenate([np.arange(one % HOUR_S, self._memory.used, HOUR_S) for one in seconds])
        return self._standing(rows, now, connected, fresh)

    def again(self, now: int, connected: Mask, fresh: Mask) -> AlarmStates:
        """The states of all rows, at a time (ns), because the store may have missed some. Otherwise as `hourly`."""
        return self._standing(np.arange(self._memory.used), now, connected, fresh)

    def _standing(self, rows: Index, now: int, connected: Mask, fresh: Mask) -> AlarmStates:
        told = self._memory.alarm_told[rows]
        due = (told != 0) & self._wanted.on(rows) & connected[rows] & ~fresh[rows]
        rows = rows[due]
        return _states(rows, (told[due] - KNOWN).astype("u2"), np.full(len(rows), now))


def _states(rows: npt.NDArray[np.integer], alarm: npt.NDArray[np.uint16], time: npt.NDArray[np.int64]) -> AlarmStates:
    out = np.zeros(len(rows), ALARM)
    out["row"], out["time"] = rows, time
    out["severity"], out["status"] = alarm >> 8, alarm & 0xFF
    return out
