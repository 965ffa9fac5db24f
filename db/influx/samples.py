"""Samples out of the answers of InfluxDB, at the cost of the fields that are there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.dbr import ELEMENT_DTYPE
from archioc.core.errors import QueryError
from archioc.core.spool.encoding.line_fields import MINUS_INF, NAN, NON_FINITE, OLD_NON_FINITE, PLUS_INF, STATISTICS
from archioc.core.spool.encoding.pieces import join_bytes, piece_names
from archioc.core.spool.encoding.plain_text import MARK, original
from archioc.db.influx.connection import InfluxConnection, Parameters
from archioc.db.influx.influxql import quote_name, select, within
from archioc.db.sample_columns import Array, SampleColumns, merge_by_time
from archioc.db.store import CHUNK_BYTES

FIELDS_HOLD_S = 60.0
"""How long it is remembered that an archive has no field of before; spool files of before may still come."""

ROWS = 10_000
"""Rows in a piece of an answer, at most."""

_COMMON = ("severity", "status", "src_time", "flags")
_FIELDS = {
    "sample": ("value", NON_FINITE, "label", "text", *_COMMON),
    "array": ("n", "data", "dtype", *STATISTICS, *_COMMON),
}
_LONG = {"sample": "text", "array": "data"}
"""The field of each measurement that may be in several pieces."""
_STRINGS = frozenset(("label", "text", "data", "dtype"))
_DTYPES = {dtype.str: dtype for dtype in ELEMENT_DTYPE.values()}
_NUMBERS = {NAN: np.nan, PLUS_INF: np.inf, MINUS_INF: -np.inf}
_MARK, _NEXT_ROW = b'"values":[[', b"],["

Columns = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which fields a channel has in a range, and the size of its longest text or array (bytes)."""

    fields: tuple[str, ...]
    size: int

    def covers(self, other: _Layout) -> bool:
        return set(other.fields) <= set(self.fields)


