"""`getData.json` and `getData.qw`: a list with an object for each channel. Numbers that are not finite stand there as Java writes
them (`NaN`, `Infinity`), which clients expect; only in `qw` a scalar NaN is null.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import orjson

from archioc.core.spool.batch import decode_text
from archioc.retrieval.appliance.payload import PayloadType, is_integer
from archioc.retrieval.appliance.runs import Array, Header, Run
from archioc.retrieval.appliance.series import SECOND_NS, Series

PIECE = 10_000
"""Samples in a piece of an answer."""

MILLISECOND_NS = 1_000_000


def json_pieces(found: Iterable[Series]) -> Iterator[bytes]:
    """Points with seconds, nanoseconds, severity and status; `name` is the channel's."""
    return _pieces(found, lambda _, header: {"name": header.channel, **header.headers}, _points)


def qw_pieces(found: Iterable[Series]) -> Iterator[bytes]:
    """Points with milliseconds; `name` is what the client asked for."""
    return _pieces(found, _qw_meta, _qw_points)


def json_values(run: Run) -> list[bytes]:
    """The values of a run as JSON."""
    if isinstance(run.values, np.ndarray):
        return _numbers(run.values, run.header.kind)
    return [_text(value) if isinstance(value, bytes) else _array(value) for value in run.values]


def _pieces(
    found: Iterable[Series], meta: Callable[[Series, Header], Mapping[str, object]], points: Callable[[Run], list[bytes]]
) -> Iterator[bytes]:
    number = 0
    for number, series in enumerate(found, 1):
        opened, filled = False, False
        for run in series.runs:
            if not opened:
                yield (b",\n" if number > 1 else b"[\n") + b'{"meta":' + orjson.dumps(meta(series, run.header)) + b',\n"data":[\n'
            opened = True
            for begin in range(0, len(run), PIECE):
                yield (b",\n" if filled else b"") + b",\n".join(points(run.part(begin, min(begin + PIECE, len(run)))))
                filled = True
        yield b"\n]}"
    yield b"\n]\n" if number else b"[\n]\n"


def _qw_meta(series: Series, header: Header) -> dict[str, object]:
    return {"name": series.asked, "waveform": header.kind.is_waveform, **header.headers}


def _points(run: Run) -> list[bytes]:
    columns = (run.time // SECOND_NS, run.time % SECOND_NS, run.severity, run.status)
    seconds, nanos, severities, statuses = (column.tolist() for column in columns)
    form = b'{"secs":%d,"val":%b,"nanos":%d,"severity":%d,"status":%d}'
    found = [form % point for point in zip(seconds, json_values(run), nanos, severities, statuses, strict=True)]
    return _with_fields(found, run)


def _qw_points(run: Run) -> list[bytes]:
    values = json_values(run)
    if isinstance(run.values, np.ndarray):
        values = [b"null" if value == b"NaN" else value for value in values]
    millis = (run.time // MILLISECOND_NS).tolist()
    return _with_fields([b'{"millis":%d,"val":%b}' % point for point in zip(millis, values, strict=True)], run)


def _with_fields(points: list[bytes], run: Run) -> list[bytes]:
    for at, told in run.fields.items():
        points[at] = points[at][:-1] + b',"fields":' + orjson.dumps(told) + b"}"
    return points


def _numbers(values: np.ndarray[tuple[int], np.dtype[np.float64]], kind: PayloadType) -> list[bytes]:
    if not len(values):
        return []
    whole = values.astype(np.int64) if is_integer(kind) else np.ascontiguousarray(values)
    found = orjson.dumps(whole, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    for at in np.flatnonzero(~np.isfinite(values)).tolist():
        found[at] = _not_finite(float(values[at]))
    return found


def _not_finite(value: float) -> bytes:
    return json.dumps(value).encode()


def _text(value: bytes) -> bytes:
    return orjson.dumps(decode_text(value))


def _array(elements: Array) -> bytes:
    if elements.dtype.kind == "S":
        return orjson.dumps([decode_text(bytes(one)) for one in elements.tolist()])
    if elements.dtype.kind == "f":
        elements = elements.astype(np.float64)  # what a float32 is, not its shortest name
        if not np.isfinite(elements).all():
            return json.dumps(elements.tolist()).encode()
    return orjson.dumps(np.ascontiguousarray(elements), option=orjson.OPT_SERIALIZE_NUMPY)
