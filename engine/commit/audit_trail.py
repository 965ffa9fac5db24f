"""The audit of puts on its way from the registry to the store: with the next batch, as all that the store gets.

The file `audit_sent` tells what has been committed to the spool. It is written after the batch, so that a kill in between sends
entries once more, which changes nothing in a store.
"""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import structlog

from archioc.core.audit import AuditRecord
from archioc.core.errors import RegistryError
from archioc.core.registry import RegistryReader
from archioc.core.spool.disk import Disk, OsDisk
from archioc.engine.channels.open_gaps import replace_durably

_log = structlog.get_logger()

LOOK_EVERY_S = 1.0
MOST_AT_ONCE = 1000
"""Entries in one batch."""


class AuditSentFile:
    """JSON: the number of the last entry of the registry's audit that is in the spool or beyond."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._path = path
        self._disk: Disk = disk or OsDisk()

    def read(self) -> int:
        """0, all is to be sent, when there is no file, or none that can be read."""
        try:
            return int(orjson.loads(self._disk.read(self._path)))
        except (FileNotFoundError, TypeError, ValueError):
            return 0

    def write(self, entry: int) -> None:
        """Replace the file durably. Raises OSError."""
        replace_durably(self._disk, self._path, orjson.dumps(entry))


class AuditTrail:
    """Entries that are to be sent. sent: number of the last one that has been."""

    def __init__(self, registry: RegistryReader, sent: int) -> None:
        self._registry, self._last = registry, sent
        self._found: list[AuditRecord] = []
        self._look_at = float("-inf")
        self._failing = False

    def poll(self) -> None:
        """See whether the registry has new ones, now and then, and not while some wait to be taken."""
        now = time.monotonic()
        if self._found or now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY_S
        try:
            self._found, self._last = self._registry.audit_after(self._last, MOST_AT_ONCE)
        except RegistryError as error:  # samples go on; what is in the registry stays there
            if not self._failing:
                _log.error("audit_not_read", error=str(error))
            self._failing = True
            return
        self._failing = False
        if len(self._found) == MOST_AT_ONCE:
            self._look_at = now

    def send_again(self) -> None:
        """Batches were dropped, and entries may have been in them: all that the registry has goes once more."""
        self._found, self._last = [], 0

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._found)

    def pop(self) -> tuple[tuple[AuditRecord, ...], int]:
        """The entries to be sent, and the number of the last."""
        found, self._found = tuple(self._found), []
        return found, self._last
