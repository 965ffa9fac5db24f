"""Delivery: from the spool to the store, oldest first, each sample counted once.

Order of acts for a file: claim, write, (store acknowledges,) journal, book, unlink. A kill before the
journal means that the file is sent again, which changes nothing in the store and has not been
counted; a kill after it means that the booking is completed from the journal and the file not sent
again.
"""

from __future__ import annotations

import random
import time
from collections import deque
from pathlib import Path

import structlog

from archioc.core.errors import SpoolFileDamaged, StoreDenied, StoreUnavailable
from archioc.core.process import StopSignal
from archioc.core.spool import SpoolDirectory, SpoolEntry, SpoolFile, read_spool_file
from archioc.core.table import StoreState
from db.book import DeliveryBook
from db.quarantine import Quarantine
from db.retries import Retries
from db.store import Store, WriteOutcome
from db.store_status import StoreStatus

_log = structlog.get_logger()

IDLE_S = 0.05
"""Between two looks into an empty spool."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LONGEST_RETRY_AFTER_S = 300.0
"""A server that asks for more is asked again all the same."""

DRAIN_S = 5.0
"""How long delivery goes on when it is told to stop."""


def pause_after(failures: int, retry_after: float | None) -> float:
    """How long to wait (s) after so many failures in a row: doubling, with jitter, not before the server wants it."""
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16))
    wished = min(retry_after or 0.0, LONGEST_RETRY_AFTER_S)
    return max(longest * random.uniform(0.5, 1.0), wished)


class Delivery:
    """Takes files from a spool to a store. One thread runs it."""

    def __init__(self, spool: SpoolDirectory, store: Store, book: DeliveryBook, status: StoreStatus) -> None:
        self._spool, self._store, self._book, self._status = spool, store, book, status
        self._quarantine = Quarantine(spool.root)
        self._retries = Retries(self._quarantine, store, book)
        self._listed: deque[SpoolEntry] = deque()
        self._foreign: dict[int, str] = {}
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
        entry = self._next()
        if entry is None:
            self._status.answered(self._remark())
            return self._retry()
        claimed = self._spool.claim(entry)
        if claimed is not None:
            self._tidy = False
            self._deliver(entry, claimed)
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
                self._let_go(entry.path)
        self._retries.finish_booked()
        returned = self._spool.return_claimed()
        if returned:
            _log.info("spool_files_put_back", files=returned)
        self._listed.clear()
        self._tidy = True

    def _let_go(self, claimed: Path) -> None:
        try:
            read_spool_file(claimed)
        except SpoolFileDamaged:
            self._spool.set_aside(claimed)
        else:
            self._spool.remove(claimed)

    def _next(self) -> SpoolEntry | None:
        if not self._listed:
            waiting = self._spool.waiting()
            present = {entry.batch_id for entry in waiting}
            self._foreign = {batch_id: to for batch_id, to in self._foreign.items() if batch_id in present}
            self._listed.extend(entry for entry in waiting if entry.batch_id not in self._foreign)
        return self._listed.popleft() if self._listed else None

    def _deliver(self, entry: SpoolEntry, claimed: Path) -> None:
        try:
            file = read_spool_file(claimed)
        except SpoolFileDamaged as error:
            self._book.book_lost(entry.batch_id, entry.samples)
            kept = self._spool.set_aside(claimed)
            _log.error("spool_file_damaged", why=error.why, samples=entry.samples, kept=str(kept))
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

    def _settle(self, file: SpoolFile, outcome: WriteOutcome, claimed: Path) -> None:
        if outcome.remark:
            _log.error("store_rejected_samples", batch=file.batch_id, rejected=int(outcome.rejected.sum()), why=outcome.remark)
        if outcome.refusals:
            self._quarantine.keep(file, outcome)
        self._book.book(file, outcome.rejected)
        self._spool.remove(claimed)

    def _skip(self, file: SpoolFile, claimed: Path) -> None:
        self._spool.put_back(claimed)
        if file.destination not in self._foreign.values():
            _log.warning("spool_files_for_another_store", theirs=file.destination, ours=self._store.destination, first_batch=file.batch_id)
        self._foreign[file.batch_id] = file.destination

    def _remark(self) -> str:
        """What a person should know although the store takes samples."""
        return "; ".join(filter(None, (self._store.warning, self._waits_for_others())))

    def _waits_for_others(self) -> str:
        if not self._foreign:
            return ""
        return f"{len(self._foreign)} spool files are for another store: {', '.join(sorted(set(self._foreign.values())))}"

    def _failed(self, error: StoreUnavailable | StoreDenied | OSError) -> None:
        self._prepared = False
        self._listed.clear()
        denied = isinstance(error, StoreDenied)
        self._status.failed(StoreState.DENIED if denied else StoreState.UNREACHABLE, str(error))
