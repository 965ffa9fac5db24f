"""The embedded store: DuckDB files in a directory, opened by one process alone.

Nothing keeps a sample from being inserted twice but the batch ids that are committed with the
samples; where a channel has two samples with the same time, queries answer the one inserted last.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
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
from archioc.db.embedded.day_files import DAY_NS, DayFiles, day_of
from archioc.db.embedded.inserts import ChannelIds, insert_alarms, insert_samples
from archioc.db.embedded.reader import EmbeddedReader
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
        self._ids: dict[str, int] | None = None
        self._purged_at = -PURGE_EVERY_S

    def prepare(self) -> None:
        """Open the store. Raises StoreUnavailable, also when another process has it open."""
        self._files.open()

    def write(self, file: SpoolFile) -> WriteOutcome:
        """Store a file that has not been stored yet. Raises StoreUnavailable."""
        try:
            batch = decode_columns(file.payload)
        except ValueError as error:
            everything = file.counts["samples"].astype(np.int64)
            return WriteOutcome(everything, everything, (Refusal(file.payload, str(error)),), remark=str(error))
        try:
            self._purge()
            return self._write(file, batch)
        except duckdb.OperationalError as error:
            raise StoreUnavailable(f"the embedded store cannot be written: {error}") from None

    def _write(self, file: SpoolFile, batch: Batch) -> WriteOutcome:
        known = self._write_catalog(batch)
        samples = batch.samples
        too_old = samples["time"] < self._cut()
        rejected = np.bincount(rows_of_samples(file)[too_old], minlength=len(file.counts)).astype(np.int64)
        channel = _numbers(samples, batch, known)
        days = samples["time"] // DAY_NS
        alarms = batch.alarms[batch.alarms["time"] >= self._cut()]
        alarm_channel, alarm_days = _numbers(alarms, batch, known), alarms["time"] // DAY_NS
        for day in np.union1d(days[~too_old], alarm_days).tolist():
            here, alarm_here = (days == day) & ~too_old, alarm_days == day
            with self._files.day(day_of(day * DAY_NS)) as cursor:
                if cursor.execute("select 1 from batch where id = ?", [file.batch_id]).fetchone():
                    continue
                with _Transaction(cursor):
                    cursor.execute("insert into batch values (?)", [file.batch_id])
                    insert_samples(cursor, samples[here], channel[here], batch.blobs)
                    insert_alarms(cursor, alarms[alarm_here], alarm_channel[alarm_here])
        if not too_old.any():
            return WriteOutcome.all_stored(file)
        channels = {entry: batch.names[row] for entry, row in enumerate(file.counts["row"].tolist())}
        at_ns = max(file.committed_ns, self._cut())
        events = tuple(rejection_events(channels, rejected, rejected, at_ns, ""))
        return WriteOutcome(rejected, np.zeros_like(rejected), events=events, remark=f"{rejected.sum()} samples are {BEYOND}")

    def write_events(self, events: Sequence[ChannelEvent]) -> None:
        """Store events of our own. Raises StoreUnavailable."""
        try:
            with self._files.catalog() as cursor, _Transaction(cursor):
                _insert_events(cursor, events)
        except duckdb.OperationalError as error:
            raise StoreUnavailable(f"the embedded store cannot be written: {error}") from None

    @property
    def warning(self) -> str:
        """It has no limits but the disk."""
        return ""

    def _write_catalog(self, batch: Batch) -> dict[str, int]:
        """Channels, metadata, events and audit; the ids of all channels that have samples or alarms."""
        with self._files.catalog() as cursor:
            if self._ids is None:
                self._ids = dict(cursor.execute("select name, id from channel").fetchall())
            rows = np.union1d(batch.samples["row"], batch.alarms["row"])
            used = {batch.names[row] for row in rows.tolist()}
            new = {name: len(self._ids) + at for at, name in enumerate(sorted(used - self._ids.keys()))}
            if new or batch.metas or batch.events or batch.audit:
                with _Transaction(cursor):
                    _insert(cursor, "insert into channel by name select * from arrived", name=list(new), id=list(new.values()))
                    _insert(
                        cursor,
                        "insert into meta by name select * from arrived",
                        channel=[meta.channel for meta in batch.metas],
                        time=[meta.time_ns for meta in batch.metas],
                        content=[orjson.dumps(dataclasses.asdict(meta)).decode() for meta in batch.metas],
                    )
                    _insert_events(cursor, batch.events)
                    _insert_audit(cursor, batch.audit)
                self._ids.update(new)
        return self._ids

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
        with self._files.catalog() as cursor, _Transaction(cursor):
            cursor.execute(_FORGET_EVENTS, {"cut": cut, "gaps": [int(reason) for reason in GAPS]})
            cursor.execute(_FORGET_METAS, {"cut": cut})
            cursor.execute("delete from audit where time < $cut", {"cut": cut})


class _Transaction:
    """All that happens within is committed, or nothing."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor

    def __enter__(self) -> None:
        self._cursor.begin()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._cursor.commit()
        else:
            self._cursor.rollback()


def _insert(cursor: duckdb.DuckDBPyConnection, statement: str, **columns: list[Any]) -> None:
    """Run an insert from `arrived`, all lines at once: one by one costs DuckDB half a millisecond each."""
    if all(columns.values()):
        cursor.register("arrived", {name: np.array(column, object) for name, column in columns.items()})
        cursor.execute(statement)


def _numbers(column: npt.NDArray[np.void], batch: Batch, known: dict[str, int]) -> ChannelIds:
    """The catalog's number of the channel of each sample or alarm."""
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
