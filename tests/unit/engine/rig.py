"""An engine without libca: real table, ring, registry, spool and collector, in a directory of the test's own."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from archioc.core.channel import ChannelSettings, Mask
from archioc.core.condition import Condition
from archioc.core.config.config import Spool
from archioc.core.config.setting_precedence import DeclaredGroup
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.directories import Directories
from archioc.core.events import ChannelEvent, Reason
from archioc.core.registry import RegistryReader
from archioc.core.shard import ALONE
from archioc.core.spool.batch import Batch, SampleFlag
from archioc.core.spool.encoding.columns import ColumnEncoder, decode_columns
from archioc.core.spool.spool import SpoolDirectory, read_spool_file
from archioc.core.table.table import ChannelTable
from archioc.engine.ca.channel_access import ChannelAccess
from archioc.engine.ca.pinned_callback import PinnedCallback
from archioc.engine.ca.ring import EventRing
from archioc.engine.channels.channels import Channels
from archioc.engine.channels.groups import Groups
from archioc.engine.channels.last_run import LastRun
from archioc.engine.channels.open_gaps import OpenGapsFile
from archioc.engine.channels.removals import Removals
from archioc.engine.collector import Collector
from archioc.engine.commit.audit_trail import AuditSentFile, AuditTrail
from archioc.engine.commit.commit import CommitThread
from archioc.engine.commit.recovery import recover
from archioc.engine.sampling.sampler import Sampler
from archioc.ioc.registry.archived import ArchivedChannel
from archioc.ioc.registry.archived_group import ArchivedGroup
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry
from tests.unit.engine.deliveries import Delivery, connect, hand_over

ROWS = 16


class RecordedAccess:
    """What the engine asked of libca. Like the real one it knows a channel from `create` to `clear` only."""

    def __init__(self) -> None:
        self.created: dict[str, tuple[int, int]] = {}
        self.followed: list[tuple[str, int, int]] = []
        self.masks: list[tuple[str, Mask]] = []
        self.asked: list[str] = []
        self.searched_again: list[str] = []
        self.refuses: set[str] = set()
        self.without_properties: list[str] = []
        self.ended: list[tuple[str, str]] = []
        self.answer = 1
        self.connections: dict[str, tuple[int, int]] = {}

    def create(self, name: str, row: int, generation: int) -> bool:
        if name in self.refuses:
            return False
        self.created[name] = (row, generation)
        return True

    def clear(self, name: str) -> None:
        self.created.pop(name, None)

    def search_again(self, name: str) -> None:
        if name in self.created:
            self.searched_again.append(name)

    def follow(self, name: str, dbr: int, count: int, mask: Mask) -> int:
        assert name in self.created
        self.followed.append((name, dbr, count))
        self.masks.append((name, mask))
        return self.answer

    def too_large(self, dbr: int, count: int) -> bool:
        return count * ELEMENT_DTYPE[Dbr(dbr)].itemsize > 8_000_000

    def do_without_properties(self, name: str) -> None:
        assert name in self.created
        self.without_properties.append(name)

    def end_values(self, name: str) -> None:
        assert name in self.created
        self.ended.append((name, "values"))

    def end_metadata(self, name: str) -> None:
        assert name in self.created
        self.ended.append((name, "metadata"))

    def follow_mask(self, name: str, mask: Mask) -> None:
        assert name in self.created
        self.masks.append((name, mask))

    def native_type_of(self, name: str) -> tuple[int, int] | None:
        return self.connections.get(name)

    def ask(self, name: str) -> None:
        assert name in self.created
        self.asked.append(name)

    def host(self, name: str) -> str:
        assert name in self.created
        return "ioc:5064"


class HandledPv:
    """The PV of a condition as the test sets it; None: it is not connected."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self.value: float | str | None = None
        self.closed = False

    def close(self) -> None:
        self.closed = True


