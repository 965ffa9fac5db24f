"""What happens again and again is logged now and then: a flood of requests is not to become a flood of lines."""

from __future__ import annotations

import time

PERIOD_S = 10.0


class Seldom:
    """Lets one line through in PERIOD_S, with the number of times that it stands for."""

    def __init__(self) -> None:
        self._times = 0
        self._told_at: float | None = None

    def times(self) -> int:
        """It has happened once more: how often since the last line if it is time for one, else 0."""
        self._times += 1
        now = time.monotonic()
        if self._told_at is not None and now - self._told_at < PERIOD_S:
            return 0
        self._told_at = now
        told, self._times = self._times, 0
        return told
