"""Log lines about what may happen thousands of times a second."""

from __future__ import annotations

import time
from collections import defaultdict

import structlog

_log = structlog.get_logger()

PERIOD_S = 10.0


class Occurrences:
    """Allows one log line in PERIOD_S, and counts the times that it stands for."""

    def __init__(self) -> None:
        self._times = 0
        self._logged_at: float | None = None

    def times(self) -> int:
        """Count one more time; the number of times since the last line where a line is due, otherwise 0."""
        self._times += 1
        now = time.monotonic()
        if self._logged_at is not None and now - self._logged_at < PERIOD_S:
            return 0
        self._logged_at = now
        times, self._times = self._times, 0
        return times


class RateLimitedLog:
    """Logs warnings and errors, each event once in PERIOD_S with the number of times (`times`); the other words are those of the newest."""

    def __init__(self) -> None:
        self._occurrences: defaultdict[str, Occurrences] = defaultdict(Occurrences)

    def warning(self, event: str, **words: object) -> None:
        """Something has gone wrong that others may bring about as often as they like."""
        if times := self._occurrences[event].times():
            _log.warning(event, **words, times=times)

    def error(self, event: str, **words: object) -> None:
        """The same for faults of our own."""
        if times := self._occurrences[event].times():
            _log.error(event, **words, times=times)
