"""Engine and writer around one spool on a model disk: the real commit thread, recovery, spool directory, delivery and books.

Each sample carries a number of its own, so that what became of it can be told by its value.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archioc.core.config.config import Spool, WhenFull
from archioc.core.errors import StoreDenied, StoreUnavailable
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import COUNTS, NO_BLOB, SAMPLE, Batch
from archioc.core.spool.encoding.columns import ColumnEncoder
from archioc.core.spool.ledger import Booking
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.columns import LEDGER, LEDGER_HEAD
from archioc.core.table.table import ChannelTable
from archioc.db.delivery.delivery_counters import DeliveryCounters
from archioc.db.delivery.loop import Delivery
from archioc.db.delivery.parallel_writes import Answer, Claimed, write
from archioc.db.delivery.store_status import StoreStatus
from archioc.engine.ca.ring import EventRing
from archioc.engine.channels.open_gaps import OpenGap, OpenGapsFile
from archioc.engine.commit.audit_trail import AuditSentFile
from archioc.engine.commit.commit import Commit
from archioc.engine.commit.recovery import recover
from tests.unit.core.spool.model_disk import Killed, ModelDisk
from tests.unit.core.spool.model_store import ModelStore, Mood, told_by, values_in
from tests.unit.core.spool.whereabouts import PARTS, Whereabouts
from tests.unit.engine.rig import CommitByHand

NAMES = ("A", "B", "C")
DESTINATIONS = ("here", "there")
STATE = Path("/state")
MIN_FREE = 1000
ROOMY = 10**12
GAP = OpenGap(Reason.DISCONNECTED, 7)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a power cut takes away; made once for all worlds."""

    table: ChannelTable
    ring: EventRing

    def clear(self) -> None:
        """As after a boot."""
        for block in self.table.blocks:
            block.cells[:] = np.zeros((), block.cells.dtype)
            block.head[:] = np.zeros((), block.head.dtype)
        self.ring.head[:] = np.zeros((), self.ring.head.dtype)


class LanesByHand:
    """Lanes of which a test says when the store gets a file, and which answer comes first.

    late: the store has a file when it answers, else already when it is sent. newest_first: order of the answers.
    """

    def __init__(self, store: ModelStore, *, late: bool, newest_first: bool) -> None:
        self._store, self._late, self._newest_first = store, late, newest_first
        self._waiting: list[Claimed] = []
        self._answers: list[Answer] = []

    @property
    def in_flight(self) -> int:
        return len(self._waiting) + len(self._answers)

    def send(self, claimed: Claimed) -> None:
        if self._late:
            self._waiting.append(claimed)
        else:
            self._answers.append(write(self._store, claimed))

    def answer(self, timeout: float) -> Answer | None:
        at = -1 if self._newest_first else 0
        return write(self._store, self._waiting.pop(at)) if self._late else self._answers.pop(at)


