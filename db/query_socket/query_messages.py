"""Answers of the query socket: lines of JSON.

The numbers of samples follow their line as bytes; those of alarms and bins are base64 in it.
"""

from __future__ import annotations

import base64
import dataclasses
import math
from collections.abc import Iterable
from typing import Any, BinaryIO

import numpy as np
import orjson

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.errors import QueryError, StoreUnavailable
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta
from archioc.db.alarm_columns import AlarmColumns
from archioc.db.bins import BIN_COLUMNS, Bins
from archioc.db.sample_columns import Array, SampleColumns

# The wide ones first: each column starts where its numbers are aligned.
_NUMBERS = {"time": "<i8", "value": "<f8", "src_time": "<i8", "severity": "|u1", "status": "|u1", "flags": "|u1"}
_ALWAYS = ("time", "value")
"""Columns that are there also where all their numbers are 0."""
_ALARMS = {"time": "<i8", "severity": "|u1", "status": "|u1"}


MAX_BYTES = 1 << 26
"""Most bytes after a line: far more than the samples of one piece have."""

Part = bytes | memoryview


def encode(answer: dict[str, Any]) -> bytes:
    """A line of JSON, and after it the bytes of its samples if it has any."""
    return b"".join(parts(answer))


def parts(answer: dict[str, Any]) -> list[Part]:
    """The same in parts to be sent one after the other: the columns themselves, not copied."""
    samples = answer.get("samples")
    if samples is None:
        return [orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)]
    numbers: list[Part] = samples["numbers"]
    lists = {name: column for name, column in samples.items() if name != "numbers"}
    size = sum(map(len, numbers))
    return [orjson.dumps({"samples": lists, "bytes": size}, option=orjson.OPT_APPEND_NEWLINE), *numbers]


def decode(stream: BinaryIO) -> dict[str, Any] | None:
    """What `encode` was given, the numbers of samples as one piece; None at the end of the stream.

    Raises QueryError for an answer that is none, and StoreUnavailable for one that is torn: who sent it has died, or has cut off
    a client that took too long.
    """
    line = stream.readline()
    if not line:
        return None
    if not line.endswith(b"\n"):
        raise StoreUnavailable("an answer ended in the middle of a line")
    try:
        answer = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise QueryError(f"an answer is a line of JSON: {error}") from None
    if not isinstance(answer, dict):
        raise QueryError("an answer is a JSON object")
    if answer.get("samples") is not None:
        answer["samples"] = _with_numbers(answer, stream)
    return answer


def _with_numbers(answer: dict[str, Any], stream: BinaryIO) -> dict[str, Any]:
    samples, size = answer["samples"], answer.get("bytes")
    columns = samples.get("columns") if isinstance(samples, dict) else None
    if not isinstance(columns, list) or columns != [name for name in _NUMBERS if name in columns or name in _ALWAYS]:
        raise QueryError(f"an answer with samples has columns out of {', '.join(_NUMBERS)}, the first two always, not {columns!r}")
    if type(size) is not int or not 0 <= size <= MAX_BYTES or size % _sample_bytes(columns):
        raise QueryError(f"an answer with samples has {_sample_bytes(columns)} bytes for each, at most {MAX_BYTES}, not {size!r}")
    numbers = stream.read(size)
    if len(numbers) < size:
        raise StoreUnavailable(f"an answer ended after {len(numbers)} of {size} bytes")
    return {**samples, "numbers": numbers}


def pack_columns(columns: SampleColumns) -> dict[str, Any]:
    """Columns as `encode` takes them: `numbers` holds the bytes of each column that `columns` names.

    `text`, `arrays` and `reduced` are null when they have nothing but nulls; columns of nothing but 0 are left out.
    """
    there = [name for name in _NUMBERS if name in _ALWAYS or getattr(columns, name).any()]
    lists: dict[str, object] = {"text": columns.text if columns.has_texts else None, "arrays": None, "reduced": None}
    if columns.array_places:
        arrays = [None if array is None else {"dtype": array.dtype.str, "data": _base64(array)} for array in columns.arrays]
        reduced = [None if one is None else _numbers_or_null(one) for one in columns.reduced]
        lists |= {"arrays": arrays if any(arrays) else None, "reduced": reduced if any(reduced) else None}
    return lists | {"columns": there, "numbers": [_bytes(getattr(columns, name), _NUMBERS[name]) for name in there]}


