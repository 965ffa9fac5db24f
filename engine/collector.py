"""The engine's main loop: drain the ring, sample, cut batches, follow the settings."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from archioc.core.batch import COUNTS, NO_BLOB, SAMPLE, Batch, ChannelMeta, Samples
from archioc.core.errors import SpoolError
from archioc.core.events import ChannelEvent, Reason
from archioc.core.ledger import Booking
from archioc.core.opaque import opaque
from archioc.core.table import LEDGER_HEAD, LEDGER_TOTALS, ChannelTable, ProcessState
from engine.channels import Channels, Rows
from engine.commit import Commit, CommitThread
from engine.labels import add_labels
from engine.last_run import LastRun
from engine.losses import Losses
from engine.ring import SLOT, EventKind, EventRing, bulk_end
from engine.sampler import Sampler
from engine.status_view import StatusView
from engine.updates import decode_updates

DRAIN_AT_MOST = 50_000
OPEN_AT_MOST = 200_000
"""Samples in the open batch beyond which the drain waits for the disk; the ring holds what comes."""
REPLAY_STALL_S = 60.0
_OPAQUE_SAMPLE = opaque(np.empty(0, SAMPLE)).dtype


class Collector:
    """Brings ring, sampler and commit thread together; one thread runs it."""

    def __init__(self, table: ChannelTable, ring: EventRing, sampler: Sampler, channels: Channels, commits: CommitThread) -> None:
        self._table, self._ring, self._sampler, self._channels, self._commits = table, ring, sampler, channels, commits
        self._view = StatusView(table, sampler.memory, channels)
        self._parts: list[Samples] = []
        self._blobs: list[bytes] = []
        self._open = 0
        self._metas: list[ChannelMeta] = []
        self._bulk_cursor = int(table.ledger.head["ring_bulk"][0])
        self._losses = Losses(table.capacity)
        self._cut_at = ring.drained
        self._lost_total = -1  # the engine before this one may have left losses that nobody has booked
        self._batch_id = int(table.ledger.head["batch_id"][0])
        self._flush = int(table.settings.head["flush"][0])

    # -- one round -----------------------------------------------------------------------------

    def round(self, now: int) -> None:
        """Everything that is due now (ns since 1970)."""
        self._let_pass(self._channels.follow(now))
        self._channels.create_some()
        self.drain()
        self._let_pass(self._sampler.overdue(now))
        self._add(*self._sampler.repeat(now, self._channels.connected))
        self._book_losses(now)
        self._channels.show_state(self._channels.gaps.announce_lasting(now))
        self._view.refresh(now, self._ring.fill)

    def drain(self, live: bool = True) -> int:
        """Sample what the ring holds; how many events that were. live: False for those of an engine before this one."""
        if self._open >= OPEN_AT_MOST:
            return 0
        slots = self._ring.drain(DRAIN_AT_MOST)
        if not len(slots):
            return 0
        self._bulk_cursor = bulk_end(slots, self._bulk_cursor)
        rest = self._of_ours(slots)
        while len(rest):
            part, rest = _split(rest)
            self._process(part, live)
        return len(slots)

    def _of_ours(self, slots: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
        """The events of channels there are; a channel that has gone may still have some in the ring."""
        generation = slots["generation"]
        ours = generation == self._channels.generation.take(slots["row"], mode="clip")
        ours &= generation != 0
        return slots if ours.all() else opaque(slots)[ours].view(SLOT)

    def _process(self, slots: npt.NDArray[np.void], live: bool) -> None:
        """Sample a run of events in which no update of a channel comes before its connection event."""
        kind = slots["kind"]
        if kind.any():
            self._changes(slots, live)
            slots = opaque(slots)[kind == EventKind.UPDATE].view(SLOT)
        if not len(slots):
            return
        updates = self._channels.admit(decode_updates(slots, self._ring, self._channels.arrays.as_text))
        if not len(updates):
            return
        sampled = self._sampler.accept(updates)
        self._channels.on_resumed(sampled.resumed, sampled.resumed_at)
        self._view.show_updates(sampled.newest)
        self._add(sampled.samples, sampled.blobs)

    def _changes(self, slots: npt.NDArray[np.void], live: bool) -> None:
        """Act on the events that are no updates."""
        kind = slots["kind"]
        for change in (EventKind.DISCONNECTED, EventKind.CONNECTED):
            which = slots[kind == change]
            if len(which):
                self._connections(which, change, live)
        for slot in slots[kind == EventKind.META]:
            self._metadata(slot)
        refused = slots[kind == EventKind.REFUSED]
        if len(refused):
            self._channels.on_refused(refused)

    def _connections(self, slots: npt.NDArray[np.void], change: EventKind, live: bool) -> None:
        rows, newest = np.unique(slots["row"][::-1], return_index=True)
        newest = len(slots) - 1 - newest
        if change is EventKind.DISCONNECTED:
            self._channels.on_disconnected(rows.astype("i8"), int(slots["received"].min()))
            self._let_pass(rows[self._sampler.memory.withheld[rows] != 0].astype("i8"))
        elif live:
            self._channels.on_connected(rows.astype("i8"), slots["dbr"][newest], slots["count"][newest])
        else:
            self._sampler.fresh[rows] = True

    def _metadata(self, slot: np.void) -> None:
        row = int(slot["row"])
        body = slot["body"].tobytes()
        raw = self._ring.piece(int.from_bytes(body[16:24], "little"), int.from_bytes(body[12:16], "little"))
        meta = self._channels.on_metadata(row, int(slot["dbr"]), int(slot["received"]), raw)
        if meta is not None:
            self._metas.append(meta)

    def _let_pass(self, rows: Rows) -> None:
        rows = rows[self._sampler.memory.withheld[rows] != 0]
        if len(rows):
            self._add(*self._sampler.release(rows))

    def _add(self, samples: Samples, blobs: list[bytes]) -> None:
        """Put samples (sorted by row) into the open batch."""
        if not len(samples):
            return
        add_labels(samples, blobs, self._channels.labels, self._sampler.memory)
        used = np.flatnonzero(samples["blob"] != NO_BLOB)
        picked = samples["blob"][used].tolist()
        samples["blob"][used] = np.arange(len(used)) + len(self._blobs)
        self._blobs += [blobs[at] for at in picked]
        self._parts.append(samples)
        self._open += len(samples)

    def _book_losses(self, now: int) -> None:
        """Count what the ring had no room for, and what a full spool dropped."""
        total = int(self._ring.head["lost"][0])
        if total != self._lost_total:
            self._book_overflow()
            self._lost_total = total
        self._tell_overflow(now)
        while not self._commits.dropped.empty():
            self._book_dropped(self._commits.dropped.get(), now)

    def _book_overflow(self) -> None:
        """Count events that found the ring full."""
        memory = self._sampler.memory
        lost = self._ring.lost.copy()
        rows = np.flatnonzero(lost != memory.ring_lost)
        count = lost[rows] - memory.ring_lost[rows]  # modulo 2**32, as the counters are
        memory.ring_lost[rows] = lost[rows]
        memory.received[rows] += count
        memory.dropped_overflow[rows] += count
        memory.touched[rows] = True
        self._losses.add(rows, count)

    def _tell_overflow(self, now: int, *, last: bool = False) -> None:
        """Tell what was lost; what that may have told is asked for again, unless this is the last act."""
        rows, count = self._losses.due(now, all_of_them=last)
        if len(rows):
            self._tell_loss(rows, count, Reason.LOST_OVERFLOW, now)
            if not last:
                self._channels.look_again(rows, now)

    def _book_dropped(self, counts: npt.NDArray[np.void], now: int) -> None:
        """Count the samples of a batch (dtype COUNTS) that a full spool gave up."""
        memory = self._sampler.memory
        present = memory.generation[counts["row"]] == counts["generation"]
        departed = int(counts["samples"][~present].sum())
        memory.book_departed("committed", -departed)
        memory.book_departed("dropped_spool_full", departed)
        counts = counts[present]
        memory.committed[counts["row"]] -= counts["samples"]
        memory.dropped_spool_full[counts["row"]] += counts["samples"]
        memory.touched[counts["row"]] = True
        self._tell_loss(counts["row"], counts["samples"], Reason.LOST_SPOOL_FULL, now)

    def _tell_loss(self, rows: Rows, count: npt.NDArray[np.integer], reason: Reason, now: int) -> None:
        names = self._channels.names
        self._channels.gaps.events += [
            ChannelEvent(names[row], now, reason, count=lost) for row, lost in zip(rows.tolist(), count.tolist(), strict=True) if names[row]
        ]

    # -- batches -------------------------------------------------------------------------------

    @property
    def open_samples(self) -> int:
        """Samples in the open batch."""
        return self._open

    @property
    def commit_wanted(self) -> bool:
        """Somebody asked for a commit at once, or arrays need the room that it makes."""
        return int(self._table.settings.head["flush"][0]) != self._flush or (self._ring.crowded and self._ring.drained != self._cut_at)

    def cut(self) -> None:
        """Hand the open batch to the commit thread, unless that is busy; then the batch stays open."""
        if self._commits.full:
            return
        flush = int(self._table.settings.head["flush"][0])
        rows = self._sampler.memory.take_touched()
        events, metas = self._channels.gaps.take(), tuple(self._metas)
        if not (self._open or len(rows) or events or metas or flush != self._flush or self._ring.drained != self._cut_at):
            self._channels.forget_removed()
            return
        samples = np.concatenate([np.empty(0, _OPAQUE_SAMPLE), *map(opaque, self._parts)]).view(SAMPLE)
        counts = self._counts(samples)
        names = {row: self._channels.names[row] for row in counts["row"].tolist()}
        batch = Batch(samples, tuple(self._blobs), names, counts, events, metas)
        self._batch_id = max(self._batch_id + 1, time.time_ns())
        booking = Booking(self._batch_id, rows, self._sampler.memory.cells(rows), self._head())
        self._commits.submit(Commit(batch, booking, self._ring.drained, self._bulk_cursor, flush))
        self._parts, self._blobs, self._metas, self._open, self._flush = [], [], [], 0, flush
        self._cut_at = self._ring.drained
        self._channels.forget_removed()

    def _counts(self, samples: Samples) -> npt.NDArray[np.void]:
        """How many samples of each channel these are (dtype COUNTS)."""
        number = np.bincount(samples["row"])
        held = np.flatnonzero(number)
        counts = np.zeros(len(held), COUNTS)
        counts["row"], counts["generation"], counts["samples"] = held, self._channels.generation[held], number[held]
        return counts

    def _head(self) -> npt.NDArray[np.void]:
        memory = self._sampler.memory
        head = np.zeros(1, LEDGER_HEAD)
        head["batch_id"], head["ring_slot"], head["ring_bulk"] = self._batch_id, self._ring.drained, self._bulk_cursor
        head["committed_at"] = time.time_ns()
        head["withheld"] = np.count_nonzero(memory.withheld)
        for name in LEDGER_TOTALS:
            head[name] = memory.total(name)
        return head

    # -- beginning and end ---------------------------------------------------------------------

    def replay(self, last: LastRun | None) -> int:
        """Sample what the engine before this one had received but not committed; events replayed.

        The channels that it collected then have a gap, since its last sign of life.
        Raises SpoolError when the spool takes nothing for REPLAY_STALL_S.
        """
        memory = self._sampler.memory
        self._sampler.discard(np.flatnonzero((memory.withheld != 0) & (self._channels.generation == 0)))  # of removed channels
        replayed, end = 0, int(self._ring.head["write_slot"][0])
        deadline = time.monotonic() + REPLAY_STALL_S
        while self._ring.drained < end:
            if count := self.drain(live=False):
                replayed += count
                deadline = time.monotonic() + REPLAY_STALL_S
            elif time.monotonic() > deadline:
                waiting = end - self._ring.drained
                raise SpoolError(f"the spool has taken nothing for {REPLAY_STALL_S:.0f} s, {waiting} events wait in the ring")
            else:
                time.sleep(0.01)  # as many samples as may be open wait for the commit thread
            self.cut()
        self._sampler.fresh[:] = False
        if last is not None:
            self._channels.mark_absence(last)
        return replayed

    def stop(self, now: int) -> None:
        """Sample and let pass all there is; every open trace gets a gap."""
        self._table.status.head["state"] = ProcessState.STOPPING
        while self.drain(live=False):
            pass
        self._book_overflow()
        self._tell_overflow(now, last=True)
        rows = self._channels.ours()
        self._let_pass(rows)
        self._channels.gaps.open(rows, Reason.ARCHIVER_STOP, now)

    def cut_all(self, timeout: float = 5.0) -> None:
        """Cut the last batch, waiting at most `timeout` seconds for the commit thread to take it."""
        deadline = time.monotonic() + timeout
        while self._commits.full and time.monotonic() < deadline:
            time.sleep(0.01)
        self.cut()


def _split(slots: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void]]:
    """Cut before the first connection event whose channel has an earlier event of another kind in the run."""
    if not slots["kind"].any():  # updates only
        return slots, slots[:0]
    change = np.flatnonzero((slots["kind"] == EventKind.CONNECTED) | (slots["kind"] == EventKind.DISCONNECTED))
    if not len(change):
        return slots, slots[:0]
    rows, first = np.unique(slots["row"], return_index=True)
    behind = change[first[np.searchsorted(rows, slots["row"][change])] < change]
    at = int(behind[0]) if len(behind) else len(slots)
    return slots[:at], slots[at:]
