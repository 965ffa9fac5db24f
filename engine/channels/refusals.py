"""Channels whose values are not taken although somebody could send them, and why."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.core.events import ChannelEvent, Reason
from archioc.engine.channels.gaps import Gaps

Rows = npt.NDArray[np.integer]


FOR_GOOD = 2**63 - 1
"""As a time of refusal: no value comes later."""


class Refusals:
    """Who is refused since when. Each refusal is one event at its beginning; the next value that is taken ends it."""

    def __init__(self, gaps: Gaps, names: list[str]) -> None:
        self._gaps, self._names = gaps, names
        self._refused: dict[int, tuple[int, str]] = {}

    def __bool__(self) -> bool:
        return bool(self._refused)

    def __contains__(self, row: int) -> bool:
        return row in self._refused

    def why(self, row: int) -> str:
        """Why values of this channel are refused; empty where they are not."""
        return self._refused[row][1] if row in self._refused else ""

    def begin(self, row: int, time_ns: int, why: str) -> None:
        """Values of this channel are refused, last at this time (ns)."""
        known = self._refused.get(row)
        if known is None:
            self._tell(row, time_ns, why)
        if known is None or known[0] != FOR_GOOD:
            self._refused[row] = (time_ns, why)

    def begin_for_good(self, row: int, time_ns: int, why: str) -> None:
        """Values of this channel are refused from this time (ns) on, until it is forgotten; an event, whatever was told before."""
        known = self._refused.get(row)
        if known is None or known[1] != why:
            self._tell(row, time_ns, why)
        self._refused[row] = (FOR_GOOD, why)

    def _tell(self, row: int, time_ns: int, why: str) -> None:
        self._gaps.end_wait(row, time_ns)
        self._gaps.events.append(ChannelEvent(self._names[row], time_ns, Reason.REJECTED, text=why))

    def end(self, rows: Rows, times: npt.NDArray[np.int64]) -> Rows:
        """Values received at these times (ns) were taken: rows whose refusal was before, which is over now."""
        if not self._refused:
            return np.empty(0, np.intp)
        newest = zip(rows.tolist(), times.tolist(), strict=True)
        over = [row for row, time in newest if row in self._refused and self._refused[row][0] < time]
        self.forget(over)
        return np.array(over, np.intp)

    def forget(self, rows: list[int]) -> None:
        """What was told of these channels holds no longer."""
        for row in rows:
            self._refused.pop(row, None)

    def among(self, rows: Rows) -> list[tuple[int, bytes]]:
        """Which of these rows are refused: their index in `rows`, and why, in at most 64 bytes."""
        if not self._refused:
            return []
        found = ((at, self._refused.get(row)) for at, row in enumerate(rows.tolist()))
        return [(at, refused[1].encode()[:64]) for at, refused in found if refused is not None]
