"""Channels that libca is to look for: new ones as soon as the drain allows, ones that have lost their server after a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from archioc.engine.ca.channel_access import ChannelAccess

CREATE_AT_ONCE = 500
"""Channels made between two drains, so that a large start does not hold up the drain."""

SEARCH_AGAIN_NS = 1_000_000_000
"""From the loss of a server to our search for it: a server that drops its clients again and again is asked once a second."""

Rows = npt.NDArray[np.integer]


class Searches:
    """Queues of rows; each holds a row no more often than it has been added or lost. names, generation: by row."""

    def __init__(self, access: ChannelAccess, names: list[str], generation: npt.NDArray[np.uint32]) -> None:
        self._access, self._names, self._generation = access, names, generation
        self._new: deque[int] = deque()
        self._lost: deque[tuple[int, int]] = deque()  # row, when it is due (ns)

    def add(self, rows: Rows) -> None:
        """These channels are new."""
        self._new.extend(rows.tolist())

    def lose(self, rows: Rows, time_ns: int) -> None:
        """These channels have lost their server at this time."""
        self._lost.extend((row, time_ns + SEARCH_AGAIN_NS) for row in rows.tolist())

    def is_new(self, row: int) -> bool:
        """Whether libca has not been told of this channel yet."""
        return row in self._new

    def begin_some(self, now: int, leaving: Collection[int]) -> list[int]:
        """Have libca look for some of those that wait: the new ones, or else those lost a while ago (now: ns).

        leaving: rows of removed channels. The rows given back have names that libca refuses.
        """
        if not self._new:
            self._begin_lost(now)
            return []
        refused = []
        for _ in range(min(CREATE_AT_ONCE, len(self._new))):
            row = self._new.popleft()
            generation = int(self._generation[row])
            if generation and row not in leaving and not self._access.create(self._names[row], row, generation):
                refused.append(row)
        return refused

    def _begin_lost(self, now: int) -> None:
        for _ in range(min(CREATE_AT_ONCE, len(self._lost))):
            row, due = self._lost[0]
            if now < due <= now + SEARCH_AGAIN_NS:  # later than that: the clock was set back
                return
            self._lost.popleft()
            self._access.search_again(self._names[row])
