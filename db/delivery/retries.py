"""Entries of the quarantine that somebody wants to be sent once more.

Order of acts: write, (the store answers,) keep what it refuses again, journal, book, unlink. A kill
before the journal means that the entry is sent again, which changes nothing in the store; a kill
after it, that the booking is completed and the entry not sent again.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from archioc.core.errors import QuarantineError
from archioc.core.spool.addresses import Addresses
from archioc.db.delivery.delivery_counters import DeliveryCounters
from archioc.db.delivery.quarantine import Quarantine, QuarantineEntry, request_of
from archioc.db.store import Writer

_log = structlog.get_logger()


class Retries:
    """Sends them. To be called by the thread that books."""

    def __init__(self, quarantine: Quarantine, store: Writer, book: DeliveryCounters, addresses: Addresses) -> None:
        self._quarantine, self._store, self._book, self._addresses = quarantine, store, book, addresses

    def step(self) -> bool:
        """Send the oldest; False when there is none. Raises StoreUnavailable, StoreDenied or OSError.

        After an error `finish_booked` comes first.
        """
        waiting = self._quarantine.waiting()
        if not waiting:
            return False
        path = waiting[0]
        try:
            entry = self._quarantine.read(path)
        except QuarantineError as error:
            _log.error("retry_not_possible", error=str(error), kept=str(self._quarantine.put_back(path)))
            return True
        self._addresses.refresh()
        if not self._addresses.leads_to(entry.destination, self._store.destination):
            kept = self._quarantine.put_back(path)
            _log.error("retry_not_possible", error=f"made for another store: {entry.destination}", kept=str(kept))
            return True
        self._send(path, entry)
        return True

    def finish_booked(self) -> None:
        """Settle what an earlier process, or a failing disk, has left booked but not removed."""
        for path in self._quarantine.waiting():
            if self._book.finish(-request_of(path)):
                self._quarantine.remove(path)

    def _send(self, path: Path, entry: QuarantineEntry) -> None:
        file = entry.spool_file()
        outcome = self._store.write(file)
        if outcome.refusals:
            self._quarantine.keep(file, outcome)
        stored = file.counts["samples"] - outcome.rejected
        _log.info("retried", batch=entry.batch_id, stored=int(stored.sum()), refused=int(outcome.kept.sum()), why=outcome.remark)
        self._book.rebook(-request_of(path), file.counts, stored)
        self._quarantine.remove(path)
