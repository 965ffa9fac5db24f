"""The audit of puts on its way from the registry to the store: with the next batch, as all that the store gets.

The file `audit_sent` tells what has been committed to the spool. It is written after the batch, so that a kill in between sends
entries once more, which changes nothing in a store.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
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
"""Entries of either kind in one batch."""


@dataclass(frozen=True, slots=True)
class AuditPosition:
    """Numbers of the last entries of the registry that are in the spool or beyond: of puts that were carried out, of refused ones."""

    audit: int = 0
    refused: int = 0


class AuditSentFile:
    """JSON: an AuditPosition; a number alone (written before refused puts had a table of their own) is that of `audit`."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._path = path
        self._disk: Disk = disk or OsDisk()

    def read(self) -> AuditPosition:
        """The beginning, all is to be sent, when there is no file, or none that can be read."""
        try:
            found = orjson.loads(self._disk.read(self._path))
            if isinstance(found, dict):
                return AuditPosition(int(found["audit"]), int(found["refused"]))
            return AuditPosition(int(found))
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            return AuditPosition()

    def write(self, position: AuditPosition) -> None:
        """Replace the file durably. Raises OSError."""
        replace_durably(self._disk, self._path, orjson.dumps(position))


class AuditTrail:
    """Entries that are to be sent. sent: which have been.

    Of refused puts there are at most 200 entries a minute (`archioc.ioc.registry.refused_puts`), once the minute is over.
    """

    def __init__(self, registry: RegistryReader, sent: AuditPosition) -> None:
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
            done, last = self._registry.audit_after(self._last.audit, MOST_AT_ONCE)
            refused, last_refused = self._registry.refused_after(self._last.refused, time.time_ns(), MOST_AT_ONCE)
        except RegistryError as error:  # samples go on; what is in the registry stays there
            if not self._failing:
                _log.error("audit_not_read", error=str(error))
            self._failing = True
            return
        self._failing = False
        self._found, self._last = [*done, *refused], AuditPosition(last, last_refused)
        if MOST_AT_ONCE in {len(done), len(refused)}:
            self._look_at = now

    def send_again(self) -> None:
        """Batches were dropped, and entries may have been in them: all that the registry has goes once more."""
        self._found, self._last = [], AuditPosition()

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return bool(self._found)

    def pop(self) -> tuple[tuple[AuditRecord, ...], AuditPosition]:
        """The entries to be sent, and which have been once these are."""
        found, self._found = tuple(self._found), []
        return found, self._last
