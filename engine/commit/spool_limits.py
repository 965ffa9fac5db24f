"""Whether the spool may grow: the limits of its size and of the disk."""

from __future__ import annotations

import time

from archioc.core.config.config import Spool
from archioc.core.spool.spool import SpoolDirectory, SpoolEntry

RECOUNT_S = 10.0
"""How old a count of the spool may get while it shows room; the writer removes files meanwhile."""
SHARE = 0.1
"""When the spool seems to be full it is counted again and again, in at most this part of the time."""


class SpoolLimits:
    """Room of one spool against `max_bytes` and `min_free`. Methods may raise OSError."""

    def __init__(self, spool: SpoolDirectory, config: Spool) -> None:
        self._spool, self._config = spool, config
        self._bytes, self._counted_at, self._took = 0, float("-inf"), 0.0
        self._waiting: list[SpoolEntry] = []

    def fits(self, wanted: int) -> bool:
        """Whether `wanted` more bytes keep to the limits. Where they do not, the count is hardly older than it took to make."""
        self._recount(RECOUNT_S)
        return self._within(wanted) or (self._recount(self._took / SHARE) and self._within(wanted))

    def fits_now(self, wanted: int) -> bool:
        """Whether `wanted` more bytes keep to the limits, by a count made for this question."""
        return self._recount(0.0) and self._within(wanted)

    def could_ever_fit(self, wanted: int) -> bool:
        """Whether so many bytes would fit into an empty spool."""
        return wanted <= self._config.max_bytes

    def disk_is_short(self, wanted: int) -> bool:
        """Whether `wanted` more bytes would leave less of the disk free than `min_free`."""
        return self._spool.free_bytes() - wanted < self._config.min_free

    def add(self, entry: SpoolEntry, size: int) -> None:
        """A file of this size has been published."""
        self._waiting.append(entry)
        self._bytes += size

    def oldest(self) -> list[SpoolEntry]:
        """Files that waited when the spool was last counted or were published since, oldest first; some may have gone."""
        return self._waiting

    def drop(self, entry: SpoolEntry, size: int) -> None:
        """A file of this size has been dropped."""
        self._waiting.remove(entry)
        self._bytes -= size

    def _within(self, wanted: int) -> bool:
        return self._bytes + wanted <= self._config.max_bytes and not self.disk_is_short(wanted)

    def _recount(self, older_than: float) -> bool:
        """Count anew what was counted so long ago; whether that was due."""
        began = time.monotonic()
        if began - self._counted_at < older_than:
            return False
        self._waiting = self._spool.waiting()
        self._bytes = sum(self._spool.stat(entry).size for entry in (*self._waiting, *self._spool.claimed()))
        self._counted_at = time.monotonic()
        self._took = self._counted_at - began
        return True
