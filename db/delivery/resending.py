"""Sending again what the store has acknowledged, from `delivered/`, one batch at a time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

import structlog

from archioc.core.errors import SpoolFileDamaged
from archioc.core.spool.addresses import Addresses
from archioc.core.spool.delivered import DeliveredBatch, DeliveredBatches
from archioc.core.spool.spool import SpoolFile
from archioc.db.store import Writer

_log = structlog.get_logger()


class Resending:
    """Batches that wait to be sent again. `sent`: those that were, since `forget_sent`."""

    def __init__(self, store: Writer, kept: DeliveredBatches, addresses: Addresses) -> None:
        self._store, self._kept, self._addresses = store, kept, addresses
        self._waiting: deque[DeliveredBatch] = deque()
        self.sent: list[DeliveredBatch] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, batches: Iterable[DeliveredBatch]) -> None:
        """Have these sent again, after those that wait."""
        self._waiting.extend(batches)

    def clear(self) -> None:
        """Nothing waits any more."""
        self._waiting.clear()
        self.sent = []

    def step(self) -> None:
        """Send the next one, counting nothing. Raises StoreUnavailable, StoreDenied or OSError."""
        batch = self._waiting.popleft()
        file = self.read(batch)
        if file is None:
            return
        outcome = self._store.write(file)
        if outcome.remark:
            _log.warning("resend_refused_in_part", batch=batch.batch_id, why=outcome.remark)
        self.sent.append(self._kept.renew(batch, time.time_ns()))

    def read(self, batch: DeliveredBatch) -> SpoolFile | None:
        """A kept batch for this store; None when it has gone, is damaged, or is for another. Raises OSError."""
        try:
            file = self._kept.read(batch)
        except SpoolFileDamaged as error:
            _log.error("delivered_batch_damaged", why=error.why, batch=batch.batch_id)
            return None
        if file is None or not self._addresses.leads_to(file.destination, self._store.destination):
            return None
        return file
