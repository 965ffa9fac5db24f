"""Delivery: from the spool to the store, in the order of `db.delivery_order`, each sample counted once.

Order of acts for a file: claim, write, (store acknowledges,) journal, book, unlink. A kill before the
journal means that the file is sent again, which changes nothing in the store and has not been
counted; a kill after it means that the booking is completed from the journal and the file not sent
again.
"""

from __future__ import annotations

import errno
import random
import time

import structlog

from archioc.core.errors import SpoolFileDamaged, StoreDenied, StoreUnavailable
from archioc.core.process import StopSignal
from archioc.core.spool import SpoolDirectory, SpoolEntry, SpoolFile
from archioc.core.table import StoreState
from db.book import DeliveryBook
from db.delivery_order import DeliveryOrder
from db.quarantine import Quarantine
from db.retries import Retries
from db.store import WriteOutcome, Writer
from db.store_status import StoreStatus

_log = structlog.get_logger()

IDLE_S = 0.05
"""Between two looks into an empty spool."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LONGEST_RETRY_AFTER_S = 300.0
"""A server that asks for more is asked again all the same."""

READ_ATTEMPTS = 3
"""A file that the disk cannot read (EIO) so often is damaged."""

DRAIN_S = 5.0
"""How long delivery goes on when it is told to stop."""


def pause_after(failures: int, retry_after: float | None) -> float:
    """How long to wait (s) after so many failures in a row: doubling, with jitter, not before the server wants it."""
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16))
    wished = min(retry_after or 0.0, LONGEST_RETRY_AFTER_S)
    return max(longest * random.uniform(0.5, 1.0), wished)


class Delivery:
    """Takes files from a spool to a store. One thread runs it."""

    def __init__(self, spool: SpoolDirectory, store: Writer, book: DeliveryBook, status: StoreStatus) -> None:
        self._spool, self._store, self._book, self._status = spool, store, book, status
        self._order = DeliveryOrder(spool)
        self._unreadable: tuple[int, int] = (0, 0)  # batch id, how often in a row
        self._quarantine = Quarantine(spool.root, spool.disk)
        self._retries = Retries(self._quarantine, store, book)
        self._prepared = False
        self._tidy = False

    def run(self, stop: StopSignal) -> None:
        """Deliver until told to stop, then for at most DRAIN_S while the store answers."""
        failures = 0
        while not stop:
            try:
                worked = self.step()
            except (StoreUnavailable, StoreDenied, OSError) as error:
                failures += 1
                self._failed(error)
                stop.wait(pause_after(failures, getattr(error, "retry_after", None)))
                continue
            failures = 0
            if not worked:
                stop.wait(IDLE_S)
        if not failures:
            self._drain(time.monotonic() + DRAIN_S)

    def step(self) -> bool:
        """Deliver one file; False when there is none. Raises StoreUnavailable, StoreDenied or OSError."""
        if not self._tidy:
            self._tidy_up()
        if not self._prepared:
            self._store.prepare()
            self._prepared = True
        entry = self._order.next()
        if entry is None:
            self._status.answered(self._remark())
            return self._retry()
        claimed = self._spool.claim(entry)
        if claimed is not None:
            self._tidy = False
            self._deliver(claimed)
            self._tidy = True
        return True

    def _retry(self) -> bool:
        self._tidy = False
        worked = self._retries.step()
        self._tidy = True
        return worked

    def _drain(self, until: float) -> None:
        try:
            while time.monotonic() < until and self.step():
                pass
        except (StoreUnavailable, StoreDenied, OSError) as error:
            self._failed(error)

    def _tidy_up(self) -> None:
        """Settle what an earlier process, or a failing disk, has left claimed."""
        for entry in self._spool.claimed():
            if self._book.finish(entry.batch_id):
                self._let_go(entry)
        self._retries.finish_booked()
        returned = self._spool.return_claimed()
        if returned:
            _log.info("spool_files_put_back", files=returned)
        self._order.begin_anew()
        self._tidy = True

    def _let_go(self, claimed: SpoolEntry) -> None:
        try:
            self._spool.read(claimed)
        except SpoolFileDamaged:
            self._spool.set_aside(claimed)
        else:
            self._spool.remove(claimed)

    def _deliver(self, claimed: SpoolEntry) -> None:
        try:
            file = self._read(claimed)
        except SpoolFileDamaged as error:
            self._book.book_lost(claimed.batch_id, claimed.samples)
            kept = self._spool.set_aside(claimed)
            _log.error("spool_file_damaged", why=error.why, samples=claimed.samples, kept=str(kept))
            return
        if file.destination != self._store.destination:
            self._skip(file, claimed)
            return
        started = time.monotonic()
        try:
            outcome = self._store.write(file)
            if outcome.events:
                self._store.write_events(outcome.events)
        except (StoreUnavailable, StoreDenied):
            self._spool.put_back(claimed)
            raise
        took = time.monotonic() - started
        self._settle(file, outcome, claimed)
        self._status.wrote(took, file.committed_ns, outcome, self._remark())

    def _read(self, claimed: SpoolEntry) -> SpoolFile:
        """The content of a file. Raises SpoolFileDamaged, also for one that the disk cannot give back again and again."""
        try:
            return self._spool.read(claimed)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            batch_id, times = self._unreadable
            self._unreadable = (claimed.batch_id, times + 1 if batch_id == claimed.batch_id else 1)
            if self._unreadable[1] < READ_ATTEMPTS:
                raise
            raise SpoolFileDamaged(claimed.path, str(error)) from None

    def _settle(self, file: SpoolFile, outcome: WriteOutcome, claimed: SpoolEntry) -> None:
        if outcome.remark:
            _log.error("store_rejected_samples", batch=file.batch_id, rejected=int(outcome.rejected.sum()), why=outcome.remark)
        if outcome.refusals:
            self._quarantine.keep(file, outcome)
        self._book.book(file, outcome.rejected)
        self._spool.remove(claimed)

    def _skip(self, file: SpoolFile, claimed: SpoolEntry) -> None:
        self._spool.put_back(claimed)
        if file.destination not in self._order.passed_over.values():
            _log.warning("spool_files_for_another_store", theirs=file.destination, ours=self._store.destination, first_batch=file.batch_id)
        self._order.pass_over(claimed, file.destination)

    def _remark(self) -> str:
        """What a person should know although the store takes samples."""
        return "; ".join(filter(None, (self._store.warning, self._waits_for_others())))

    def _waits_for_others(self) -> str:
        foreign = self._order.passed_over
        if not foreign:
            return ""
        return f"{len(foreign)} spool files are for another store: {', '.join(sorted(set(foreign.values())))}"

    def _failed(self, error: StoreUnavailable | StoreDenied | OSError) -> None:
        self._prepared = False
        self._order.begin_anew()
        if isinstance(error, OSError):
            self._status.spool_failed(str(error))
        else:
            self._status.failed(StoreState.DENIED if isinstance(error, StoreDenied) else StoreState.UNREACHABLE, str(error))
