"""Delivery: from the spool to the store, in the order of `archioc.db.delivery.order`, each sample counted once.

Order of acts for a file: claim, write, (store acknowledges,) journal, book, unlink. A kill before the
journal means that the file is sent again, which changes nothing in the store and has not been
counted; a kill after it means that the booking is completed from the journal and the file not sent
again.

As many files as the store takes at once are on their way (`archioc.db.delivery.parallel_writes`); while one is written the next is
chosen, as late as can be, and read. They are booked in the order of their answers, by one thread, each
from journal to unlink before the next, so the one journal always names the only file that can be booked
and still be there.

A file that has been sent stays claimed until the store has answered for it, over failures and restarts:
the store may have it, and what is claimed is never dropped as lost.
"""

from __future__ import annotations

import contextlib
import random
import time
import traceback
from collections.abc import Callable

import structlog

from archioc.core.errors import SpoolFileDamaged, StoreDenied, StoreUnavailable
from archioc.core.process import StopSignal
from archioc.core.spool.addresses import Addresses
from archioc.core.spool.delivered import DeliveredBatches
from archioc.core.spool.spool import SpoolDirectory, SpoolEntry
from archioc.core.table.table import StoreState
from archioc.db.delivery.delivery_counters import DeliveryCounters
from archioc.db.delivery.parallel_writes import Answer, WriterPool, Writers
from archioc.db.delivery.quarantine import Quarantine
from archioc.db.delivery.retries import Retries
from archioc.db.delivery.source import SpoolSource
from archioc.db.delivery.store_status import StoreStatus
from archioc.db.delivery.watch import StoreWatch
from archioc.db.store import Writer

_log = structlog.get_logger()

