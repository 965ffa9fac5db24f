"""The delivering half of a db process on a real InfluxDB, driven by the test: spool, kept batches, watch."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from archioc.core.config.store import InfluxStore
from archioc.core.directories import Directories
from archioc.core.errors import StoreDenied, StoreUnavailable
from archioc.core.incidents import Incident, Incidents
from archioc.core.spool.delivered import DeliveredBatches, Keeping
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.spool.resend_request import ResendRequest
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.table import ChannelTable, StoreState
from archioc.db.archive_record import ArchiveRecord
from archioc.db.delivery.delivery_counters import DeliveryCounters
from archioc.db.delivery.loop import Delivery
from archioc.db.delivery.store_status import StoreStatus
from archioc.db.delivery.watch import StoreWatch
from archioc.db.influx.store import InfluxDatabase
from tests.archives.batches import Point, make_batch, spool_file

GB = 10**9


class WatchedStore:
    """Channels are A, B and so on; each batch has one sample of each, with the time of now and a value that counts."""

    def __init__(self, directory: Path, settings: InfluxStore, channels: int = 3, keep_s: float = 3600.0) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directories = Directories(directory)
        self.names = [chr(ord("A") + at) for at in range(channels)]
        self.spool, self.table = SpoolDirectory(self.directories.spool), ChannelTable(directory)
        self.spool.create()
        self.table.create(100)
        self.incidents = Incidents(self.directories.incidents)
        self.batches = 0
        self.sent: list[int] = []
        self._keeping = Keeping(int(keep_s * 1e9), GB, 0)
        self.begin(settings)

    def begin(self, settings: InfluxStore) -> None:
        """As a db process that starts."""
        record = ArchiveRecord(self.directories.archive_record, "0123456789abcdef" * 2)
        self.store = InfluxDatabase(settings, record=record)
        self.kept = DeliveredBatches(self.spool, self._keeping)
        block = self.table.delivery
        watch = StoreWatch(self.store, self.spool, self.kept, self.incidents, block, lambda: self.names)
        self.delivery = Delivery(self.spool, self.store, DeliveryCounters(block), StoreStatus(block), kept=self.kept, watch=watch)
        self.watch = watch

    def commit(self, batches: int = 1) -> None:
        """Put so many batches into the spool."""
        encoder = LineEncoder(self.store.destination)
        for _ in range(batches):
            self.batches += 1
            now = time.time_ns()
            self.sent.append(now)
            points = [Point(name, now, float(self.batches)) for name in self.names]
            made = spool_file(encoder, make_batch(points), now)
            self.spool.publish(self.spool.prepare(type(made)(now, now, made.destination, made.counts, made.payload)))

    def work(self) -> None:
        """Deliver and look until there is nothing to do; the looks are due at once."""
        for _ in range(3):
            self.watch._look_at = self.watch._read_back._check_at = float("-inf")
            while self.delivery.step():
                pass

    def fail(self, error: StoreUnavailable | StoreDenied | None = None) -> None:
        """The store is found to be away, or to refuse: what the loop does then."""
        self.delivery._failed(error or StoreUnavailable("away"))

    def work_denied(self, match: str) -> None:
        """Work until the store refuses, with these words."""
        with pytest.raises(StoreDenied, match=match) as caught:
            self.work()
        self.fail(caught.value)

    def times(self, name: str) -> list[int]:
        """Times of the samples that a reader finds."""
        return [time_ns for chunk in self.store.samples(name, 0, 2**62, with_previous=False) for time_ns in chunk.time.tolist()]

    def is_whole(self) -> bool:
        """Whether all that was committed is found."""
        return all(self.times(name) == self.sent for name in self.names)

    @property
    def state(self) -> StoreState:
        return StoreState(int(self.table.delivery.head["store_state"][0]))

    @property
    def error(self) -> str:
        return bytes(self.table.delivery.head["error"][0]).decode()

    def standing(self) -> list[Incident]:
        return self.incidents.standing(time.time_ns())

    def ask_resend(self, since_ns: int = 0) -> None:
        ResendRequest(self.spool).ask(since_ns)

    def close(self) -> None:
        self.store.close()
        self.table.close()