class World:
    """One spool, one engine and one writer at a time, two stores.

    when_full: the policy of the engine. removed_sync: an fsync that is left out, as (file, line) of the call.
    """

    def __init__(self, memory: Memory, when_full: WhenFull, removed_sync: tuple[str, int] | None = None) -> None:
        memory.clear()
        self._memory, self.table = memory, memory.table
        self.disk = ModelDisk(STATE, self.table.run_dir, removed_sync)
        self.root = STATE / "spool"
        self._config = Spool(min_free=MIN_FREE, when_full=when_full)
        self.stores = {name: ModelStore(name) for name in DESTINATIONS}
        self.places = Whereabouts(self.disk, self.root, list(self.stores.values()))
        self.destination = DESTINATIONS[0]
        self._engine: CommitByHand | None = None
        self._writer: Delivery | None = None
        self._lanes = LanesByHand(self.stores[self.destination], late=False, newest_first=False)
        self.late = self.newest_first = False
        """How the lanes of the next writer behave."""
        self._spool = SpoolDirectory(self.root, self.disk)
        self._open_gaps = OpenGapsFile(STATE / "open_gaps", self.disk)
        self.in_gap = False
        """Whether the first channel has an open gap, of which each batch tells."""
        self._next_id = 1
        self._sent = 0  # numbers given to samples, in all boots
        self._before_boot = 0
        self._cut = 0  # numbers in commits of this engine
        self._commit: Commit | None = None
        self.committed: set[int] = set()
        """Numbers that must not get lost."""
        self._carried = 0  # samples in the spool when the machine booted
        self._dropped_before: Counter[int] = Counter()
        self._told_before: Counter[str] = Counter()
        self._twice: set[int] = set()
        """Numbers that were in a file of the spool when they were in a store already: to be sent again, or dropped after all."""
        self._stored_waits = False

    # -- the engine ----------------------------------------------------------------------------

    def engine(self) -> CommitByHand:
        """The engine; one is started where there is none. May raise Killed, OSError."""
        if self._engine is None:
            self._spool.create()
            recover(self.table, self._spool)
            self._cut = self._before_boot + self._booked()
            self._note_committed()
            self._commit = None
            encoder = ColumnEncoder(self.destination)
            files = self._open_gaps, AuditSentFile(STATE / "audit_sent", self.disk)
            self._engine = CommitByHand(self.table, self._memory.ring, self._spool, encoder, self._config, *files, self._name_of)
        return self._engine

    @staticmethod
    def _name_of(row: int, generation: int) -> str:
        return NAMES[row] if generation == 1 else ""

    def send(self, count: int) -> None:
        """So many updates reach the ring."""
        self._sent += count

    def commit(self) -> None:
        """Commit what is in the ring, or try again what could not be. May raise Killed, OSError."""
        engine = self.engine()
        self._note_stored_that_wait()
        if self._commit is None:
            self._commit = self._cut_batch()
        engine._write(self._commit)
        self._commit = None
        self._note_committed()

    def tell_losses(self) -> None:
        """What an engine does at its end: tell of all samples dropped. May raise Killed, OSError."""
        engine = self.engine()
        if self._commit is None and engine.reports_losses_next:
            self.commit()

    def _cut_batch(self) -> Commit:
        numbers = np.arange(self._cut, self._sent)
        samples = np.zeros(len(numbers), SAMPLE)
        samples["row"], samples["blob"], samples["time"], samples["value"] = numbers % len(NAMES), NO_BLOB, numbers, numbers
        rows, held = np.unique(samples["row"], return_counts=True)
        counts, cells, head = np.zeros(len(rows), COUNTS), np.zeros(len(rows), LEDGER), np.zeros(1, LEDGER_HEAD)
        counts["row"], counts["generation"], counts["samples"] = rows, 1, held
        cells["generation"] = 1
        self._next_id += 1
        head["batch_id"], head["ring_slot"] = self._next_id, self._sent - self._before_boot
        self._cut = self._sent
        events = (ChannelEvent(NAMES[0], GAP.start_ns, GAP.reason),) if self.in_gap else ()
        batch = Batch(samples, (), {row: NAMES[row] for row in rows.tolist()}, counts, events)
        booking = Booking(self._next_id, rows.astype(np.int64), cells, head)
        return Commit(batch, booking, self._sent - self._before_boot, 0, 0, {NAMES[0]: GAP} if self.in_gap else None)

    def _booked(self) -> int:
        return int(self.table.ledger.head["ring_slot"][0])

    def _note_committed(self) -> None:
        self.committed |= set(range(self._before_boot, self._before_boot + self._booked()))

    def _note_stored_that_wait(self) -> None:
        """A store may have a batch whose file is sent again; when that is dropped, more is counted and told than is missing."""
        claimable = self.places.files("new", "dropping")  # what is claimed is never dropped
        waiting = [(file.batch_id, values_in(file)) for file in claimable]
        waiting += [(int(path.name[:20]), numbers) for path, numbers in self.places.damaged().items()]
        for batch_id, values in waiting:
            if any(batch_id in store.batches for store in self.stores.values()):
                self._stored_waits = True
                self._twice |= set(values)

    # -- the writer ----------------------------------------------------------------------------

    def deliver(self) -> bool:
        """Go on until the store of the present destination has answered for a file. May raise Killed, OSError, StoreError."""
        if self._writer is None:
            self._spool.create()
            store = self.stores[self.destination]
            book = DeliveryCounters(self.table.delivery, self.disk)
            self._lanes = LanesByHand(store, late=self.late, newest_first=self.newest_first)
            self._writer = Delivery(self._spool, store, book, StoreStatus(self.table.delivery), self._lanes)
        try:
            sent, worked = True, True
            while sent and worked:
                before = self._lanes.in_flight
                worked = self._writer.step()
                sent = self._lanes.in_flight > before
        except (StoreUnavailable, StoreDenied, OSError) as error:
            self._writer._failed(error)
            raise
        return worked

    def commit_while_sending(self) -> None:
        """The engine commits in the middle of a delivery; the file being sent stays where it is."""
        store = self.stores[self.destination]

        def commit() -> None:
            before = self.places.names("sending")
            assert before
            self.commit()
            assert self.places.names("sending") == before

        store.while_writing = commit
        try:
            self.deliver()
        finally:
            store.while_writing = lambda: None

    # -- what happens to them ------------------------------------------------------------------

    def kill_engine(self) -> None:
        """Kill -9."""
        self._engine = None

    def kill_writer(self) -> None:
        """Kill -9."""
        self._writer = None

    def lose_power(self, seed: int, part: float) -> None:
        """The machine boots: processes, table and ring are gone, and of what was not fsynced `part` survives."""
        missing = self.missing() | {number for file in self.places.files("dropping") for number in values_in(file)}
        self.disk.lose_power(random.Random(seed), part)
        self.kill_engine()
        self.kill_writer()
        self._memory.clear()
        self._before_boot = self._cut = self._sent
        self._commit = None
        waiting = self.places.files(*PARTS)
        kept = [number for file in waiting for number in values_in(file)]
        self.committed |= set(kept)
        self._note_stored_that_wait()
        assert self.missing() <= missing, "a power cut has taken what was committed"
        self._dropped_before = _by_row(self.missing())
        self._told_before = self.places.told()
        self._carried = len(kept) + sum(map(len, self.places.damaged().values()))
        self._check_told()
        told_of_gap = any((NAMES[0], GAP.start_ns) in told_by(file) for file in waiting)
        assert not told_of_gap or self._open_gaps.read() == {NAMES[0]: GAP}, "nobody knows of a gap that was told"

    def damage(self) -> None:
        """A waiting file gets a wrong bit in its payload."""
        self.places.damage("new")

    def fill(self, files: int) -> None:
        """Leave room for about so many files more."""
        self.disk.capacity = self.disk.used(self.root) + MIN_FREE + 500 * files

    def empty_disk(self) -> None:
        """Room for everything."""
        self.disk.capacity = ROOMY

    def switch(self) -> None:
        """Engine and writer are started with the other store."""
        self.kill_engine()
        self.kill_writer()
        self.destination = DESTINATIONS[1 - DESTINATIONS.index(self.destination)]

    def come_to_an_end(self) -> None:
        """All faults end; then everything must come to its end."""
        self.disk.heal()
        self.empty_disk()
        for store in self.stores.values():
            store.mood = Mood.WELL
        self.commit()
        self.commit()
        self.tell_losses()
        for _ in self.stores:
            self.switch()
            while self.deliver():
                pass
        self.engine()
        self.check_end()

    # -- what must hold ------------------------------------------------------------------------

    def check(self) -> None:
        """Nothing committed is missing but what was dropped by rule, as counted and told; what is counted as stored is."""
        if self._engine is None or self._engine._in_act or self._commit is not None:
            return
        cells = self.table.ledger.cells
        dropped = {row: int(cells["dropped_spool_full"][row]) + self._dropped_before[row] for row in range(len(NAMES))}
        missing, twice = _by_row(self.missing()), _by_row(self._twice)
        for row in range(len(NAMES)):
            assert missing[row] <= dropped[row] <= missing[row] + twice[row], "dropped samples are not those counted"
        told = self.places.told()
        for row, name in enumerate(NAMES):
            counted = int(cells["told_spool_full"][row]) + self._told_before[name]
            assert told[name] == counted or self._stored_waits, f"{name}: events do not tell what is counted"
        self._check_told()
        if self._writer is not None and self._writer._tidy:
            self._check_conservation()

    def check_end(self) -> None:
        """Once all is delivered: nothing waits, everything dropped is told, everything else is in a store or was refused."""
        self.check()
        assert not self.places.names("new")
        assert not self.places.names("sending")
        cells = self.table.ledger.cells
        for row in range(len(NAMES)):
            assert cells["dropped_spool_full"][row] == cells["told_spool_full"][row]
        assert set(range(self._before_boot, self._sent)) <= self.committed

    def _check_told(self) -> None:
        told, missing = self.places.told(), _by_row(self.missing())
        for row, name in enumerate(NAMES):
            assert told[name] <= missing[row] or self._stored_waits, "an event tells of samples that are there"

    def _check_conservation(self) -> None:
        ledger, delivery = self.table.ledger.head[0], self.table.delivery.head[0]
        waiting = sum(file.samples for file in self.places.files(*PARTS))
        waiting += sum(map(len, self.places.damaged().values()))
        settled = int(delivery["stored"]) + int(delivery["rejected"])
        assert int(ledger["committed"]) + self._carried == settled + waiting, "counts do not balance"

    def missing(self) -> set[int]:
        """Numbers committed that are nowhere."""
        return self.committed - self.places.found()


def _by_row(numbers: set[int]) -> Counter[int]:
    return Counter(number % len(NAMES) for number in numbers)


def attempt(act: Callable[[], object], killed: Callable[[], None]) -> bool:
    """Do something that a disk or a store may refuse or that may die; whether it was done. killed: what to do where it dies."""
    try:
        act()
    except Killed:
        killed()
        return False
    except (OSError, StoreUnavailable, StoreDenied):
        return False
    return True