class CommitByHand(CommitThread):
    """Commits when told to, in the caller's thread, so that a kill can be staged in the middle of it. written: the batches."""

    def __init__(self, *arguments: Any) -> None:
        self.written: list[Batch] = []
        super().__init__(*arguments)

    def _run(self) -> None:
        """No thread of its own."""

    def write_next(self) -> bool:
        """Write the oldest commit; False when there is none."""
        try:
            commit = self._queue.get_nowait()
        except queue.Empty:
            return False
        assert commit is not None
        self._write(commit)
        self.written.append(commit.batch)
        return True


class Archive:
    """What outlives an engine: run directory, spool and registry; and the ioc's side of it."""

    def __init__(self, directory: Path, rows: int = ROWS, ring_bytes: int = 1) -> None:
        self.directories = Directories(directory)
        self.directories.run.mkdir(parents=True)
        self.table = ChannelTable(self.directories.run)
        self.table.create(rows)
        ring = EventRing(self.directories.ring)
        ring.create(ring_bytes, rows)
        ring.close()
        self.spool = SpoolDirectory(self.directories.spool)
        self.spool.create()
        self.registry = Registry(self.directories.registry)
        self.rows = ChannelRows(self.table, [], self.registry.removed_rows, self.registry.groups)

    def change(self, change: Change) -> None:
        """Bring a change into registry and table, as the ioc process does."""
        revision = self.registry.revision + 1
        self.registry.commit(change, (), revision)
        self.registry.accept(change, revision)
        self.rows.write(change, revision)

    def group(self, number: int, name: str, condition: str = "", enable: bool = True) -> None:
        """Make a group, or change it."""
        self.change(Change(groups=(ArchivedGroup(number, DeclaredGroup(name, enable, condition)),)))

    def add(self, name: str, **settings: object) -> int:
        """Archive a channel; its row."""
        ((row, generation),) = self.rows.pick(1)
        wanted = ChannelSettings(**settings)  # type: ignore[arg-type]
        self.change(Change(added=(ArchivedChannel(name, row, generation, wanted, wanted),)))
        return row

    def set(self, name: str, **changes: object) -> None:
        """Change settings of a channel."""
        self.change(Change(changed=(self.registry.channels[name].with_changes(changes, self.registry.layers),)))

    def remove(self, name: str) -> None:
        """End a channel."""
        self.change(Change(removed=(self.registry.channels[name],)))

    def published(self) -> list[Batch]:
        """The batches in the spool, oldest first."""
        entries = (*self.spool.waiting(), *self.spool.claimed())
        files = [read_spool_file(entry.path) for entry in sorted(entries, key=lambda entry: entry.batch_id)]
        batches = [decode_columns(file.payload) for file in files]
        for file, batch in zip(files, batches, strict=True):
            assert file.samples == len(batch.samples)
        return batches

    def close(self) -> None:
        self.registry.close()
        self.table.close()


