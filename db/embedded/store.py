"""The embedded store: DuckDB files in a directory, opened by one process alone.

Nothing keeps a sample from being inserted twice but the batch ids that are committed with the
samples; where a channel has two samples with the same time, queries answer the one inserted last.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import orjson
import structlog

from archioc.core.audit import AuditRecord
from archioc.core.errors import StoreUnavailable
from archioc.core.events import GAPS, ChannelEvent
from archioc.core.spool.batch import Batch
from archioc.core.spool.encoding import EMBEDDED
from archioc.core.spool.encoding.columns import decode_columns
from archioc.core.spool.encoding.line_fields import AUDIT_TEXTS
from archioc.core.spool.spool import SpoolFile
from archioc.db.embedded.backing_up import copy_files
from archioc.db.embedded.damage import damage_in
from archioc.db.embedded.day_files import DayFiles
from archioc.db.embedded.days import LATE, day_of, place_name, places
from archioc.db.embedded.erasing import erase_in, places_of
from archioc.db.embedded.identity import add_names, transaction
from archioc.db.embedded.inserts import ChannelIds, insert_alarms, insert_samples
from archioc.db.embedded.reader import EmbeddedReader
from archioc.db.embedded.tables import CATALOG
from archioc.db.embedded.upkeep import Upkeep
from archioc.db.erasure import Erasure
from archioc.db.rejections import BEYOND, rejection_events
from archioc.db.store import Refusal, WriteOutcome, rows_of_samples

_log = structlog.get_logger()

PURGE_EVERY_S = 600.0
"""How often old files are looked for."""

_FORGET_EVENTS = """
delete from event where time < $cut and (channel, time, reason) in (
    select (channel, time, reason) from event group by channel, time, reason
    having max(end_ns) < $cut or not list_contains($gaps, reason))
