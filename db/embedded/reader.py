"""Queries of the embedded store."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import numpy as np
import orjson

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.audit import AuditRecord
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.errors import QueryError
from archioc.core.events import GAPS, ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta
from archioc.db.alarm_columns import AlarmColumns
from archioc.db.bins import BIN_COLUMNS, Bins, Grid, Within
from archioc.db.embedded import statements as sql
from archioc.db.embedded.day_files import DayFiles, day_of
from archioc.db.embedded.statement_limit import StatementLimit
from archioc.db.sample_columns import Array, SampleColumns, merge_by_time, newest_of_each_time
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
        self._numbers: dict[str, int] = {}

    def samples(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[SampleColumns]:
        """Samples with start <= time <= end in chunks, after the last one before if wanted."""
        number = self._number(channel)
        if number is None:
            return
        if with_previous and (previous := self._last(number, start_ns - 1)) is not None:
            yield previous
        for day in self._days(start_ns, end_ns):
            yield from self._day_samples(day, number, start_ns, end_ns)

    def last_before(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The last sample with time < `t_ns`."""
        return self.at(channel, t_ns - 1)

    def at(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The sample in force at a time."""
        number = self._number(channel)
        return None if number is None else self._last(number, t_ns)

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
        found = Bins.empty(grid.starts)
        number = self._number(channel)
        if number is None:
            return found
        begin_ns, upto_ns = grid.part(within)
        for day in _in_time(self._days(begin_ns, upto_ns - 1)):
            lines = self._fetch(day, sql.BINS, number, begin_ns, upto_ns - 1, origin=start_ns, width=grid.width_ns)
            found.add(Bins(**{name: np.ma.filled(lines[name], _absent(dtype)).astype(dtype) for name, dtype in BIN_COLUMNS.items()}))
        return found

    def alarms(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[AlarmColumns]:
        """Alarm states with start <= time <= end in chunks, after the one in force at the start if wanted."""
        number = self._number(channel)
        if number is None:
            return
        if with_previous:
            for day in _in_time(reversed(self._days(0, start_ns - 1))):
                last = self._last_time(day, sql.LAST_ALARM, number, start_ns - 1)
                if last is not None:
                    yield self._alarms(day, number, last, last)
                    break
        for day in self._days(start_ns, end_ns):
            for window in self._windows(day, sql.WEIGHT_OF_ALARMS, number, start_ns, end_ns):
                yield self._alarms(day, number, *window)

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

    def close(self) -> None:
        """Close all files."""
        self._files.close()

    def _number(self, channel: str) -> int | None:
        """The catalog's number of a channel, which it keeps for good."""
        if channel not in self._numbers:
            with self._files.catalog() as cursor, _answering(cursor):
                found = cursor.execute("select id from channel where name = ?", [channel]).fetchone()
            if found is None:
                return None
            self._numbers[channel] = int(found[0])
        return self._numbers[channel]

    def _days(self, start_ns: int, end_ns: int) -> list[str]:
        first, last = day_of(start_ns), day_of(end_ns)
        return [day for day in self._files.days() if first <= day <= last] if start_ns <= end_ns else []

    def _last(self, number: int, t_ns: int) -> SampleColumns | None:
        """The last sample with time <= `t_ns`."""
        for day in _in_time(reversed(self._days(0, t_ns))):
            last = self._last_time(day, sql.LAST_SAMPLE, number, t_ns)
            if last is not None:
                return next(self._day_samples(day, number, last, last))
        return None

    def _last_time(self, day: str, statement: str, number: int, t_ns: int) -> int | None:
        with self._files.day(day) as cursor, _answering(cursor):
            found = cursor.execute(statement, {"channel": number, "end": min(t_ns, MAX_TIME)}).fetchone()
        return None if found is None else found[0]

    def _day_samples(self, day: str, number: int, start_ns: int, end_ns: int) -> Iterator[SampleColumns]:
        moment = [(start_ns, end_ns)] if start_ns == end_ns else None  # it has one sample at most
        scalars = moment or self._windows(day, sql.WEIGHT_OF_SCALARS, number, start_ns, end_ns)
        arrays = moment or self._windows(day, sql.WEIGHT_OF_ARRAYS, number, start_ns, end_ns)
        return merge_by_time(
            [
                self._scalars(day, number, scalars),
                (_arrays(self._fetch(day, sql.ARRAYS, number, *window)) for window in arrays),
            ]
        )

    def _scalars(self, day: str, number: int, windows: Iterable[tuple[int, int]]) -> Iterator[SampleColumns]:
        """Samples of each window; texts are asked for from the first one on that has any."""
        texts = False
        for window in windows:
            found = self._fetch(day, sql.SCALARS if texts else sql.NUMBERS, number, *window)
            if not texts and found["is_text"].any():
                texts = True
                found = self._fetch(day, sql.SCALARS, number, *window)
            yield _scalars(found)

    def _alarms(self, day: str, number: int, start_ns: int, end_ns: int) -> AlarmColumns:
        found = self._fetch(day, sql.ALARMS, number, start_ns, end_ns)
        newest = np.append(found["time"][1:] != found["time"][:-1], True)
        return AlarmColumns(*(np.asarray(found[name])[newest] for name in ("time", "severity", "status")))

    def _windows(
        self, day: str, weigh: str, number: int, start_ns: int, end_ns: int, bucket_ns: int = sql.FIRST_BUCKET_NS
    ) -> Iterator[tuple[int, int]]:
        """Consecutive spans of time (both ends included) whose lines together weigh at most 1, or that are as short as they can be."""
        buckets = self._fetch(day, weigh, number, start_ns, end_ns, bucket=bucket_ns)
        begin, held = start_ns, 0.0
        for bucket, weight in zip(buckets["bucket"].tolist(), buckets["weight"].tolist(), strict=True):
            bucket_begin, bucket_end = max(start_ns, bucket * bucket_ns), min(end_ns, (bucket + 1) * bucket_ns - 1)
            if held and held + weight > 1:
                yield begin, bucket_begin - 1
                begin, held = bucket_begin, 0.0
            if weight > 1 and bucket_ns > 1:
                yield from self._windows(day, weigh, number, bucket_begin, bucket_end, max(1, bucket_ns // sql.BUCKET_SPLIT))
                begin = bucket_end + 1
            else:
                held += weight
        if held:
            yield begin, end_ns

    def _fetch(self, day: str, statement: str, number: int, start_ns: int, end_ns: int, **more: int) -> dict[str, Any]:
        asked = {"channel": number, "start": max(start_ns, -MAX_TIME), "end": min(end_ns, MAX_TIME), **more}
        with self._files.day(day) as cursor, _answering(cursor):
            found: dict[str, Any] = cursor.execute(statement, asked).fetchnumpy()
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
        raise QueryError(f"the embedded store cannot answer: {error}") from None


def _in_time(days: Iterable[str]) -> Iterator[str]:
    """The days, for QUERY_S."""
    until = time.monotonic() + QUERY_S
    for day in days:
        if time.monotonic() > until:
            raise QueryError(f"the embedded store has worked for {QUERY_S:.0f} s on this query; ask for a shorter range")
        yield day


def _absent(dtype: str) -> float:
    return np.nan if dtype == "<f8" else 0


def _common(found: dict[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(found[name]) for name in ("time", "severity", "status", "flags", "src_time")}


def _scalars(found: dict[str, Any]) -> SampleColumns:
    n = len(found["time"])
    text: list[str | None] = found["text"].tolist() if "text" in found else [None] * n
    value = np.ma.filled(found["value"], np.nan)  # what DuckDB takes from numpy has NULL for NaN
    columns = SampleColumns(**_common(found), value=value, text=text, arrays=[None] * n)
    return newest_of_each_time(columns)


def _arrays(found: dict[str, Any]) -> SampleColumns:
    data = found["data"].tolist()
    arrays: list[Array | None] = [
        None if one is None else np.frombuffer(one, ELEMENT_DTYPE[Dbr(dbr)]) for one, dbr in zip(data, found["dbr"].tolist(), strict=True)
    ]
    numbers = zip(*(np.ma.filled(found[name], np.nan).tolist() for name in ("min", "max", "mean", "std")), strict=True)
    reduced = [ArrayStatistics(n, *four) if one is None else None for one, n, four in zip(data, found["n"].tolist(), numbers, strict=True)]
    n = len(arrays)
    columns = SampleColumns(**_common(found), value=np.full(n, np.nan), text=[None] * n, arrays=arrays, reduced=reduced)
    return newest_of_each_time(columns)