class InfluxSamples:
    """Reads samples and columns of numbers from one database. Methods raise QueryError, StoreUnavailable, StoreDenied.

    What an answer of an unexpected form raises is for `archioc.db.influx.answers.understood`.
    """

    def __init__(self, connection: InfluxConnection, scope: Parameters) -> None:
        self._connection, self._scope = connection, scope
        self._non_finite: tuple[str, ...] = (NON_FINITE,)
        self._asked = float("-inf")

    def non_finite(self) -> tuple[str, ...]:
        """Fields of numbers that are not finite: also that of before where the archive has it, as some servers cannot be asked for it."""
        if len(self._non_finite) == 1 and time.monotonic() - self._asked > FIELDS_HOLD_S:
            self._non_finite = (NON_FINITE, OLD_NON_FINITE) if self._has_old_field() else (NON_FINITE,)
            self._asked = time.monotonic()
        return self._non_finite

    def _has_old_field(self) -> bool:
        try:
            found = list(self._connection.query('SHOW FIELD KEYS FROM "sample"', self._scope))
        except QueryError:  # 2.x cannot tell of a mapping that is not the default one, but can be asked for any field
            return True
        return any(values[0] == OLD_NON_FINITE for series in found for values in series["values"])

    def fields_of_each_sample(self) -> dict[str, tuple[str, ...]]:
        """Fields of which each sample of a measurement has one."""
        return {"sample": ("value", "text", *map(quote_name, self.non_finite())), "array": ("n",)}

    def _fields(self, measurement: str) -> tuple[str, ...]:
        fields = _FIELDS[measurement]
        return (*fields, *self.non_finite()[1:]) if measurement == "sample" else fields

    def stored(self, channel: str, start_ns: int, end_ns: int) -> Iterator[SampleColumns]:
        """Samples with start <= time <= end in chunks, sorted by time."""
        condition = within(start_ns, end_ns)
        streams = [self._measured(measurement, channel, condition) for measurement in _FIELDS]
        return merge_by_time(streams)

    def numbers(self, statement: str, *fields: str, rows: int = ROWS) -> Iterator[Columns]:
        """The answer to a query for one series of numbers, in pieces of so many rows, by field and `time`."""
        names = ("time", *fields)
        for line in self._connection.lines(statement, [*self._scope, ("chunk_size", str(rows))]):
            begin = line.find(_MARK)
            if begin < 0:
                yield from (_by_name(series) for series in self._connection.series_of(line))  # has an error or nothing
                continue
            # A list for each row is what costs most in reading an answer: all numbers are made one list.
            flat = orjson.loads(line[begin + len(_MARK) - 1 : line.index(b"]]", begin) + 1].replace(_NEXT_ROW, b","))
            if len(flat) % len(names):
                raise ValueError("rows of another length than columns")
            yield {name: flat[at :: len(names)] for at, name in enumerate(names)}

    def _measured(self, measurement: str, channel: str, condition: str) -> Iterator[SampleColumns]:
        layout = self._layout(measurement, channel, condition)
        while layout is not None:
            found = self._chunks(measurement, channel, condition, layout)
            first = next(found, None)
            # What is seen now was there when the query began: a field that came in between is not overlooked.
            now = self._layout(measurement, channel, condition)
            if now is not None and not layout.covers(now):
                layout = now
                continue
            if first is not None:
                yield first
            yield from found
            return

    def _layout(self, measurement: str, channel: str, condition: str) -> _Layout | None:
        """None when there is no sample."""
        asked = ", ".join(f'last("{name}") AS "{name}"' for name in self._fields(measurement))
        statement = select(f'{asked}, max("size") AS "size"', measurement, channel, condition)
        for series in self._connection.query(statement, self._scope):
            found = {name: column[0] for name, column in _by_name(series).items()}
            size = found["size"] or 0
            there = tuple(name for name in self._fields(measurement) if found[name] is not None)
            return _Layout(there + tuple(piece_names(_LONG[measurement], size)[1:]), size)
        return None

    def _chunks(self, measurement: str, channel: str, condition: str, layout: _Layout) -> Iterator[SampleColumns]:
        make = _arrays if measurement == "array" else _scalars
        statement = select(", ".join(f'"{name}"' for name in layout.fields), measurement, channel, f"{condition} ORDER BY time")
        if not _STRINGS & set(layout.fields):
            yield from (make(columns) for columns in self.numbers(statement, *layout.fields))
            return
        rows = max(1, min(ROWS, CHUNK_BYTES // max(layout.size, 1)))
        for series in self._connection.query(statement, [*self._scope, ("chunk_size", str(rows))]):
            yield make(_by_name(series))


def _by_name(series: dict[str, Any]) -> Columns:
    return dict(zip(series["columns"], map(list, zip(*series["values"], strict=True)), strict=True))


def _common(columns: Columns) -> dict[str, Any]:
    """Columns that scalars and arrays have in common; where a field is absent it means 0."""
    time = np.array(columns["time"], np.int64)
    types = {"severity": np.uint8, "status": np.uint8, "flags": np.uint8, "src_time": np.int64}
    found = {
        name: np.array([number or 0 for number in columns[name]], dtype) if name in columns else np.zeros(len(time), dtype)
        for name, dtype in types.items()
    }
    return found | {"time": time}


def _scalars(columns: Columns) -> SampleColumns:
    n = len(columns["time"])
    nothing: list[str | None] = [None] * n
    value = np.array(columns.get("value", nothing), np.float64)
    for name in (OLD_NON_FINITE, NON_FINITE):
        for at, code in enumerate(columns.get(name, ())):
            if code:
                value[at] = _NUMBERS[code]
    text = nothing
    if "text" in columns or "label" in columns:
        text = [
            label if found is None else found
            for found, label in zip(_texts(columns) or nothing, _originals(columns.get("label", nothing)), strict=True)
        ]
    return SampleColumns(**_common(columns), value=value, text=text, arrays=[None] * n)


def _texts(columns: Columns) -> list[str | None]:
    names = [name for name in columns if name == "text" or name.startswith("text_")]
    if len(names) < 2:
        return _originals(columns.get("text", []))
    rows = zip(*(columns[name] for name in names), strict=True)
    return _originals([None if pieces[0] is None else "".join(filter(None, pieces)) for pieces in rows])


def _originals(texts: list[str | None]) -> list[str | None]:
    return [original(text) if text and text[0] == MARK else text for text in texts]


def _arrays(columns: Columns) -> SampleColumns:
    n = len(columns["time"])
    names = [name for name in columns if name == "data" or name.startswith("data_")]
    arrays: list[Array | None] = [None] * n
    reduced: list[ArrayStatistics | None] = [None] * n
    dtypes = columns.get("dtype", [None] * n)
    statistics = [columns.get(name, [None] * n) for name in STATISTICS]
    for at, count in enumerate(columns["n"]):
        if dtypes[at] is None:
            reduced[at] = ArrayStatistics(count, *(np.nan if column[at] is None else float(column[at]) for column in statistics))
        else:
            raw = join_bytes([columns[name][at] for name in names if columns[name][at]])
            arrays[at] = np.frombuffer(raw, _DTYPES[dtypes[at]])
    return SampleColumns(**_common(columns), value=np.full(n, np.nan), text=[None] * n, arrays=arrays, reduced=reduced)
