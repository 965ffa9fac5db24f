"""How many samples of the last hour were found in the store once, by parts: later the store must have as many in all."""

from __future__ import annotations

from collections import deque

from archioc.db.store import Lacking

LONGEST_NS = 3_000 * 10**9
"""Parts that began longer ago do not count any more: the shortest retention is an hour."""
MOST_SAMPLES = 2_000_000
"""More are not counted again and again: the server looks at each."""


class Tally:
    """Parts that were complete when they were checked. They share no samples."""

    def __init__(self) -> None:
        self._parts: deque[Lacking] = deque()

    def clear(self) -> None:
        """Nothing is known any more."""
        self._parts.clear()

    def add(self, found: Lacking) -> None:
        """A part was found to be complete."""
        if found.expected:
            self._parts.append(found)

    def span(self, now_ns: int) -> tuple[int, int, int] | None:
        """First and last time (ns) of what counts now, and how many samples the store must have between them; None when nothing counts."""
        parts = self._parts
        while parts and (parts[0].start_ns < now_ns - LONGEST_NS or sum(part.expected for part in parts) > MOST_SAMPLES):
            parts.popleft()
        if not parts:
            return None
        return min(part.start_ns for part in parts), max(part.end_ns for part in parts), sum(part.expected for part in parts)
