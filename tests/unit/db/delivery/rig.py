"""The delivery loop beside a store that fails on demand."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import COUNTS
from archioc.core.spool.spool import SpoolDirectory, SpoolFile
from archioc.core.table.table import ChannelTable
from archioc.db.delivery.delivery_counters import DeliveryCounters
from archioc.db.delivery.loop import Delivery
from archioc.db.delivery.store_status import StoreStatus
from archioc.db.store import Refusal, WriteOutcome


@dataclass
class FaultyStore:
    """Keeps batch ids; raises the next of `faults`, if there is one, instead of answering."""

    destination: str = "here"
    faults: list[Exception] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    prepared: int = 0
    reject: int = 0
    told: list[ChannelEvent] = field(default_factory=list)
    warns: str = ""
    lanes: int = 1
    before_write: Callable[[], None] = lambda: None

    def prepare(self) -> None:
        self.prepared += 1
        if self.faults and "prepare" in str(self.faults[0]):
            raise self.faults.pop(0)

    def write(self, file: SpoolFile) -> WriteOutcome:
        self.before_write()
        if self.faults:
            raise self.faults.pop(0)
        self.written.append(file.batch_id)
        if not self.reject:
            return WriteOutcome.all_stored(file)
        rejected = np.zeros(len(file.counts), np.int64)
        rejected[0] = self.reject
        event = ChannelEvent("A", file.committed_ns, Reason.REJECTED, count=self.reject)
        refusals = (Refusal(b"sample,pv=A value=1 1\nsample,pv=A value=2 2", "400\nbad"),)
        return WriteOutcome(rejected, rejected, refusals, (event,), "400 bad")

    def write_events(self, events: Sequence[ChannelEvent]) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.told += events

    @property
    def warning(self) -> str:
        return self.warns


class Bench:
    """A spool, a table and a delivery between them."""

    def __init__(self, root: Path) -> None:
        self.spool = SpoolDirectory(root / "spool")
        self.spool.create()
        self.table = ChannelTable(root)
        self.table.create(10)
        self.store = FaultyStore()
        self.delivery = self.another()

    def another(self) -> Delivery:
        """The delivery of a process that takes up."""
        counters, status = DeliveryCounters(self.table.delivery), StoreStatus(self.table.delivery)
        return Delivery(self.spool, self.store, counters, status, channel_names=lambda: ["A", "B"])

    def fill(self, *batch_ids: int, destination: str = "here") -> None:
        for batch_id in batch_ids:
            counts = np.array([(1, 1, 3), (2, 1, 1)], COUNTS)
            self.spool.publish(self.spool.prepare(SpoolFile(batch_id, time.time_ns(), destination, counts, b"payload")))

    def deliver_all(self) -> None:
        while self.delivery.step():
            pass

    def deliver(self) -> None:
        """Go on until the store has answered."""
        while self.delivery.step() and self.delivery._lanes.in_flight:
            pass

    def head(self, name: str) -> int:
        return int(self.table.delivery.head[name][0])

    def error(self) -> str:
        return bytes(self.table.delivery.head["error"][0]).decode()


def in_spool(bench: Bench) -> tuple[list[int], list[int]]:
    return [entry.batch_id for entry in bench.spool.waiting()], [entry.batch_id for entry in bench.spool.claimed()]
