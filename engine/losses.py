"""Updates that found the ring full, told in an event at most once a second a channel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

PERIOD_NS = 1_000_000_000

Rows = npt.NDArray[np.integer]


class Losses:
    """Counted per row until they are told. Without a pause, an array that is lost each time would be told and asked for each time."""

    def __init__(self, rows: int) -> None:
        self._untold = np.zeros(rows, "i8")
        self._told_at = np.zeros(rows, "i8")
        self._any = False

    def add(self, rows: Rows, count: npt.NDArray[np.integer]) -> None:
        """So many updates of these rows were lost."""
        self._untold[rows] += count
        self._any = self._any or len(rows) > 0

    def due(self, now: int, *, all_of_them: bool = False) -> tuple[Rows, npt.NDArray[np.int64]]:
        """Rows whose losses are to be told now (ns), and how many updates these are: at once, then once a second."""
        if not self._any:
            return np.empty(0, np.intp), np.empty(0, "i8")
        rows = np.flatnonzero(self._untold)
        since = now - self._told_at[rows]
        due = rows[(since >= PERIOD_NS) | (since < 0) | all_of_them]  # before 0: the clock was set back
        count = self._untold[due]
        self._untold[due] = 0
        self._told_at[due] = now
        self._any = len(due) < len(rows)
        return due, count
