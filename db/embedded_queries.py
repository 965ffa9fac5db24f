"""Queries of the embedded store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import orjson

from archioc.core.batch import ChannelMeta
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.errors import QueryError
from archioc.core.events import ChannelEvent, Reason
from db.day_files import DayFiles, day_of
from db.sample_columns import Array, SampleColumns, merge_by_time, newest_of_each_time
from db.store import CHUNK, concerns, glob_filter

ARRAY_CHUNK = 200
"""Array samples fetched at a time."""

_BUCKET_NS = 60_000_000_000

_COUNT_SCALARS = """
select time // $bucket as bucket, count(*) from sample where channel = $channel and time between $start and $end
group by bucket order by bucket
"""
_COUNT_ARRAYS = _COUNT_SCALARS.replace("from sample", "from array_sample")
_SCALARS = """
select time, value, severity, status, flags, src_time, text from sample
where channel = $channel and time between $start and $end order by time, rowid
"""
_ARRAYS = """
select time, severity, status, flags, src_time, dbr, data from array_sample
where channel = $channel and time between $start and $end order by time, rowid
"""
_LAST = """
select max(time) from (
    select max(time) as time from sample where channel = $channel and time < $before
    union all select max(time) from array_sample where channel = $channel and time < $before)
"""
_EVENTS = "select time, reason, end_ns, count, text from event where channel = $channel and time <= $end order by time, rowid"
_META = "select content from meta where channel = $channel and time <= $at order by time desc, rowid desc limit 1"


class EmbeddedReader:
    """The reading half of the embedded store."""

    def __init__(self, files: DayFiles) -> None:
        self._files = files

    def samples(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[SampleColumns]:
        """Samples with start <= time <= end in chunks, after the last one before if wanted."""
        number = self._number(channel)
        if number is None:
            return
        if with_previous and (previous := self.last_before(channel, start_ns)) is not None:
            yield previous
        first, last = day_of(start_ns), day_of(end_ns)
        for day in self._files.days():
            if first <= day <= last:
                yield from self._day_samples(day, number, start_ns, end_ns)

    def last_before(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The last sample with time < `t_ns`."""
        number = self._number(channel)
        if number is None:
            return None
        for day in reversed(self._files.days()):
            if day > day_of(t_ns):
                continue
            with _answering(), self._files.day(day) as cursor:
                found = cursor.execute(_LAST, {"channel": number, "before": t_ns}).fetchone()
            if found and found[0] is not None:
                return next(self._day_samples(day, number, found[0], found[0]))
        return None

    def names(self, pattern: str = "*") -> Iterator[str]:
        """Channels that have or had samples."""
        with _answering(), self._files.catalog() as cursor:
            names = [name for (name,) in cursor.execute("select name from channel order by name").fetchall()]
        return filter(glob_filter(pattern), names)

    def events(self, channel: str, start_ns: int, end_ns: int) -> list[ChannelEvent]:
        """Moments in the range and gaps that overlap with it."""
        found: dict[tuple[int, int], ChannelEvent] = {}
        with _answering(), self._files.catalog() as cursor:
            lines = cursor.execute(_EVENTS, {"channel": channel, "end": end_ns}).fetchall()
        for time_ns, reason, end, count, text in lines:
            before = found.get((time_ns, reason))
            known_end = before.end_ns if end is None and before is not None else end
            found[time_ns, reason] = ChannelEvent(channel, time_ns, Reason(reason), known_end, count, text)
        return [event for event in found.values() if concerns(event, start_ns, end_ns)]

    def meta(self, channel: str, at_ns: int) -> ChannelMeta | None:
        """What the IOC told last at or before a time."""
        with _answering(), self._files.catalog() as cursor:
            found = cursor.execute(_META, {"channel": channel, "at": at_ns}).fetchone()
        if found is None:
            return None
        fields = orjson.loads(found[0])
        return ChannelMeta(**{**fields, "labels": tuple(fields["labels"])})

    def close(self) -> None:
        """Close all files."""
        self._files.close()

    def _number(self, channel: str) -> int | None:
        with _answering(), self._files.catalog() as cursor:
            found = cursor.execute("select id from channel where name = ?", [channel]).fetchone()
        return None if found is None else int(found[0])

    def _day_samples(self, day: str, number: int, start_ns: int, end_ns: int) -> Iterator[SampleColumns]:
        scalars = self._windows(day, _COUNT_SCALARS, number, start_ns, end_ns, CHUNK)
        arrays = self._windows(day, _COUNT_ARRAYS, number, start_ns, end_ns, ARRAY_CHUNK)
        return merge_by_time(
            [
                (_scalars(self._fetch(day, _SCALARS, number, window)) for window in scalars),
                (_arrays(self._fetch(day, _ARRAYS, number, window)) for window in arrays),
            ]
        )

    def _windows(self, day: str, statement: str, number: int, start_ns: int, end_ns: int, most: int) -> Iterator[tuple[int, int]]:
        """Consecutive spans of time that hold about `most` samples each, at least a minute long."""
        parameters = {"bucket": _BUCKET_NS, "channel": number, "start": start_ns, "end": end_ns}
        with _answering(), self._files.day(day) as cursor:
            buckets = cursor.execute(statement, parameters).fetchall()
        begin, held = start_ns, 0
        for bucket, count in buckets:
            if held and held + count > most:
                yield begin, bucket * _BUCKET_NS - 1
                begin, held = bucket * _BUCKET_NS, 0
            held += count
        if held:
            yield begin, end_ns

    def _fetch(self, day: str, statement: str, number: int, window: tuple[int, int]) -> dict[str, Any]:
        with _answering(), self._files.day(day) as cursor:
            found: dict[str, Any] = cursor.execute(statement, {"channel": number, "start": window[0], "end": window[1]}).fetchnumpy()
            return found


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """What DuckDB cannot do is a failed query."""
    try:
        yield
    except duckdb.Error as error:
        raise QueryError(f"the embedded store cannot answer: {error}") from None


def _common(found: dict[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(found[name]) for name in ("time", "severity", "status", "flags", "src_time")}


def _scalars(found: dict[str, Any]) -> SampleColumns:
    text: list[str | None] = found["text"].tolist()
    value = np.ma.filled(found["value"], np.nan)  # what DuckDB takes from numpy has NULL for NaN
    columns = SampleColumns(**_common(found), value=value, text=text, arrays=[None] * len(text))
    return newest_of_each_time(columns)


def _arrays(found: dict[str, Any]) -> SampleColumns:
    arrays: list[Array | None] = [
        np.frombuffer(data, ELEMENT_DTYPE[Dbr(dbr)]) for data, dbr in zip(found["data"].tolist(), found["dbr"].tolist(), strict=True)
    ]
    n = len(arrays)
    return newest_of_each_time(SampleColumns(**_common(found), value=np.full(n, np.nan), text=[None] * n, arrays=arrays))
