"""A long range in parts, each with about as many samples as fit into memory easily."""

from __future__ import annotations

from archioc.cli.selection import Span

FIRST_NS = 3600 * 10**9
FEW, MANY = 50_000, 400_000
"""A part with fewer samples is followed by one four times as long, one with more by one a quarter as long."""

_SHORTEST_NS = 10**9


class Windows:
    """Parts of a range, one after the other; how long the next is follows from how much was in the one before."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._next_ns = span.start_ns
        self._width_ns = FIRST_NS

    def pop(self) -> Span | None:
        """The next part; None when all were taken."""
        if self._next_ns > self._span.end_ns:
            return None
        begin = self._next_ns
        end = min(begin + self._width_ns - 1, self._span.end_ns)
        self._next_ns = end + 1
        return Span(begin, end)

    def saw(self, samples: int) -> None:
        """So many samples were in the part taken last."""
        if samples < FEW:
            self._width_ns *= 4
        elif samples > MANY:
            self._width_ns = max(self._width_ns // 4, _SHORTEST_NS)

    @property
    def done(self) -> float:
        """How much of the range was taken, 0 to 1."""
        whole = self._span.end_ns + 1 - self._span.start_ns
        return (self._next_ns - self._span.start_ns) / whole
