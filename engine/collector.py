"""The engine's main loop: drain the ring, sample, cut batches, follow the settings."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import structlog

from archioc.core.errors import SpoolError
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ALARM, COUNTS, NO_BLOB, SAMPLE, Batch, ChannelMeta, Samples
from archioc.core.spool.ledger import Booking
from archioc.core.table.columns import LEDGER_HEAD, LEDGER_TOTALS
from archioc.core.table.table import ChannelTable, ProcessState
from archioc.core.void_view import as_void
from archioc.engine.ca.ring import SLOT, EventKind, EventRing, bulk_end
from archioc.engine.channels.channels import Channels, Rows
from archioc.engine.channels.last_run import LastRun
from archioc.engine.channels.losses import Losses
from archioc.engine.commit.audit_trail import AuditTrail
from archioc.engine.commit.commit import Commit, CommitThread
from archioc.engine.health import HealthReport
from archioc.engine.sampling.alarms import AlarmStates
from archioc.engine.sampling.labels import add_labels
from archioc.engine.sampling.sampler import Sampler
from archioc.engine.sampling.updates import by_row, decode_updates
from archioc.engine.status_view import StatusView

_log = structlog.get_logger()

DRAIN_AT_MOST = 50_000
ASK_AT_MOST = 200
"""Channels that are asked for their values in one round when all are."""
OPEN_AT_MOST = 200_000
"""Samples in the open batch beyond which the drain waits for the disk; the ring holds what comes."""
REPLAY_STALL_S = 60.0
_OPAQUE_SAMPLE = as_void(np.empty(0, SAMPLE)).dtype


class Collector:
    """Brings ring, sampler and commit thread together; one thread runs it. health: None where the store keeps none."""

    def __init__(
        self,
        table: ChannelTable,
        ring: EventRing,
        sampler: Sampler,
        channels: Channels,
        commits: CommitThread,
        audit: AuditTrail,
        health: HealthReport | None = None,
    ) -> None:
        self._table, self._ring, self._sampler, self._channels, self._commits = table, ring, sampler, channels, commits
        self._audit, self._health = audit, health
        self._view = StatusView(table, sampler.memory, channels)
        self._parts: list[Samples] = []
        self._blobs: list[bytes] = []
        self._open = 0
        self._metas: list[ChannelMeta] = []
        self._bulk_cursor = int(table.ledger.head["ring_bulk"][0])
        self._alarms: list[AlarmStates] = []
        self._open_alarms = 0
        self._losses = Losses(sampler.memory, channels.names)
        self._clock_suspect = sampler.clocks.suspect = bool(table.status.head["clock_suspect"][0])
        self._cut_at = ring.drained
        self._batch_id = int(table.ledger.head["batch_id"][0])
        self._flush = int(table.settings.head["flush"][0])
        self._to_ask: deque[int] = deque()
        self._received_to = 0  # receive time (ns) of the newest update of this round

    # -- one round -----------------------------------------------------------------------------

    def round(self, now: int) -> None:
        """Everything that is due now (ns since 1970)."""
        if len(leaving := self._channels.follow(now)):
            self._let_pass(leaving, now)
            self._tell(self._losses.pop_events(leaving, now))
        self._channels.create_some(now)
        self._received_to = now
        self.drain()
        self._let_pass(self._sampler.withheld.overdue(now), now)
        # an update that came after this round had looked at the clock must not pass for a clock that was set back
        self._add(*self._sampler.repeat(self._received_to, self._channels.connected))
        self._add_alarms(self._sampler.repeat_alarms(now, self._channels.connected))
        self._book_losses(now)
        if self._commits.poll_forgotten():
            self._tell_again(now, self._channels.metadata.of.values())
        self._write_again(now)
        self._channels.announce_gaps(now)
        self._metas += self._channels.announce_daily(now)
        self._audit.poll()
        self._watch_clock()
        self._view.refresh(now, self._ring.fill, self._sampler.clocks.suspect)

    def drain(self, live: bool = True) -> int:
        """Sample what the ring holds; how many events that were. live: False for those of an engine before this one."""
        if self._open + self._open_alarms >= OPEN_AT_MOST:
            return 0
        slots = self._ring.drain(DRAIN_AT_MOST)
        if not len(slots):
            return 0
        self._bulk_cursor = bulk_end(slots, self._bulk_cursor)
        ours = self._of_ours(slots)
        if ours["kind"].any():
            self._process(ours, live)
        else:
            self._sample(ours)
        return len(slots)

    def _of_ours(self, slots: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
        """The events of channels there are; a channel that has gone may still have some in the ring."""
        generation = slots["generation"]
        ours = generation == self._channels.generation.take(slots["row"], mode="clip")
        ours &= generation != 0
        return slots if ours.all() else as_void(slots)[ours].view(SLOT)

    def _process(self, slots: npt.NDArray[np.void], live: bool) -> None:
        """Act on events of all kinds, in runs in which no update of a channel comes before its connection event."""
        while len(slots):
            part, slots = _split(slots)
            self._changes(part, live)
            self._sample(as_void(part)[part["kind"] == EventKind.UPDATE].view(SLOT))

    def _sample(self, slots: npt.NDArray[np.void]) -> None:
        """Sample updates."""
        if not len(slots):
            return
        updates = self._channels.admit(decode_updates(by_row(slots), self._ring, self._channels.arrays.as_text))
        if not len(updates):
            return
        self._received_to = max(self._received_to, int(updates.received.max()))
        sampled = self._sampler.accept(updates)
        if len(sampled.resumed):
            self._channels.on_resumed(sampled.resumed, sampled.resumed_at)
        self._view.show_updates(sampled.newest)
        self._add(sampled.samples, sampled.blobs)
        self._add_alarms(sampled.alarms)
        names = self._channels.names
        self._tell([ChannelEvent(names[bad.row], bad.received, Reason.BAD_TIME, text=bad.text) for bad in sampled.bad_stamps])

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
        misfits = slots[kind == EventKind.MISFIT]
        if len(misfits):
            self._channels.on_misfits(misfits)

    def _connections(self, slots: npt.NDArray[np.void], change: EventKind, live: bool) -> None:
        rows, newest = np.unique(slots["row"][::-1], return_index=True)
        newest = len(slots) - 1 - newest
        if change is EventKind.DISCONNECTED:
            self._channels.on_disconnected(rows.astype("i8"), int(slots["received"].min()))
            self._let_pass(rows.astype("i8"), int(slots["received"].max()))
        elif live:
            self._channels.on_connected(rows.astype("i8"), slots["dbr"][newest], slots["count"][newest], int(slots["received"].max()))
        else:
            self._sampler.fresh[rows] = True

    def _metadata(self, slot: np.void) -> None:
        row = int(slot["row"])
        body = slot["body"].tobytes()
        raw = self._ring.piece(int.from_bytes(body[16:24], "little"), int.from_bytes(body[12:16], "little"))
        meta = self._channels.metadata.decode(row, int(slot["dbr"]), int(slot["received"]), raw)
        if meta is not None:
            self._metas.append(meta)

    def _let_pass(self, rows: Rows, now: int) -> None:
        if not len(rows):
            return
        rows = rows[self._sampler.memory.withheld[rows] != 0]
        if len(rows):
            self._add(*self._sampler.release(rows, now))

    def _add(self, samples: Samples, blobs: list[bytes]) -> None:
        """Put samples (sorted by row) into the open batch."""
        if not len(samples):
            return
        add_labels(samples, blobs, self._channels.metadata.labels, self._sampler.memory)
        if blobs:
            used = np.flatnonzero(samples["blob"] != NO_BLOB)
            picked = samples["blob"][used].tolist()
            samples["blob"][used] = np.arange(len(used)) + len(self._blobs)
            self._blobs += [blobs[at] for at in picked]
        self._parts.append(samples)
        self._open += len(samples)

    def _add_alarms(self, alarms: AlarmStates) -> None:
        """Put alarm states into the open batch."""
        if len(alarms):
            self._alarms.append(alarms)
            self._open_alarms += len(alarms)

    def _tell_again(self, now: int, metas: Iterable[ChannelMeta]) -> None:
        """What the store knows of channels besides their samples: it was in batches that were dropped, or the store has lost it."""
        self._sampler.memory.labelled[:] = 0
        self._metas += metas
        self._channels.gaps.announce_again()
        self._channels.announce_all(now)
        self._audit.send_again()
        self._add_alarms(self._sampler.alarms_again(now, self._channels.connected))

    def _write_again(self, now: int) -> None:
        """The store has lost what it held: what readers need is written once more, and each channel is asked for its value."""
        wanted, head = int(self._table.delivery.head["write_again"][0]), self._table.status.head
        if wanted != int(head["written_again"][0]):
            head["written_again"] = wanted
            metadata = self._channels.metadata
            self._tell_again(now, metadata.as_of(now, metadata.of))
            rows = self._channels.ours()
            self._to_ask = deque(rows[self._channels.connected[rows]].tolist())
            _log.warning("archive_written_again", channels=len(self._to_ask))
        if self._to_ask:
            rows = np.array([self._to_ask.popleft() for _ in range(min(ASK_AT_MOST, len(self._to_ask)))], np.int64)
            self._channels.look_again(rows[self._channels.connected[rows]], now)

    def _watch_clock(self) -> None:
        """Log when our own clock comes into doubt, and when it no longer is."""
        suspect = self._sampler.clocks.suspect
        if suspect != self._clock_suspect:
            _log.warning("own_clock_suspect" if suspect else "own_clock_good_again")
            self._clock_suspect = suspect

    def _tell(self, events: list[ChannelEvent]) -> None:
        self._channels.gaps.events += events

    def _book_losses(self, now: int) -> None:
        """Count what the ring had no room for; tell of it, and of what quotas dropped."""
        self._losses.count_overflow(self._ring)
        self._tell(self._losses.due(now))
        if len(rows := self._losses.to_ask(now)):
            self._channels.look_again(rows, now)  # what a lost event may have told is asked for again

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
        rows = self._sampler.memory.pop_touched()
        events, metas = self._channels.gaps.pop_events(), tuple(self._metas)
        now = time.time_ns()
        health = self._health.poll(now) if self._health is not None and self._health.due(now) else None
        idle = (
            not (self._open or self._open_alarms or len(rows) or events or metas or self._audit.waiting or health)
            and self._ring.drained == self._cut_at
        )
        if idle and flush == self._flush and not self._commits.reports_losses_next:
            self._channels.forget_removed()
            return
        samples = np.concatenate([np.empty(0, _OPAQUE_SAMPLE), *map(as_void, self._parts)]).view(SAMPLE)
        counts = self._counts(samples)
        alarms = np.concatenate([np.empty(0, ALARM), *self._alarms])
        held = [*counts["row"].tolist(), *alarms["row"].tolist()]
        names = dict(zip(held, map(self._channels.names.__getitem__, held), strict=True))
        audit, audited = self._audit.pop()
        batch = Batch(samples, tuple(self._blobs), names, counts, events, metas, alarms, audit, health)
        self._batch_id = max(self._batch_id + 1, now)
        booking = Booking(self._batch_id, rows, self._sampler.memory.cells(rows), self._head())
        gaps = self._channels.gaps.standing() if events else None
        self._commits.submit(Commit(batch, booking, self._ring.drained, self._bulk_cursor, flush, gaps, audited if audit else None))
        self._parts, self._blobs, self._metas, self._alarms = [], [], [], []
        self._open, self._open_alarms, self._flush, self._cut_at = 0, 0, flush, self._ring.drained
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
        self._sampler.withheld.discard(np.flatnonzero((memory.withheld != 0) & (self._channels.generation == 0)))  # of removed channels
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

    def settle(self, timeout: float) -> bool:
        """Have all that was replayed committed, with the gap since then; whether that is done within `timeout` seconds (twice).

        Nothing may be received before: another kill would leave a ring whose newest event hides that nobody had collected until then.
        """
        self.cut_all(timeout)
        deadline = time.monotonic() + timeout
        while int(self._table.ledger.head["batch_id"][0]) < self._batch_id and time.monotonic() < deadline:
            time.sleep(0.002)
        return int(self._table.ledger.head["batch_id"][0]) >= self._batch_id

    def stop(self, now: int) -> None:
        """Sample and let pass all there is; every open trace gets a gap."""
        self._table.status.head["state"] = ProcessState.STOPPING
        while self.drain(live=False):
            pass
        self._losses.count_overflow(self._ring)
        rows = self._channels.ours()
        self._let_pass(rows, now)
        self._tell(self._losses.pop_events(rows, now))
        self._channels.gaps.end_collecting(self._channels.staying(), Reason.ARCHIVER_STOP, now)

    def cut_all(self, timeout: float = 5.0) -> None:
        """Cut the last batch, waiting at most `timeout` seconds for the commit thread to take it."""
        deadline = time.monotonic() + timeout
        while self._commits.full and time.monotonic() < deadline:
            time.sleep(0.01)
        self.cut()


def _split(slots: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void]]:
    """Cut before the first connection event whose channel has an earlier event of another kind in the run."""
    change = np.flatnonzero((slots["kind"] == EventKind.CONNECTED) | (slots["kind"] == EventKind.DISCONNECTED))
    if not len(change):
        return slots, slots[:0]
    rows, first = np.unique(slots["row"], return_index=True)
    behind = change[first[np.searchsorted(rows, slots["row"][change])] < change]
    at = int(behind[0]) if len(behind) else len(slots)
    return slots[:at], slots[at:]
