"""Answers of the query socket as JSON: columns of numbers as base64 of little-endian bytes, so that they stay exact."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import numpy as np

from archioc.core.batch import ChannelMeta
from archioc.core.events import ChannelEvent, Reason
from db.sample_columns import Array, SampleColumns

_NUMBERS = {"time": "<i8", "value": "<f8", "severity": "|u1", "status": "|u1", "flags": "|u1", "src_time": "<i8"}


def pack_columns(columns: SampleColumns) -> dict[str, Any]:
    """Columns as JSON can carry them; `text` and `arrays` are null when they have nothing but nulls."""
    numbers: dict[str, Any] = {name: _base64(getattr(columns, name).astype(dtype, copy=False)) for name, dtype in _NUMBERS.items()}
    text = columns.text if any(found is not None for found in columns.text) else None
    arrays = [None if array is None else {"dtype": array.dtype.str, "data": _base64(array)} for array in columns.arrays]
    return numbers | {"text": text, "arrays": arrays if any(arrays) else None}


def unpack_columns(answer: dict[str, Any]) -> SampleColumns:
    """What `pack_columns` was given."""
    numbers: dict[str, Any] = {name: np.frombuffer(base64.b64decode(answer[name]), dtype) for name, dtype in _NUMBERS.items()}
    n = len(numbers["time"])
    arrays: list[Array | None] = [_array(array) for array in answer["arrays"] or [None] * n]
    return SampleColumns(**numbers, text=answer["text"] or [None] * n, arrays=arrays)


def unpack_event(answer: dict[str, Any]) -> ChannelEvent:
    """An event from its fields."""
    return ChannelEvent(**{**answer, "reason": Reason(answer["reason"])})


def pack_meta(meta: ChannelMeta) -> dict[str, Any]:
    """Metadata as its fields."""
    return dataclasses.asdict(meta)


def unpack_meta(answer: dict[str, Any]) -> ChannelMeta:
    """Metadata from its fields."""
    return ChannelMeta(**{**answer, "labels": tuple(answer["labels"])})


def _base64(column: np.ndarray[Any, np.dtype[Any]]) -> str:
    return base64.b64encode(column.tobytes()).decode()


def _array(packed: dict[str, str] | None) -> Array | None:
    return None if packed is None else np.frombuffer(base64.b64decode(packed["data"]), np.dtype(packed["dtype"]))
