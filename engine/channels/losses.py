"""Losses are counted at once and told by events: of each channel and reason at most one in TELL_EVERY.

How much has been told lies in the ledger beside the counters, so that a kill neither hides a loss
nor tells it twice. What a full spool drops is counted and told where that happens (`archioc.engine.commit.commit`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.core.events import ChannelEvent, Reason
from archioc.engine.ca.ring import EventRing
from archioc.engine.sampling.memory import SamplerMemory

TELL_EVERY = 10_000_000_000
"""ns."""

ASK_EVERY = 1_000_000_000
"""ns. Without this pause, an array that is lost each time would be asked for each time."""

_KINDS = (("dropped_overflow", "told_overflow", Reason.LOST_OVERFLOW), ("dropped_quota", "told_quota", Reason.LOST_QUOTA))
"""Counter, how much of it events have told, and their reason."""

Rows = npt.NDArray[np.integer]


class Losses:
    """Counts what was lost in the sampler's memory, and makes the events that tell of it. names: by row."""

    def __init__(self, memory: SamplerMemory, names: list[str]) -> None:
        self._memory, self._names = memory, names
        self._ring_total = -1  # the engine before this one may have left losses that nobody has booked
        self._told_at = -TELL_EVERY
        self._unasked = np.zeros(len(names), bool)
        self._asked_at = np.zeros(len(names), "i8")  # ns
        self._any_unasked = False

    def count_overflow(self, ring: EventRing) -> None:
        """Count events that found the ring full."""
        total = int(ring.head["lost"][0])
        if total == self._ring_total:
            return
        self._ring_total = total
        memory = self._memory
        lost = ring.lost.copy()
        rows = np.flatnonzero(lost != memory.ring_lost)
        count = lost[rows] - memory.ring_lost[rows]  # modulo 2**32, as the counters are
        memory.ring_lost[rows] = lost[rows]
        memory.received[rows] += count
        memory.count_dropped("dropped_overflow", rows, count)
        self._unasked[rows] = True
        self._any_unasked = self._any_unasked or len(rows) > 0

    def to_ask(self, now: int) -> Rows:
        """Rows that have lost events and were not asked again since: each at once, then at most every ASK_EVERY (now: ns)."""
        if not self._any_unasked:
            return np.empty(0, np.intp)
        rows = np.flatnonzero(self._unasked)
        since = now - self._asked_at[rows]
        due: Rows = rows[(since >= ASK_EVERY) | (since < 0)]  # before 0: the clock was set back
        self._unasked[due] = False
        self._asked_at[due] = now
        self._any_unasked = len(due) < len(rows)
        return due

    def due(self, now: int) -> list[ChannelEvent]:
        """Events of what has been lost since the last ones, when those are long enough ago (now: ns)."""
        if not self._memory.untold or 0 <= now - self._told_at < TELL_EVERY:
            return []
        self._memory.untold = False
        events = self.pop_events(np.arange(self._memory.used), now)
        if events:
            self._told_at = now
        return events

    def pop_events(self, rows: Rows, now: int) -> list[ChannelEvent]:
        """Events of all that these rows have lost and that has not been told (now: ns)."""
        return [event for drop, told, reason in _KINDS for event in self._tell(rows, drop, told, reason, now)]

    def _tell(self, rows: Rows, drop: str, told: str, reason: Reason, now: int) -> list[ChannelEvent]:
        lost, so_far = getattr(self._memory, drop), getattr(self._memory, told)
        rows = rows[lost[rows] != so_far[rows]]
        count = lost[rows] - so_far[rows]
        so_far[rows] = lost[rows]
        self._memory.touched[rows] = True
        return [
            ChannelEvent(self._names[row], now, reason, count=number)
            for row, number in zip(rows.tolist(), count.tolist(), strict=True)
            if self._names[row]
        ]
