"""Queries of an InfluxDB: InfluxQL over /query, which 1.x, 2.x and 3.x understand."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from archioc.core.batch import ChannelMeta
from archioc.core.encoding.escaping import channel_of_tag, tag_value
from archioc.core.encoding.line_protocol import LIMITS, MINUS_INF, NAN, PLUS_INF
from archioc.core.events import ChannelEvent, Reason
from db.influx_connection import InfluxConnection, Parameters
from db.sample_columns import Array, SampleColumns, merge_by_time
from db.store import concerns, glob_filter

MIN_TIME, MAX_TIME = -9_223_372_036_854_775_806, 9_223_372_036_854_775_806
"""Times beyond these are not InfluxDB's."""

_SAMPLE_CHUNK = 10_000
_ARRAY_CHUNK = 100
_SAMPLE_FIELDS = "value, nan, label, text, severity, status, src_time, flags"
_ARRAY_FIELDS = "data, dtype, severity, status, src_time, flags"
_EVENT_FIELDS = "reason, end_ns, count, text"
_META_FIELDS = ", ".join(("dbr", "count", "host", "units", "labels", "precision", *LIMITS))
_NUMBERS = {NAN: np.nan, PLUS_INF: np.inf, MINUS_INF: -np.inf}


def quote_name(name: str) -> str:
    """A name of a database, retention policy or measurement in InfluxQL."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def quote_text(text: str) -> str:
    """A string literal in InfluxQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


class InfluxReader:
    """The reading half of an InfluxDB database."""

    def __init__(self, connection: InfluxConnection, database: str, policy: str) -> None:
        self._connection = connection
        self._scope: Parameters = [("db", database)] + ([("rp", policy)] if policy else [])

    def samples(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[SampleColumns]:
        """Samples with start <= time <= end in chunks, after the last one before if wanted."""
        if with_previous and (previous := self.last_before(channel, start_ns)) is not None:
            yield previous
        yield from self._stored(channel, f"time >= {_time(start_ns)} AND time <= {_time(end_ns)} ORDER BY time")

    def last_before(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The last sample with time < `t_ns`."""
        found = list(self._stored(channel, f"time < {_time(t_ns)} ORDER BY time DESC LIMIT 1"))
        return found[-1].take(np.array([len(found[-1]) - 1])) if found else None

    def names(self, pattern: str = "*") -> Iterator[str]:
        """Channels that have samples."""
        # Without a time 3.x looks at the last day only.
        found = self._series('SHOW TAG VALUES FROM "sample", "array" WITH KEY = "pv" WHERE time > 0')
        names = {channel_of_tag(value) for series in found for _, value in series.get("values", ())}
        return filter(glob_filter(pattern), sorted(names))

    def events(self, channel: str, start_ns: int, end_ns: int) -> list[ChannelEvent]:
        """Moments in the range and gaps that overlap with it."""
        start, end = _time(start_ns), _time(end_ns)
        conditions = (
            f"time >= {start} AND time <= {end} GROUP BY code",
            f"time < {start} AND end_ns >= {start} GROUP BY code",
            # A channel has one gap of a kind at a time, so one that is still open is the last of its kind.
            f"time < {start} GROUP BY code ORDER BY time DESC LIMIT 1",
        )
        found: dict[tuple[int, int], ChannelEvent] = {}
        for condition in conditions:
            for series in self._series(_select(_EVENT_FIELDS, "event", channel, condition)):
                reason = Reason(int(series["tags"]["code"]))
                for time_ns, _, end_of_gap, count, text in series["values"]:
                    found[time_ns, reason] = ChannelEvent(channel, time_ns, reason, end_of_gap, count or 0, text or "")
        return [event for _, event in sorted(found.items()) if concerns(event, start_ns, end_ns)]

    def meta(self, channel: str, at_ns: int) -> ChannelMeta | None:
        """What the IOC told last at or before a time."""
        statement = _select(_META_FIELDS, "meta", channel, f"time <= {_time(at_ns)} ORDER BY time DESC LIMIT 1")
        for series in self._series(statement):
            for values in series["values"]:
                fields = dict(zip(series["columns"], values, strict=True))
                labels = tuple(orjson.loads(fields.pop("labels") or "[]"))
                fields |= {name: float(fields[name]) for name in LIMITS if fields[name] is not None}
                return ChannelMeta(channel=channel, time_ns=fields.pop("time"), labels=labels, **fields)
        return None

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def _stored(self, channel: str, condition: str) -> Iterator[SampleColumns]:
        scalars = _select(_SAMPLE_FIELDS, "sample", channel, condition)
        arrays = _select(_ARRAY_FIELDS, "array", channel, condition)
        return merge_by_time(
            [
                (_scalars(series) for series in self._series(scalars, _SAMPLE_CHUNK)),
                (_arrays(series) for series in self._series(arrays, _ARRAY_CHUNK)),
            ]
        )

    def _series(self, statement: str, chunk: int = _SAMPLE_CHUNK) -> Iterator[dict[str, Any]]:
        return self._connection.query(statement, [*self._scope, ("chunk_size", str(chunk))])


def _time(t_ns: int) -> int:
    return min(max(t_ns, MIN_TIME), MAX_TIME)


def _select(fields: str, measurement: str, channel: str, condition: str) -> str:
    # The channel is quoted; all else consists of constants and numbers.
    return f'SELECT {fields} FROM "{measurement}" WHERE pv = {quote_text(tag_value(channel))} AND {condition}'  # noqa: S608


def _columns(series: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    return dict(zip(series["columns"], zip(*series["values"], strict=True), strict=True))


def _common(columns: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
    """Columns that scalars and arrays have in common; where a field is absent it means 0."""
    types = {"time": np.int64, "severity": np.uint8, "status": np.uint8, "flags": np.uint8, "src_time": np.int64}
    return {name: np.array([found or 0 for found in columns[name]], dtype) for name, dtype in types.items()}


def _scalars(series: dict[str, Any]) -> SampleColumns:
    columns = _columns(series)
    value = np.array(columns["value"], np.float64)
    for at in [at for at, code in enumerate(columns["nan"]) if code]:
        value[at] = _NUMBERS[columns["nan"][at]]
    text = [label if found is None else found for found, label in zip(columns["text"], columns["label"], strict=True)]
    return SampleColumns(**_common(columns), value=value, text=text, arrays=[None] * len(text))


def _arrays(series: dict[str, Any]) -> SampleColumns:
    columns = _columns(series)
    arrays: list[Array | None] = [
        None if data is None else np.frombuffer(base64.b64decode(data), np.dtype(dtype))
        for data, dtype in zip(columns["data"], columns["dtype"], strict=True)
    ]
    n = len(arrays)
    return SampleColumns(**_common(columns), value=np.full(n, np.nan), text=[None] * n, arrays=arrays)