def unpack_columns(answer: dict[str, Any]) -> SampleColumns:
    """What `pack_columns` was given, from what `decode` has made of it."""
    n, at, numbers = len(answer["numbers"]) // _sample_bytes(answer["columns"]), 0, {}
    for name, dtype in _NUMBERS.items():
        if name not in answer["columns"]:
            numbers[name] = np.zeros(n, dtype)
            continue
        numbers[name] = np.frombuffer(answer["numbers"], dtype, n, at)
        at += numbers[name].nbytes
    nothing: list[Any] = [None] * n  # one list for all: nobody writes into columns
    arrays: list[Array | None] = [_array(array) for array in answer["arrays"]] if answer["arrays"] else nothing
    reduced: list[ArrayStatistics | None] = [_statistics(one) for one in answer["reduced"]] if answer["reduced"] else nothing
    return SampleColumns(**numbers, text=answer["text"] or nothing, arrays=arrays, reduced=reduced)


def pack_alarms(columns: AlarmColumns) -> dict[str, str]:
    """Alarm states as JSON can carry them."""
    return _pack(columns, _ALARMS)


def unpack_alarms(answer: dict[str, str]) -> AlarmColumns:
    """What `pack_alarms` was given."""
    return AlarmColumns(**_unpack(answer, _ALARMS))


def pack_bins(bins: Bins) -> dict[str, str]:
    """Bins as JSON can carry them."""
    return _pack(bins, BIN_COLUMNS)


def unpack_bins(answer: dict[str, str]) -> Bins:
    """What `pack_bins` was given."""
    return Bins(**_unpack(answer, BIN_COLUMNS))


def unpack_event(answer: dict[str, Any]) -> ChannelEvent:
    """An event from its fields."""
    return ChannelEvent(**{**answer, "reason": Reason(answer["reason"])})


def pack_meta(meta: ChannelMeta) -> dict[str, Any]:
    """Metadata as its fields."""
    return dataclasses.asdict(meta)


def unpack_meta(answer: dict[str, Any]) -> ChannelMeta:
    """Metadata from its fields."""
    return ChannelMeta(**{**answer, "labels": tuple(answer["labels"])})


def _bytes(column: np.ndarray[Any, np.dtype[Any]], dtype: str) -> memoryview:
    return np.ascontiguousarray(column, dtype).view(np.uint8).data


def _sample_bytes(columns: Iterable[str]) -> int:
    return sum(np.dtype(_NUMBERS[name]).itemsize for name in columns)


def _pack(columns: object, types: dict[str, str]) -> dict[str, str]:
    return {name: _base64(getattr(columns, name).astype(dtype, copy=False)) for name, dtype in types.items()}


def _unpack(answer: dict[str, str], types: dict[str, str]) -> dict[str, Any]:
    return {name: np.frombuffer(base64.b64decode(answer[name]), dtype) for name, dtype in types.items()}


def _base64(column: np.ndarray[Any, np.dtype[Any]]) -> str:
    return base64.b64encode(column.tobytes()).decode()


def _array(packed: dict[str, str] | None) -> Array | None:
    return None if packed is None else np.frombuffer(base64.b64decode(packed["data"]), np.dtype(packed["dtype"]))


def _numbers_or_null(found: ArrayStatistics) -> list[float | None]:
    return [found.n, *(number if math.isfinite(number) else None for number in (found.min, found.max, found.mean, found.std))]


def _statistics(packed: list[float | None] | None) -> ArrayStatistics | None:
    if packed is None:
        return None
    n, *numbers = packed
    return ArrayStatistics(int(n or 0), *(math.nan if number is None else number for number in numbers))
