"""Channels that libca is to look for: new ones as soon as the drain allows, others when their time has come.

libca by itself looks again every 10 s for what it has lost, and for what a server refuses (`disconnectGovernorTimer.cpp`). Here a
lost channel is looked for sooner, and one that is refused again and again later. Each channel waits once, whatever happens to it.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection

import numpy as np
import numpy.typing as npt

from archioc.engine.ca.channel_access import ChannelAccess

CREATE_AT_ONCE = 500
"""Channels made between two drains, so that a large start does not hold up the drain."""

SECOND = 1_000_000_000
SEARCH_AGAIN_NS = SECOND
"""From the loss of a server to our search for it; twice as long after each connection that did not last LASTING_NS."""
LIBCA_NS = LASTING_NS = 10 * SECOND
"""What waits so long is left to libca."""

REFUSALS_LEFT_TO_LIBCA = 3
"""A server that refuses a channel may be about to have it; after so many times in a row libca lets go of the channel for a while."""
HELD_NS, HELD_AT_MOST_NS = 20 * SECOND, 60 * SECOND
"""For how long first, and after each further refusal twice as long, up to how long."""
REFUSED_FOR_NS = 2 * HELD_AT_MOST_NS
"""What was refused so long ago and not again is not refused any more: the server that did has gone."""

Rows = npt.NDArray[np.integer]


class Searches:
    """Who waits to be looked for. names, generation: by row. refused: rows that a server has found but does not serve."""

    def __init__(self, access: ChannelAccess, names: list[str], generation: npt.NDArray[np.uint32]) -> None:
        self._access, self._names, self._generation = access, names, generation
        self.refused = np.zeros(len(names), bool)
        self._refusals = np.zeros(len(names), "u2")  # in a row
        self._refused_at = np.zeros(len(names), "i8")  # ns
        self._short = np.zeros(len(names), "u1")  # connections in a row that did not last
        self._connected_at = np.zeros(len(names), "i8")  # ns
        self._new: dict[int, None] = {}  # in the order of arrival
        self._held: set[int] = set()
        self._due: dict[int, int] = {}  # row: when its time has come (ns)
        self._next: list[tuple[int, int]] = []  # a heap of the same; entries that `_due` does not know are of no effect

    def add(self, rows: Rows) -> None:
        """These channels are new."""
        self.forget(rows)
        self._new.update(dict.fromkeys(rows.tolist()))

    def forget(self, rows: Rows) -> None:
        """These rows have no channel any more, or another one."""
        self.refused[rows] = False
        self._refusals[rows] = self._short[rows] = self._connected_at[rows] = 0
        for row in rows.tolist():
            self._new.pop(row, None)
            self._due.pop(row, None)
            self._held.discard(row)

    def connect(self, rows: Rows, time_ns: int) -> None:
        """These channels have connected at this time."""
        self.refused[rows] = False
        self._refusals[rows] = 0
        self._connected_at[rows] = time_ns
        if self._due:
            for row in rows.tolist():
                self._due.pop(row, None)

    def lose(self, rows: Rows, time_ns: int) -> None:
        """These channels have lost their server at this time."""
        lasted = time_ns - self._connected_at[rows] >= LASTING_NS
        self._short[rows] = np.where(lasted, 0, np.minimum(self._short[rows] + 1, 8))
        for row, short in zip(rows.tolist(), self._short[rows].tolist(), strict=True):
            wait = SEARCH_AGAIN_NS << max(short - 1, 0)
            if wait < LIBCA_NS:
                self._wait(row, time_ns + wait)

    def refuse(self, rows: Rows, time_ns: int) -> Rows:
        """A server has answered the searches for these channels, and then refused to serve them, at this time; those refused since now."""
        rows = rows[[row not in self._new and row not in self._held for row in rows.tolist()]]
        self._refusals[rows] = np.minimum(self._refusals[rows] + 1, 1000)
        self._refused_at[rows] = time_ns
        news: Rows = rows[~self.refused[rows]]
        self.refused[rows] = True
        for row, refusals in zip(rows.tolist(), self._refusals[rows].tolist(), strict=True):
            if refusals >= REFUSALS_LEFT_TO_LIBCA:
                held = min(HELD_NS << min(refusals - REFUSALS_LEFT_TO_LIBCA, 8), HELD_AT_MOST_NS)
                self._access.clear(self._names[row])
                self._held.add(row)
                self._wait(row, time_ns + held + held * (row * 37 % 64) // 256)  # not all of them at once
            else:
                self._due.pop(row, None)
        return news

    def end_refusals(self, now: int) -> Rows:
        """Rows of which no refusal has come for long (now: ns): no server answers for them any more."""
        rows: Rows = np.flatnonzero(self.refused)
        rows = rows[np.abs(now - self._refused_at[rows]) > REFUSED_FOR_NS]
        self.refused[rows] = False
        self._refusals[rows] = 0
        return rows

    def is_new(self, row: int) -> bool:
        """Whether libca does not know this channel now."""
        return row in self._new or row in self._held

    def begin_some(self, now: int, leaving: Collection[int]) -> list[int]:
        """Have libca look for some of those that wait: the new ones, or else those whose time has come (now: ns).

        leaving: rows of removed channels. The rows given back have names that libca refuses.
        """
        self._take_due(now)
        refused = []
        for row in [row for row, _ in zip(self._new, range(CREATE_AT_ONCE), strict=False)]:
            del self._new[row]
            generation = int(self._generation[row])
            if generation and row not in leaving and not self._access.create(self._names[row], row, generation):
                refused.append(row)
        return refused

    def _wait(self, row: int, due: int) -> None:
        self._due[row] = due
        heapq.heappush(self._next, (due, row))

    def _take_due(self, now: int) -> None:
        for _ in range(min(CREATE_AT_ONCE, len(self._next))):
            due, row = self._next[0]
            if now < due <= now + 2 * HELD_AT_MOST_NS:  # later than that: the clock was set back
                return
            heapq.heappop(self._next)
            if self._due.get(row) != due:
                continue
            del self._due[row]
            if row in self._held:
                self._held.remove(row)
                self._new[row] = None
            else:
                self._access.search_again(self._names[row])
