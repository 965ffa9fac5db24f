"""In which order spool files are sent: the oldest first, and where many wait, new ones between them.

What waits when delivery begins, or begins again after a failure, is the backlog. What is committed
since is live, and goes before the backlog, so that readers see what happens now while the backlog
drains with what the store has left; it is never left without a share. Live files that pile up because
the store cannot follow join the backlog.
"""

from __future__ import annotations

import time
from collections import deque

from archioc.core.spool.spool import SpoolDirectory, SpoolEntry

LOOK_S = 0.2
"""Time between two looks for live files while a backlog drains."""
_SHARE = 0.2
"""Looking may take at most this part of the time; it takes longer the longer the spool is."""

LIVE_AT_MOST = 4
"""Live files that may wait; at the usual commit interval the oldest of these is 2 s old."""
LIVE_IN_A_ROW = 3
"""After so many live files one of the backlog is sent."""


class DeliveryOrder:
    """Chooses the next of the waiting files. Its methods may raise OSError."""

    def __init__(self, spool: SpoolDirectory) -> None:
        self._spool = spool
        self._backlog: deque[SpoolEntry] = deque()
        self._live: deque[SpoolEntry] = deque()
        self._backlog_ends: int | None = None
        self._in_a_row = 0
        self._look_at = float("-inf")
        self._passed_over: dict[int, str] = {}

    @property
    def passed_over(self) -> dict[int, str]:
        """Destination of each waiting file that is not to be sent now, by batch id."""
        return self._passed_over

    def next(self) -> SpoolEntry | None:
        """The file to send now, None when none waits. It may have gone meanwhile."""
        if not (self._backlog or self._live) or time.monotonic() >= self._look_at:
            self._look()
        if self._live and not (self._backlog and self._in_a_row >= LIVE_IN_A_ROW):
            self._in_a_row += 1
            return self._live.popleft()
        self._in_a_row = 0
        return self._backlog.popleft() if self._backlog else None

    def begin_anew(self) -> None:
        """Delivery has failed: all that waits by the time it goes on is backlog."""
        self._backlog.clear()
        self._live.clear()
        self._backlog_ends = None

    def pass_over(self, entry: SpoolEntry, destination: str) -> None:
        """Leave a file that is for another store where it is."""
        self._passed_over[entry.batch_id] = destination

    def look_again(self) -> None:
        """Files that were passed over may be for this store now."""
        self._passed_over.clear()
        self._look_at = float("-inf")

    def _look(self) -> None:
        began = time.monotonic()
        waiting = self._spool.waiting()
        if self._passed_over:
            present = {entry.batch_id for entry in waiting}
            self._passed_over = {batch_id: to for batch_id, to in self._passed_over.items() if batch_id in present}
            waiting = [entry for entry in waiting if entry.batch_id not in self._passed_over]
        ends = self._backlog_ends
        if ends is None:
            ends = waiting[-1].batch_id if waiting else -1
        live = [entry for entry in waiting[-LIVE_AT_MOST:] if entry.batch_id > ends]
        backlog = waiting[: len(waiting) - len(live)]
        self._backlog_ends = max(ends, backlog[-1].batch_id) if backlog else ends
        self._backlog, self._live = deque(backlog), deque(live)
        now = time.monotonic()
        self._look_at = now + max(LOOK_S, (now - began) / _SHARE)