"""
_FORGET_METAS = """
delete from meta where time < (select max(other.time) from meta other where other.channel = meta.channel and other.time <= $cut)
"""


class EmbeddedStore(EmbeddedReader):
    """Writes spool files into the files of a directory; queries are in EmbeddedReader.

    retention: samples older than this (s) are refused and, a whole day at a time, forgotten; None keeps all.
    """

    destination = EMBEDDED
    lanes = 1

    def __init__(self, directory: Path, retention: float | None = None, *, read_only: bool = False) -> None:
        super().__init__(DayFiles(directory, read_only=read_only))
        self._retention = retention
        self._names: set[str] | None = None
        self._purged_at = -PURGE_EVERY_S
        self._at_work = threading.Lock()
        self._upkeep = Upkeep(self._files, self._at_work, self._tell_losses, self.prepare)

    def prepare(self) -> None:
        """Open the store. Raises StoreUnavailable, also when another process has it open."""
        with self._at_work:
            self._names = None
            self._files.open()
        if not self._files.read_only:
            self._upkeep.begin()

    def write(self, file: SpoolFile) -> WriteOutcome:
        """Store a file that has not been stored yet. Raises StoreUnavailable."""
        try:
            batch = decode_columns(file.payload)
        except ValueError as error:
            everything = file.counts["samples"].astype(np.int64)
            return WriteOutcome(everything, everything, (Refusal(file.payload, str(error)),), remark=str(error))
        with self._at_work, _storing():
            self._purge()
            outcome = self._write(file, batch)
            self._tell_losses()
        return outcome

    def _write(self, file: SpoolFile, batch: Batch) -> WriteOutcome:
        changed = self._write_catalog(file.batch_id, batch)
        samples, cut = batch.samples, self._cut()
        too_old = samples["time"] < cut
        rejected = np.bincount(rows_of_samples(file)[too_old], minlength=len(file.counts)).astype(np.int64)
        kept, alarms = samples[~too_old], batch.alarms[batch.alarms["time"] >= cut]
        of_samples, of_alarms = places(kept["time"], file.committed_ns), places(alarms["time"], file.committed_ns)
        for place in np.union1d(of_samples, of_alarms).tolist():
            part = _Part(file.batch_id, kept[of_samples == place], alarms[of_alarms == place], batch)
            self._insert(place_name(place), part)
            changed.append(place_name(place))
        self._files.committed.note(changed, file.batch_id)
        if not too_old.any():
            return WriteOutcome.all_stored(file)
        channels = {entry: batch.names[row] for entry, row in enumerate(file.counts["row"].tolist())}
        at_ns = max(file.committed_ns, cut)
        events = tuple(rejection_events(channels, rejected, rejected, at_ns, ""))
        return WriteOutcome(rejected, np.zeros_like(rejected), events=events, remark=f"{rejected.sum()} samples are {BEYOND}")

    def _insert(self, place: str, part: _Part) -> None:
        """Bring a part of a batch into a file; where that is found damaged, into the new one that takes its place."""
        try:
            self._insert_once(place, part)
        except duckdb.Error as error:
            if damage_in(error) is None:
                raise
            self._insert_once(place, part)

    def _insert_once(self, place: str, part: _Part) -> None:
        with self._files.day(place) as cursor:
            if cursor.execute("select 1 from batch where id = ?", [part.batch_id]).fetchone():
                return
            known, new = self._files.numbers.with_new(cursor, place, part.names)
            with transaction(cursor):
                cursor.execute("insert into batch values (?)", [part.batch_id])
                _insert(cursor, "insert into channel by name select * from arrived", id=list(new.values()), name=list(new))
                numbers = known | new if new else known
                insert_samples(cursor, part.samples, _numbers(part.samples, part.batch, numbers), part.batch.blobs)
                insert_alarms(cursor, part.alarms, _numbers(part.alarms, part.batch, numbers))
            known.update(new)

    def write_events(self, events: Sequence[ChannelEvent]) -> None:
        """Store events of our own. Raises StoreUnavailable."""
        with self._at_work, _storing(), self._files.catalog() as cursor, transaction(cursor):
            _insert_events(cursor, events)

    def erase(self, erasure: Erasure, order: AuditRecord | None) -> Iterator[int]:
        """Delete what lies in a span, file by file; the number of samples in each. order: for the audit; None: only count."""
        if order is not None:
            with self._at_work, _storing(), self._files.catalog() as cursor, transaction(cursor):
                _insert_audit(cursor, [order])
                _insert_events(cursor, erasure.events(order))
        for place in places_of(self._files, erasure):
            with self._at_work, _storing():
                count = erase_in(self._files, place, erasure, dry=order is None)
            yield count

    def copy_files(self, target: Path) -> Iterator[str]:
        """Copy each file into a directory and name it. Raises StoreUnavailable."""
        return copy_files(self._files, target, self._at_work)

    @property
    def warning(self) -> str:
        """Files that were set aside as damaged, until a person takes them away."""
        return self._files.damaged.words()

    @property
    def damaged(self) -> int:
        """How many files were set aside as damaged."""
        return len(self._files.damaged.names())

    def interrupt(self) -> None:
        """End queries that run, and refuse others: the store is to be closed."""
        self._files.interrupt()

    def close(self) -> None:
        """Close all files."""
        self._upkeep.end()
        super().close()

    def _write_catalog(self, batch_id: int, batch: Batch) -> list[str]:
        """Names, metadata, events and audit; the catalog's name where that has changed it."""
        rows = np.union1d(batch.samples["row"], batch.alarms["row"])
        used = {batch.names[row] for row in rows.tolist()}
        if self._names is None:
            with self._files.catalog() as cursor:
                self._names = {name for (name,) in cursor.execute("select name from channel").fetchall()}
        new = sorted(used - self._names)
        if not (new or batch.metas or batch.events or batch.audit):
            return []
        with self._files.catalog() as cursor, transaction(cursor):
            add_names(cursor, new)
            _insert(
                cursor,
                "insert into meta by name select * from arrived",
                channel=[meta.channel for meta in batch.metas],
                time=[meta.time_ns for meta in batch.metas],
                content=[orjson.dumps(dataclasses.asdict(meta)).decode() for meta in batch.metas],
            )
            _insert_events(cursor, batch.events)
            _insert_audit(cursor, batch.audit)
            cursor.execute("update archive set batch = greatest(batch, ?)", [batch_id])
        self._names.update(new)
        return [CATALOG]

    def _tell_losses(self) -> None:
        """Write events of what was lost with files that were set aside. Raises duckdb.Error, OSError, StoreUnavailable."""
        damaged = self._files.damaged
        if not damaged.has_unreported:
            return
        losses = damaged.unreported()
        with self._files.catalog() as cursor, transaction(cursor):
            channels = [name for (name,) in cursor.execute("select name from channel").fetchall()]
            for loss in losses.values():
                _insert_events(cursor, list(loss.events(channels)))
        damaged.reported(losses)

    def _cut(self) -> int:
        """Before this (ns since 1970) nothing is kept."""
        return 0 if self._retention is None else time.time_ns() - int(self._retention * 1e9)

    def _purge(self) -> None:
        """Forget what is beyond the retention, now and then."""
        if self._retention is None or time.monotonic() - self._purged_at < PURGE_EVERY_S:
            return
        self._purged_at = time.monotonic()
        cut = self._cut()
        for day in self._files.days():
            if day < day_of(cut) and self._files.remove(day):
                _log.info("store_day_dropped", day=day)
        if self._files.has_late:
            with self._files.day(LATE) as cursor, transaction(cursor):
                for table in ("sample", "array_sample", "alarm"):
                    cursor.execute(f"delete from {table} where time < $cut", {"cut": cut})  # noqa: S608 - constants
        with self._files.catalog() as cursor, transaction(cursor):
            cursor.execute(_FORGET_EVENTS, {"cut": cut, "gaps": [int(reason) for reason in GAPS]})
            cursor.execute(_FORGET_METAS, {"cut": cut})
            cursor.execute("delete from audit where time < $cut", {"cut": cut})


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What of a batch goes into one file."""

    batch_id: int
    samples: npt.NDArray[np.void]
    alarms: npt.NDArray[np.void]
    batch: Batch

    @property
    def names(self) -> set[str]:
        """Its channels."""
        return {self.batch.names[row] for row in np.union1d(self.samples["row"], self.alarms["row"]).tolist()}


@contextlib.contextmanager
def _storing() -> Iterator[None]:
    """Whatever DuckDB cannot do is tried again: the batch is kept. Raises StoreUnavailable."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise StoreUnavailable(f"the embedded store cannot be written: {' '.join(str(error).split())}") from error