IDLE_S = 0.05
"""Between two looks into an empty spool, also while the store works."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
LONGEST_RETRY_AFTER_S = 300.0
"""A server that asks for more is asked again all the same."""

DRAIN_S = 5.0
"""How long delivery goes on when it is told to stop."""


def pause_after(failures: int, retry_after: float | None) -> float:
    """How long to wait (s) after so many failures in a row: doubling, with jitter, not before the server wants it."""
    longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16))
    wished = min(retry_after or 0.0, LONGEST_RETRY_AFTER_S)
    return max(longest * random.uniform(0.5, 1.0), wished)


def _fault(error: Exception) -> StoreDenied:
    """A fault of our own as people see it: the place in the log; its words may repeat those of a server, secrets included."""
    _log.error("delivery_fault", kind=type(error).__name__, where="".join(traceback.format_tb(error.__traceback__)))
    return StoreDenied(f"fault in the db process, see its log: {type(error).__name__}")


class Delivery:
    """Takes files from a spool to a store. One thread runs it."""

    def __init__(
        self,
        spool: SpoolDirectory,
        store: Writer,
        book: DeliveryCounters,
        status: StoreStatus,
        lanes: Writers | None = None,
        kept: DeliveredBatches | None = None,
        watch: StoreWatch | None = None,
        channel_names: Callable[[], list[str]] = list,
    ) -> None:
        self._spool, self._store, self._book, self._status = spool, store, book, status
        self._lanes: Writers = lanes or WriterPool(store)
        self._source = SpoolSource(spool, store, book, channel_names)
        self._kept, self._watch = kept, watch
        self._quarantine = Quarantine(spool.root, spool.disk)
        self._retries = Retries(self._quarantine, store, book, Addresses(spool))
        self._prepared = False
        self._tidy = False
        self._stopping = False
        self._taken = False  # whether the store has taken a file since the last failure

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
            except Exception as error:  # noqa: BLE001 - nothing that a store says may end delivery: what waits is kept
                failures += 1
                self._failed(_fault(error))
                stop.wait(pause_after(failures, None))
                continue
            if self._taken or not worked:
                failures = 0
            if not worked:
                stop.wait(IDLE_S)
        if not failures or self._lanes.in_flight:
            self._drain(time.monotonic() + DRAIN_S)

    def step(self) -> bool:
        """Send a file or settle an answer; False when there is nothing to do.

        Raises StoreUnavailable or StoreDenied, when nothing is on its way any more, or OSError.
        """
        if not self._tidy:
            self._tidy_up()
        if not self._prepared:
            self._store.prepare()
            self._prepared = True
            if self._watch is not None:
                self._watch.begin()
        self._tidy = False
        worked = self._fill_lanes() or self._settle_next() or self._look_at_store() or self._idle()
        self._tidy = True
        return worked

    def _fill_lanes(self) -> bool:
        """Send the next file where a lane is free; whether there was one to send.

        After a failure one file goes alone, until the store has taken it.
        """
        wide = self._store.lanes if self._taken else 1
        if self._watch is not None and self._watch.wants_turn and not self._stopping:
            wide = 0
        claimed = self._source.take() if self._lanes.in_flight < wide else None
        if claimed is None:
            return False
        self._lanes.send(claimed)
        if self._watch is not None:
            self._watch.sent()
        return True

    def _look_at_store(self) -> bool:
        """One look, or one batch sent again, while nothing is on its way."""
        return self._watch is not None and not self._stopping and self._watch.step()

    def _settle_next(self) -> bool:
        """Settle the next answer, if one comes soon; False when nothing is on its way."""
        if not self._lanes.in_flight:
            return False
        answer = self._lanes.answer(IDLE_S)
        if answer is not None:
            try:
                self._settle(answer)
            except (StoreUnavailable, StoreDenied):
                self._settle_others()
                raise
        return True

    def _settle_others(self) -> None:
        """Take the answers that are still to come, which end with the time limit of a request; another failure tells nothing new."""
        while self._lanes.in_flight:
            answer = self._lanes.answer(IDLE_S)
            if answer is not None:
                with contextlib.suppress(StoreUnavailable, StoreDenied):
                    self._settle(answer)

    def _idle(self) -> bool:
        self._status.answered(self._remark(), self._trouble())
        return self._retries.step()

    def _drain(self, until: float) -> None:
        """Go on until there is nothing left, also nothing on its way; what is not answered by then is sent again after the next start."""
        self._stopping = True
        try:
            while time.monotonic() < until and self.step():
                pass
        except (StoreUnavailable, StoreDenied, OSError) as error:
            self._failed(error)
        except Exception as error:  # noqa: BLE001 - as in `run`
            self._failed(_fault(error))

    def _tidy_up(self) -> None:
        """Settle what an earlier process, or a failing disk, has left claimed: the store may have it or not."""
        while self._lanes.in_flight:  # after an error of the disk; what they say will be asked again
            self._lanes.answer(IDLE_S)
        self._taken = False
        again = []
        for entry in self._spool.claimed():
            if self._book.finish(entry.batch_id):
                self._let_go(entry)
            else:
                again.append(entry)
        self._retries.finish_booked()
        self._source.begin_anew(again)
        self._tidy = True

    def _let_go(self, claimed: SpoolEntry) -> None:
        try:
            self._spool.read(claimed)
        except SpoolFileDamaged:
            self._spool.set_aside(claimed)
        else:
            self._finish_with(claimed)

    def _finish_with(self, claimed: SpoolEntry, *, whole: bool = True) -> None:
        """Let go of a file that the store has acknowledged and that was counted, or keep it for a while."""
        if self._kept is None:
            self._spool.remove(claimed)
        else:
            self._kept.keep(claimed, time.time_ns(), whole=whole)

    def _settle(self, answer: Answer) -> None:
        """Count a file and let go of it. Raises StoreUnavailable or StoreDenied when the store has not taken it."""
        outcome, file = answer.outcome(), answer.claimed.file
        self._taken = True
        if outcome.remark:
            _log.error("store_rejected_samples", batch=file.batch_id, rejected=int(outcome.rejected.sum()), why=outcome.remark)
        if outcome.refusals:
            self._quarantine.keep(file, outcome)
        self._book.count_delivered(file, outcome.rejected)
        self._finish_with(answer.claimed.entry, whole=not outcome.rejected.any())
        self._status.wrote(answer.took, file.committed_ns, outcome, self._remark(), self._trouble())

    def _remark(self) -> str:
        """What a person should know although the store is well."""
        return self._store.warning

    def _trouble(self) -> str:
        """What makes the store worse than OK although it takes samples."""
        return "; ".join(filter(None, (self._watch.trouble if self._watch is not None else "", self._source.waits_for_others())))

    def _failed(self, error: StoreUnavailable | StoreDenied | OSError) -> None:
        self._prepared = False
        if self._watch is not None:
            self._watch.failed(error)
        if isinstance(error, OSError):
            self._status.spool_failed(str(error))
        else:
            self._status.failed(StoreState.DENIED if isinstance(error, StoreDenied) else StoreState.UNREACHABLE, str(error))
