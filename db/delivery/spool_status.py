"""What waits in the spool, counted from its files and shown in the head of the delivery block."""

from __future__ import annotations

import os
import shutil
import time
from collections import deque

import structlog

from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.mapped_file import MappedFile
from archioc.core.table.table import ProcessState
from archioc.db.delivery.quarantine import Quarantine

_log = structlog.get_logger()

COUNT_EVERY_S = 0.5
RATE_OVER_S = 5.0
_SHARE = 0.1
"""Counting a long spool may take at most this part of the time."""


class SpoolStatus:
    """Writes heartbeat, process state, write rate and the figures of the spool. One thread calls it."""

    def __init__(self, block: MappedFile, spool: SpoolDirectory) -> None:
        self._block, self._spool = block, spool
        self._quarantine = Quarantine(spool.root, spool.disk)
        self._block.head["pid"] = os.getpid()
        self._history: deque[tuple[float, int]] = deque()
        self._next_count = 0.0
        self._failing = False

    def show(self, state: ProcessState) -> None:
        """Give a sign of life; count the spool when it is time."""
        self._block.head["state"] = state
        self._block.head["heartbeat"] = time.time_ns()
        now = time.monotonic()
        if now >= self._next_count:
            try:
                self._count()
            except OSError as error:
                if not self._failing:
                    _log.warning("spool_not_counted", error=str(error))
                self._failing = True
            else:
                self._failing = False
            self._rate(now)
            self._next_count = time.monotonic() + max(COUNT_EVERY_S, (time.monotonic() - now) / _SHARE)

    def _count(self) -> None:
        # In this order a file that is claimed meanwhile is found twice, and counted once, not missed.
        found = {entry.batch_id: entry for entry in [*self._spool.waiting(), *self._spool.claimed()]}
        usage = shutil.disk_usage(self._spool.root)
        oldest = self._spool.stat(found[min(found)]).modified_ns if found else 0
        self._block.head["spool_files"] = len(found)
        self._block.head["spool_bytes"] = sum(self._spool.stat(entry).size for entry in found.values())
        floor = int(self._block.head["floor"][0])
        self._block.head["spool_samples"] = sum(entry.samples for entry in found.values() if entry.batch_id > floor)
        self._block.head["spool_oldest"] = oldest
        self._block.head["disk_free"] = usage.free / usage.total
        self._block.head["damaged"] = len(self._spool.damaged())
        self._block.head["quarantined"] = self._quarantine.count()

    def _rate(self, now: float) -> None:
        self._history.append((now, int(self._block.head["stored"][0])))
        while now - self._history[0][0] > RATE_OVER_S + COUNT_EVERY_S:
            self._history.popleft()
        (first, stored), (last, stored_now) = self._history[0], self._history[-1]
        self._block.head["write_rate"] = (stored_now - stored) / (last - first) if last > first else 0.0