def _insert(cursor: duckdb.DuckDBPyConnection, statement: str, **columns: list[Any]) -> None:
    """Run an insert from `arrived`, all lines at once: one by one costs DuckDB half a millisecond each."""
    if all(columns.values()):
        cursor.register("arrived", {name: np.array(column, object) for name, column in columns.items()})
        cursor.execute(statement)


def _numbers(column: npt.NDArray[np.void], batch: Batch, known: dict[str, int]) -> ChannelIds:
    """The file's number of the channel of each sample or alarm."""
    rows, inverse = np.unique(column["row"], return_inverse=True)
    return np.array([known[batch.names[row]] for row in rows.tolist()], np.uint32)[inverse]


def _insert_events(cursor: duckdb.DuckDBPyConnection, events: Sequence[ChannelEvent]) -> None:
    _insert(
        cursor,
        "insert into event by name select * from arrived",
        channel=[event.channel for event in events],
        time=[event.time_ns for event in events],
        reason=[int(event.reason) for event in events],
        end_ns=[event.end_ns for event in events],
        count=[event.count for event in events],
        text=[event.text for event in events],
    )


def _insert_audit(cursor: duckdb.DuckDBPyConnection, audit: Sequence[AuditRecord]) -> None:
    """Puts that are not there yet: after a kill they may come once more."""
    _insert(
        cursor,
        "insert into audit by name select * from arrived where (time, pv) not in (select (time, pv) from audit)",
        time=[record.time_ns for record in audit],
        pv=[record.pv for record in audit],
        **{name: [getattr(record, name) for record in audit] for name in AUDIT_TEXTS},
    )