class Engine:
    """One life of the engine, as `archioc.engine.collector_process` sets it up."""

    def __init__(
        self,
        archive: Archive,
        now: int,
        spool: SpoolDirectory | None = None,
        make_ring: Callable[[Path], EventRing] = EventRing,
        config: Spool | None = None,
        commits: type[CommitThread] = CommitByHand,
        last: LastRun | None = None,
        shared_store: bool = False,
    ) -> None:
        self.archive = archive
        self.table = ChannelTable(archive.directories.run)
        self.table.open()
        self.ring = make_ring(archive.directories.ring)
        self.ring.open()
        spool = spool or archive.spool
        recover(self.table, spool)
        self.sampler = Sampler(self.table.capacity)
        self.sampler.memory.load(self.table.ledger.cells, self.table.ledger.head)
        self.sampler.withheld.restore()
        ledger = self.table.ledger.head
        self.ring.rewind(int(ledger["ring_slot"][0]), int(ledger["ring_bulk"][0]))
        self.callback = PinnedCallback(self.ring)
        self.access = RecordedAccess()
        open_gaps = OpenGapsFile(archive.directories.open_gaps)
        self.reader = RegistryReader(archive.directories.registry)
        self.conditions: list[HandledPv] = []
        self.groups = Groups(self.table, self._watch)
        access = cast("ChannelAccess", self.access)
        self.channels = Channels(
            self.table,
            self.reader,
            access,
            self.sampler,
            self.groups,
            open_gaps.read(),
            Removals(self.reader, last, sharded=archive.registry.content.shard is not ALONE),
            shared_store=shared_store,
        )
        self.channels.follow(now)
        encoder = ColumnEncoder("embedded")
        named = self.channels.name_of
        sent = AuditSentFile(archive.directories.audit_sent)
        self.commits: CommitThread = commits(self.table, self.ring, spool, encoder, config or Spool(min_free=0), open_gaps, sent, named)
        audit = AuditTrail(self.reader, sent.read())
        self.collector = Collector(self.table, self.ring, self.sampler, self.channels, self.commits, audit)

    def _watch(self, condition: Condition) -> HandledPv:
        self.conditions.append(HandledPv(condition))
        return self.conditions[-1]

    def write(self) -> None:
        """Cut what is open and write all that waits."""
        assert isinstance(self.commits, CommitByHand)
        self.collector.cut()
        while self.commits.write_next():
            pass

    def connect(self, name: str, dbr: Dbr = Dbr.DOUBLE, count: int = 1) -> None:
        """Have libca tell that a channel connected."""
        row, generation = self.access.created[name]
        connect(self.callback, row, generation, True, dbr, count)

    def disconnect(self, name: str) -> None:
        """Have libca tell that a channel disconnected."""
        row, generation = self.access.created[name]
        connect(self.callback, row, generation, False)

    def deliver(self, name: str, value: float, stamp: int) -> None:
        """Have libca deliver a number."""
        row, generation = self.access.created[name]
        hand_over(self.callback, Delivery(row, Dbr.DOUBLE, False, np.float64(value).tobytes(), stamp, generation=generation))

    def stop(self, now: int) -> None:
        """Stop in order: all there is goes to the spool."""
        self.collector.stop(now)
        if isinstance(self.commits, CommitByHand):
            self.write()
            self.commits._tell_the_rest()
        else:
            self.collector.cut_all()
            assert self.commits.finish(5.0)
        self.kill()

    def replay(self, since: int) -> int:
        """Take up what the engine before this one had not committed."""
        return self.collector.replay(LastRun(Reason.ENGINE_RESTART, since, 0))

    def kill(self) -> None:
        """End without a further act."""
        del self.callback  # it keeps the ring mapped
        self.reader.close()
        self.ring.close()
        self.table.close()


def events(archive: Archive) -> list[ChannelEvent]:
    """The events in the spool, oldest first."""
    return [event for batch in archive.published() for event in batch.events]


def send(engine: Engine, name: str, *values: float) -> None:
    """Have libca deliver numbers with the stamp of now."""
    for value in values:
        engine.deliver(name, value, time.time_ns())


def numbers(batches: Sequence[Batch], name: str, generated: bool = False) -> list[float]:
    """Values of a channel in these batches, by time; generated: also the generated samples."""
    found = [
        (int(one["time"]), float(one["value"]))
        for batch in batches
        for one in batch.samples
        if batch.names[int(one["row"])] == name and (generated or not one["flags"] & SampleFlag.GENERATED)
    ]
    return [value for _, value in sorted(found)]


def newest(batches: Sequence[Batch], name: str) -> int:
    """Time of the newest sample of a channel that its IOC has sent (ns)."""
    found = [
        int(one["time"])
        for batch in batches
        for one in batch.samples
        if batch.names[int(one["row"])] == name and not one["flags"] & SampleFlag.GENERATED
    ]
    return max(found)
