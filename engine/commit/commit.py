"""Batches into the spool, in a thread of their own, so that a slow disk never holds up the drain.

The order of acts is what makes a kill harmless at any moment: spool file written, ledger announced,
file published, ledger applied, ring released. Where the spool is full, a batch is given up in the same
manner: file taken out, ledger announced, file discarded, ledger applied. Whoever comes after a kill
asks the journal what was announced and the spool whether it was done (`archioc.engine.commit.recovery`), and so does
this thread after an error of the disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import structlog

from archioc.core.config.config import Spool, WhenFull
from archioc.core.errors import SpoolFileDamaged
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import SAMPLE, Batch
from archioc.core.spool.delivered import forget_oldest
from archioc.core.spool.encoding import Encoder
from archioc.core.spool.file import Tally, no_counts
from archioc.core.spool.ledger import Booking, Ledger
from archioc.core.spool.spool import SpoolDirectory, SpoolEntry, SpoolFile
from archioc.core.table.columns import LEDGER
from archioc.core.table.mapped_file import MappedFile
from archioc.core.table.table import ChannelTable
from archioc.engine.ca.ring import EventRing
from archioc.engine.channels.open_gaps import Gaps, OpenGapsFile
from archioc.engine.commit.audit_trail import AuditPosition, AuditSentFile
from archioc.engine.commit.recovery import HEAD_FIELDS, RETRY_S, recover
from archioc.engine.commit.spool_account import SpoolAccount
from archioc.engine.commit.spool_limits import SpoolLimits

_log = structlog.get_logger()

QUEUE_DEPTH = 4
TELL_EVERY_S = 10.0
"""Samples dropped in a row are told by one event for each channel and this time."""

TELLINGS_AT_END = 2

NameOf = Callable[[int, int], str]
"""The channel of a row and generation, empty when it has left."""


@dataclass(frozen=True, slots=True, eq=False)
class Commit:
    """A batch and what is to be booked with it. ring_slot, ring_bulk: cursors behind its last event.

    gaps: those that are open after its events; None when it has none.
    audited: which entries of the audit have been sent with it; None when it has none.
    """

    batch: Batch
    booking: Booking
    ring_slot: int
    ring_bulk: int
    flush: int
    gaps: Gaps | None
    audited: AuditPosition | None = None


class CommitThread:
    """Writes commits in the order given. `full` tells the drain to let the ring wait."""

    def __init__(
        self,
        table: ChannelTable,
        ring: EventRing,
        spool: SpoolDirectory,
        encoder: Encoder,
        config: Spool,
        open_gaps: OpenGapsFile,
        audit_sent: AuditSentFile,
        name_of: NameOf,
    ) -> None:
        self._table, self._ring, self._spool, self._encoder = table, ring, spool, encoder
        self._drop_oldest = config.when_full is WhenFull.DROP_OLDEST
        self._name_of = name_of
        self._ledger = Ledger(table.ledger, spool.disk)
        self._account, self._room = SpoolAccount(table.ledger), SpoolLimits(spool, config)
        self._status: MappedFile = table.status
        self._open_gaps, self._audit_sent = open_gaps, audit_sent
        self._gaps_kept: Gaps = open_gaps.read()
        self._gaps_durable = False  # an engine that was killed may have left the file in the page cache alone
        self._queue: queue.Queue[Commit | None] = queue.Queue(QUEUE_DEPTH)
        self._in_act = False
        self._has_untold, self._tell_at = len(self._account.untold()) > 0, float("-inf")
        self._drops, self._drops_seen, self._dropped_at = 0, 0, float("-inf")
        self._give_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="commit")
        self._thread.start()

    @property
    def full(self) -> bool:
        """No commit is taken just now."""
        return self._queue.full()

    @property
    def reports_losses_next(self) -> bool:
        """The next commit will tell of dropped samples, even if there is nothing else in it."""
        return self._has_untold and time.monotonic() >= self._tell_at

    def poll_forgotten(self) -> bool:
        """Whether batches have been dropped, and none for TELL_EVERY_S: what else was in them is to be told again. True once.

        To be called by the thread that submits.
        """
        drops = self._drops
        if drops == self._drops_seen or time.monotonic() - self._dropped_at < TELL_EVERY_S:
            return False
        self._drops_seen = drops
        return True

    def _note_drop(self) -> None:
        self._dropped_at = time.monotonic()
        self._drops += 1

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
        self._tell_the_rest()

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
        if commit.gaps is not None:
            self._keep_gaps({**self._gaps_kept, **commit.gaps})  # whatever happens, one that is told is kept
        if not self._was_written(commit):
            self._in_act = True
            self._commit(commit)
            self._in_act = False
        if commit.gaps is not None:
            self._keep_gaps(commit.gaps)
        if commit.audited is not None:
            self._keep_audited(commit.audited)
        self._ring.release(commit.ring_slot, commit.ring_bulk)
        self._status.head["flush_done"] = commit.flush

    def _was_written(self, commit: Commit) -> bool:
        """Whether an attempt before this one has written the commit, although the disk failed in the middle of it."""
        if not self._in_act:
            return False
        recover(self._table, self._spool)
        self._in_act = False
        self._has_untold = len(self._account.untold()) > 0
        return int(self._table.ledger.head["batch_id"][0]) >= commit.booking.batch_id

    def _commit(self, commit: Commit) -> None:
        batch, losses = self._with_losses(commit.batch)
        payload = b"" if batch.empty else self._encoder.encode(batch)
        file = SpoolFile(commit.booking.batch_id, time.time_ns(), self._encoder.destination, batch.counts, payload, losses)
        prepared = self._spool.prepare(file) if payload and self._make_room(file.size) else None
        booking = self._account.commit(commit.booking, Tally(batch.counts, losses), with_file=prepared is not None)
        self._ledger.announce(booking)
        if prepared is not None:
            self._room.add(self._spool.publish(prepared), file.size)
        self._ledger.apply(booking, HEAD_FIELDS)
        if prepared is None:
            self._has_untold = self._has_untold or len(batch.counts) + len(losses) > 0
            if payload:
                self._note_drop()

    def _keep_gaps(self, gaps: Gaps) -> None:
        if self._gaps_durable and gaps == self._gaps_kept:
            return
        try:
            self._open_gaps.write(gaps)
        except OSError as error:  # samples matter more; it is tried again with the next gap
            _log.error("open_gaps_not_written", error=str(error))
            return
        self._gaps_kept, self._gaps_durable = gaps, True

    def _keep_audited(self, position: AuditPosition) -> None:
        try:
            self._audit_sent.write(position)
        except OSError as error:  # what was sent is sent once more by the next engine
            _log.error("audit_sent_not_written", error=str(error))

    # -- a full spool --------------------------------------------------------------------------

    def _make_room(self, wanted: int) -> bool:
        """Whether a file of this size may be written, after dropping old ones where that is the policy."""
        if not self._room.could_ever_fit(wanted):
            return False
        while not self._room.fits(wanted):
            if self._room.disk_is_short(wanted) and forget_oldest(self._spool):
                continue
            if not self._drop_oldest:
                return False
            if not any(self._drop(entry) for entry in self._room.oldest()):
                return self._room.fits_now(wanted)  # all that was counted has gone: the writer may have emptied the spool
        return True

    def _drop(self, entry: SpoolEntry) -> bool:
        """Give up a waiting file; False when the writer has it, or has found it damaged or will."""
        try:
            tally, size = self._spool.tally(entry), self._spool.stat(entry).size
        except (SpoolFileDamaged, FileNotFoundError):
            return False
        taken = self._spool.withdraw(entry)
        if taken is None:
            return False
        booking = self._account.drop(entry.batch_id, tally)
        self._ledger.announce(booking)
        self._spool.discard(taken)
        self._ledger.apply(booking, HEAD_FIELDS)
        self._room.drop(entry, size)
        self._has_untold = True
        self._note_drop()
        return True

    def _with_losses(self, batch: Batch) -> tuple[Batch, npt.NDArray[np.void]]:
        """A batch that also tells of dropped samples, when it is time, and how many of which channels that are (dtype COUNTS)."""
        if not self.reports_losses_next:
            return batch, no_counts()
        now, events, told = time.time_ns(), [], []
        losses = self._account.untold()
        for at, (row, generation, samples) in enumerate(losses.tolist()):
            if name := self._name_of(row, generation):
                events.append(ChannelEvent(name, now, Reason.LOST_SPOOL_FULL, count=samples))
                told.append(at)
        _log.warning("spool_full_samples_dropped", channels=len(losses), samples=int(losses["samples"].sum()))
        self._tell_at = time.monotonic() + TELL_EVERY_S
        self._has_untold = False
        return dataclasses.replace(batch, events=(*batch.events, *events)), losses[told]

    def _tell_the_rest(self) -> None:
        """When all commits are written: more, if there are dropped samples that no event tells of.

        Room for the first may be made by another drop; the second tells of that. What finds no room all the same the next engine tells.
        """
        for _ in range(TELLINGS_AT_END):
            if self._has_untold:
                self._tell_at = float("-inf")
                self._until_written(self._empty_commit())

    def _empty_commit(self) -> Commit:
        head, status = self._table.ledger.head.copy(), self._status.head
        head["batch_id"] = max(int(head["batch_id"][0]) + 1, time.time_ns())
        booking = Booking(int(head["batch_id"][0]), np.zeros(0, np.int64), np.zeros(0, LEDGER), head)
        batch = Batch(np.zeros(0, SAMPLE), (), {}, no_counts())
        return Commit(batch, booking, int(head["ring_slot"][0]), int(head["ring_bulk"][0]), int(status["flush_done"][0]), None)
