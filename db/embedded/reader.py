"""Queries of the embedded store."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import numpy as np
import orjson

from archioc.core.audit import AuditRecord
from archioc.core.errors import QueryError, StoreUnavailable
from archioc.core.events import GAPS, ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta
from archioc.db.alarm_columns import AlarmColumns
from archioc.db.bins import BIN_COLUMNS, Bins, Grid, Within, bins_of
from archioc.db.embedded import statements as sql
from archioc.db.embedded.answered_columns import NO_ALARMS, array_columns, merge_alarms, scalar_columns
from archioc.db.embedded.day_files import DayFiles
from archioc.db.embedded.days import LATE, day_of
from archioc.db.embedded.identity import missing_files
from archioc.db.embedded.statement_limit import StatementLimit
from archioc.db.embedded.tables import CATALOG, tables_of
from archioc.db.sample_columns import SampleColumns, merge_by_time
from archioc.db.store import MAX_EVENTS, QUERY_S, bounded, glob_filter

STATEMENT_S = 60.0
"""Longest that DuckDB may work on one statement; a query consists of several for each day."""

MAX_TIME = 2**63 - 1
"""The last time that the store can hold."""

_LIMIT = StatementLimit()


class EmbeddedReader:
    """The reading half of the embedded store."""

    def __init__(self, files: DayFiles) -> None:
        self._files = files

    def samples(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[SampleColumns]:
        """Samples with start <= time <= end in chunks, after the last one before if wanted."""
        if with_previous and (previous := self._last(channel, start_ns - 1)) is not None:
            yield previous
        of_days = (chunk for day in self._days(start_ns, end_ns) for chunk in self._file_samples(day, channel, start_ns, end_ns))
        if not self._files.has_late:
            yield from of_days
        else:
            yield from merge_by_time([of_days, self._file_samples(LATE, channel, start_ns, end_ns)])

    def last_before(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The last sample with time < `t_ns`."""
        return self.at(channel, t_ns - 1)

    def at(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The sample in force at a time."""
        return self._last(channel, t_ns)

    def bins(
        self,
        channel: str,
        start_ns: int,
        end_ns: int,
        count: int,
        *,
        times: bool = True,  # noqa: ARG002 - they cost nothing here
        within: Within | None = None,
    ) -> Bins:
        """Statistics of the numbers with start <= time < end in bins, made by DuckDB day by day."""
        grid = Grid.of(start_ns, end_ns, count)
        begin_ns, upto_ns = grid.part(within)
        if self._has_late(channel, begin_ns, upto_ns - 1):  # some of them may replace samples in the files of their days
            return bins_of(grid, self.samples(channel, begin_ns, upto_ns - 1, with_previous=False))
        found = Bins.empty(grid.starts)
        for day in _in_time(self._days(begin_ns, upto_ns - 1)):
            lines = self._fetch(day, sql.BINS, channel, begin_ns, upto_ns - 1, origin=start_ns, width=grid.width_ns)
            if lines is not None:
                found.add(Bins(**{name: np.ma.filled(lines[name], _absent(dtype)).astype(dtype) for name, dtype in BIN_COLUMNS.items()}))
        return found

    def alarms(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[AlarmColumns]:
        """Alarm states with start <= time <= end in chunks, after the one in force at the start if wanted."""
        if with_previous and (found := self._newest(channel, start_ns - 1, sql.LAST_ALARM)) is not None:
            place, last = found
            yield self._alarms(place, channel, last, last)
        of_days = (chunk for day in self._days(start_ns, end_ns) for chunk in self._file_alarms(day, channel, start_ns, end_ns))
        if not self._files.has_late:
            yield from of_days
        else:
            yield from merge_alarms([*of_days], [*self._file_alarms(LATE, channel, start_ns, end_ns)])

    def _file_alarms(self, place: str, channel: str, start_ns: int, end_ns: int) -> Iterator[AlarmColumns]:
        for window in self._windows(place, sql.WEIGHT_OF_ALARMS, channel, start_ns, end_ns):
            yield self._alarms(place, channel, *window)

    def names(self, pattern: str = "*") -> Iterator[str]:
        """Channels that have or had samples or alarms."""
        with self._files.catalog() as cursor, _answering(cursor):
            names = [name for (name,) in cursor.execute("select name from channel order by name").fetchall()]
        return filter(glob_filter(pattern), names)

    def events(self, channel: str, start_ns: int, end_ns: int) -> list[ChannelEvent]:
        """Moments in the range and gaps that overlap with it."""
        asked = {"channel": channel, "start": start_ns, "end": end_ns, "gaps": [int(reason) for reason in GAPS], "most": MAX_EVENTS + 1}
        with self._files.catalog() as cursor, _answering(cursor):
            lines = cursor.execute(sql.EVENTS, asked).fetchall()
        return bounded(channel, (ChannelEvent(channel, time_ns, Reason(reason), *rest) for time_ns, reason, *rest in lines))

    def archivers(self, channel: str) -> list[str]:  # noqa: ARG002 - as the protocol has it
        """Nobody else writes here."""
        return []

    def meta(self, channel: str, at_ns: int) -> ChannelMeta | None:
        """What the IOC told last at or before a time."""
        with self._files.catalog() as cursor, _answering(cursor):
            found = cursor.execute(sql.META, {"channel": channel, "at": at_ns}).fetchone()
        if found is None:
            return None
        fields = orjson.loads(found[0])
        return ChannelMeta(**{**fields, "labels": tuple(fields["labels"])})

    def audit(self, start_ns: int, end_ns: int) -> list[AuditRecord]:
        """Puts by clients with start <= time <= end."""
        asked = {"start": start_ns, "end": end_ns, "most": MAX_EVENTS + 1}
        with self._files.catalog() as cursor, _answering(cursor):
            lines = cursor.execute(sql.AUDIT, asked).fetchall()
        return bounded("audit", (AuditRecord(*line) for line in lines))

    def faults(self, *, deep: bool) -> Iterator[list[str]]:
        """What is wrong with each file."""
        yield self._faults_of(CATALOG, deep)
        for name in [*self._files.days(), *([LATE] if self._files.has_late else [])]:
            yield self._faults_of(name, deep)
        yield [f"{self._files.path(name)}: is missing" for name in missing_files(self._files)]
        yield [f"{self._files.damaged.place / name}: was set aside as damaged" for name in self._files.damaged.names()]

    def _faults_of(self, name: str, deep: bool) -> list[str]:
        try:
            with self._files.catalog() if name == CATALOG else self._files.day(name) as cursor:
                for table in tables_of(name) if deep else ():
                    cursor.execute(f"select bit_xor(hash(line)) from {table} line").fetchall()  # noqa: S608 - constants
        except (duckdb.Error, StoreUnavailable) as error:
            return [f"{self._files.path(name)}: {' '.join(str(error).split())}"]
        return []

    def close(self) -> None:
        """Close all files."""
        self._files.close()

    def _days(self, start_ns: int, end_ns: int) -> list[str]:
        first, last = day_of(start_ns), day_of(end_ns)
        return [day for day in self._files.days() if first <= day <= last] if start_ns <= end_ns else []

    def _last(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The last sample with time <= `t_ns`."""
        found = self._newest(channel, t_ns, sql.LAST_SAMPLE)
        return None if found is None else next(self._file_samples(found[0], channel, found[1], found[1]))

    def _newest(self, channel: str, t_ns: int, statement: str) -> tuple[str, int] | None:
        """The file with what a channel has last at or before a time, and its time (ns)."""
        found = None
        for day in _in_time(reversed(self._days(0, t_ns))):
            if (last := self._last_time(day, statement, channel, t_ns)) is not None:
                found = day, last
                break
        late = self._last_time(LATE, statement, channel, t_ns) if self._files.has_late else None
        return (LATE, late) if late is not None and (found is None or late >= found[1]) else found

    def _last_time(self, place: str, statement: str, channel: str, t_ns: int) -> int | None:
        with self._files.day(place) as cursor, _answering(cursor):
            number = self._files.numbers.of(cursor, place, channel)
            if number is None:
                return None
            found = cursor.execute(statement, {"channel": number, "end": min(t_ns, MAX_TIME)}).fetchone()
        return None if found is None else found[0]

    def _has_late(self, channel: str, start_ns: int, end_ns: int) -> bool:
        """Whether samples of a channel with start <= time <= end came late."""
        if not self._files.has_late:
            return False
        last = self._last_time(LATE, sql.LAST_SAMPLE, channel, end_ns)
        return last is not None and last >= start_ns

    def _file_samples(self, day: str, channel: str, start_ns: int, end_ns: int) -> Iterator[SampleColumns]:
        moment = [(start_ns, end_ns)] if start_ns == end_ns else None  # it has one sample at most
        scalars = moment or self._windows(day, sql.WEIGHT_OF_SCALARS, channel, start_ns, end_ns)
        arrays = moment or self._windows(day, sql.WEIGHT_OF_ARRAYS, channel, start_ns, end_ns)
        return merge_by_time(
            [
                self._scalars(day, channel, scalars),
                (array_columns(found) for window in arrays if (found := self._fetch(day, sql.ARRAYS, channel, *window)) is not None),
            ]
        )

    def _scalars(self, day: str, channel: str, windows: Iterable[tuple[int, int]]) -> Iterator[SampleColumns]:
        """Samples of each window; texts are asked for from the first one on that has any."""
        texts = False
        for window in windows:
            found = self._fetch(day, sql.SCALARS if texts else sql.NUMBERS, channel, *window)
            if found is not None and not texts and found["is_text"].any():
                texts = True
                found = self._fetch(day, sql.SCALARS, channel, *window)
            if found is not None:
                yield scalar_columns(found)

    def _alarms(self, day: str, channel: str, start_ns: int, end_ns: int) -> AlarmColumns:
        found = self._fetch(day, sql.ALARMS, channel, start_ns, end_ns)
        if found is None:
            return NO_ALARMS
        newest = np.append(found["time"][1:] != found["time"][:-1], True)
        return AlarmColumns(*(np.asarray(found[name])[newest] for name in ("time", "severity", "status")))

    def _windows(
        self, day: str, weigh: str, channel: str, start_ns: int, end_ns: int, bucket_ns: int = sql.FIRST_BUCKET_NS
    ) -> Iterator[tuple[int, int]]:
        """Consecutive spans of time (both ends included) whose lines together weigh at most 1, or that are as short as they can be."""
        buckets = self._fetch(day, weigh, channel, start_ns, end_ns, bucket=bucket_ns)
        if buckets is None:
            return
        begin, held = start_ns, 0.0
        for bucket, weight in zip(buckets["bucket"].tolist(), buckets["weight"].tolist(), strict=True):
            bucket_begin, bucket_end = max(start_ns, bucket * bucket_ns), min(end_ns, (bucket + 1) * bucket_ns - 1)
            if held and held + weight > 1:
                yield begin, bucket_begin - 1
                begin, held = bucket_begin, 0.0
            if weight > 1 and bucket_ns > 1:
                yield from self._windows(day, weigh, channel, bucket_begin, bucket_end, max(1, bucket_ns // sql.BUCKET_SPLIT))
                begin = bucket_end + 1
            else:
                held += weight
        if held:
            yield begin, end_ns

    def _fetch(self, place: str, statement: str, channel: str, start_ns: int, end_ns: int, **more: int) -> dict[str, Any] | None:
        """Columns of what a file answers; None where it has nothing of the channel."""
        asked = {"start": max(start_ns, -MAX_TIME), "end": min(end_ns, MAX_TIME), **more}
        with self._files.day(place) as cursor, _answering(cursor):
            number = self._files.numbers.of(cursor, place, channel)
            if number is None:
                return None
            found: dict[str, Any] = cursor.execute(statement, {"channel": number, **asked}).fetchnumpy()
            return found


@contextlib.contextmanager
def _answering(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """What DuckDB cannot do, or not in STATEMENT_S, is a failed query."""
    try:
        with _LIMIT.within(STATEMENT_S, cursor):
            yield
    except duckdb.InterruptException:
        raise QueryError(f"the embedded store has worked for {STATEMENT_S:.0f} s on one step of a query; ask for a shorter range") from None
    except duckdb.Error as error:
        raise QueryError(f"the embedded store cannot answer: {' '.join(str(error).split())}") from error


def _in_time(days: Iterable[str]) -> Iterator[str]:
    """The days, for QUERY_S."""
    until = time.monotonic() + QUERY_S
    for day in days:
        if time.monotonic() > until:
            raise QueryError(f"the embedded store has worked for {QUERY_S:.0f} s on this query; ask for a shorter range")
        yield day


def _absent(dtype: str) -> float:
    return np.nan if dtype == "<f8" else 0
