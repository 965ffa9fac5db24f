"""Batches into the spool, in a thread of their own, so that a slow disk never holds up the drain.

The order of acts is what makes a kill harmless at any moment: spool file written, ledger announced,
file published, ledger applied, ring released. Whoever comes after a kill asks the journal what was
announced and the spool whether it was published.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from dataclasses import dataclass

import numpy as np
import structlog

from archioc.core.batch import Batch
from archioc.core.config import Spool, WhenFull
from archioc.core.encoding import Encoder
from archioc.core.errors import SpoolFileDamaged
from archioc.core.ledger import Booking, Ledger
from archioc.core.mapped_file import MappedFile
from archioc.core.spool import SpoolDirectory, SpoolFile
from archioc.core.table import LEDGER_HEAD, ChannelTable
from engine.open_gaps import Gaps, OpenGapsFile
from engine.ring import EventRing

_log = structlog.get_logger()

QUEUE_DEPTH = 4
RETRY_S = 1.0
RECOUNT_S = 10.0
HEAD_FIELDS = LEDGER_HEAD.names or ()


@dataclass(frozen=True, slots=True, eq=False)
class Commit:
    """A batch and what is to be booked with it. ring_slot, ring_bulk: cursors behind its last event.

    gaps: those that are open after its events; None when it has none.
    """

    batch: Batch
    booking: Booking
    ring_slot: int
    ring_bulk: int
    flush: int
    gaps: Gaps | None


def recover(table: ChannelTable, spool: SpoolDirectory) -> None:
    """Finish or forget what a killed engine had begun; then ledger and spool agree."""
    ledger = Ledger(table.ledger)
    left = spool.clear_unfinished()
    booking = ledger.unfinished()
    if booking is None or booking.batch_id < int(table.ledger.head["batch_id"][0]):
        return
    published = (
        not booking.head["with_file"][0] or spool.holds(booking.batch_id) or int(table.delivery.head["batch_id"][0]) >= booking.batch_id
    )
    if published:
        ledger.apply(booking, HEAD_FIELDS)
    elif left:
        _log.info("unfinished_batch_discarded", batch=booking.batch_id)


class CommitThread:
    """Writes commits in the order given. `full` tells the drain to let the ring wait."""

    def __init__(
        self, table: ChannelTable, ring: EventRing, spool: SpoolDirectory, encoder: Encoder, config: Spool, open_gaps: OpenGapsFile
    ) -> None:
        self._ledger = Ledger(table.ledger)
        self._status: MappedFile = table.status
        self._ring, self._spool, self._encoder, self._config = ring, spool, encoder, config
        self._open_gaps = open_gaps
        self._gaps_kept: Gaps = open_gaps.read()
        self._queue: queue.Queue[Commit | None] = queue.Queue(QUEUE_DEPTH)
        self.dropped: queue.SimpleQueue[np.ndarray] = queue.SimpleQueue()
        """Counts (dtype COUNTS) of batches dropped because the spool was full, for the drain to book."""
        self._give_up = threading.Event()
        self._known_bytes, self._counted_at = 0, float("-inf")
        self._thread = threading.Thread(target=self._run, name="commit")
        self._thread.start()

    @property
    def full(self) -> bool:
        """No commit is taken just now."""
        return self._queue.full()

    def submit(self, commit: Commit) -> None:
        """Queue a commit; the caller has seen that there is room."""
        self._queue.put_nowait(commit)

    def finish(self, timeout: float) -> bool:
        """Write what is queued, for at most `timeout` seconds; whether all of it was written."""
        deadline = time.monotonic() + timeout
        with contextlib.suppress(queue.Full):  # given up below
            self._queue.put(None, timeout=timeout)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        done = not self._thread.is_alive()
        self._give_up.set()
        self._thread.join(RETRY_S + timeout)
        return done

    def _run(self) -> None:
        while (commit := self._next()) is not None:
            self._until_written(commit)

    def _next(self) -> Commit | None:
        while not self._give_up.is_set():
            try:
                return self._queue.get(timeout=RETRY_S)
            except queue.Empty:
                continue
        return None

    def _until_written(self, commit: Commit) -> None:
        """Write one commit, again and again while the disk refuses; meanwhile the ring keeps what comes."""
        failing = False
        while not self._give_up.is_set():
            try:
                self._write(commit)
            except OSError as error:
                if not failing:
                    _log.error("spool_not_written", error=str(error))
                failing = True
                self._status.head["spool_error"] = str(error).encode()
                self._give_up.wait(RETRY_S)
                continue
            if failing:
                _log.info("spool_written_again")
            self._status.head["spool_error"] = b""
            return

    def _write(self, commit: Commit) -> None:
        booking = commit.booking
        if commit.gaps is not None:
            self._keep_gaps({**self._gaps_kept, **commit.gaps})  # whatever happens, one that is told is kept
        prepared = None
        if not commit.batch.empty:
            payload = self._encoder.encode(commit.batch)
            file = SpoolFile(booking.batch_id, time.time_ns(), self._encoder.destination, commit.batch.counts, payload)
            if self._make_room(len(payload)):
                prepared = self._spool.prepare(file)
        booking.head["with_file"] = int(prepared is not None)
        self._ledger.announce(booking)
        if prepared is not None:
            self._known_bytes += prepared.stat().st_size
            self._spool.publish(prepared)
        self._ledger.apply(booking, HEAD_FIELDS)
        if prepared is None and len(commit.batch.counts):
            self.dropped.put(commit.batch.counts)
        if commit.gaps is not None:
            self._keep_gaps(commit.gaps)
        self._ring.release(commit.ring_slot, commit.ring_bulk)
        self._status.head["flush_done"] = commit.flush

    def _keep_gaps(self, gaps: Gaps) -> None:
        if gaps == self._gaps_kept:
            return
        try:
            self._open_gaps.write(gaps)
        except OSError as error:  # samples matter more; it is tried again with the next gap
            _log.error("open_gaps_not_written", error=str(error))
            return
        self._gaps_kept = gaps

    def _make_room(self, wanted: int) -> bool:
        """Whether a file of this size may be written, after dropping old ones where that is the policy."""
        if time.monotonic() - self._counted_at > RECOUNT_S:
            self._recount()
        while self._over_limit(wanted):
            self._recount()  # the writer has removed files since
            if not self._over_limit(wanted):
                return True
            if self._config.when_full is WhenFull.DROP_NEWEST or not self._drop_oldest():
                return False
        return True

    def _over_limit(self, wanted: int) -> bool:
        return self._known_bytes + wanted > self._config.max_bytes or self._spool.free_bytes() - wanted < self._config.min_free

    def _recount(self) -> None:
        self._known_bytes = sum(entry.size for entry in (*self._spool.waiting(), *self._spool.claimed()))
        self._counted_at = time.monotonic()

    def _drop_oldest(self) -> bool:
        try:
            doomed = self._spool.drop_oldest()
        except SpoolFileDamaged as error:
            _log.error("damaged_spool_file_dropped", error=str(error))
            return True
        if doomed is not None:
            self.dropped.put(doomed.counts)
            _log.warning("spool_full_oldest_dropped", batch=doomed.batch_id, samples=doomed.samples)
        return doomed is not None
