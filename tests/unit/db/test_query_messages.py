"""Answers of the query socket on the wire."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.errors import QueryError, StoreUnavailable
from archioc.db.query_socket import query_messages as wire
from archioc.db.sample_columns import SampleColumns

_LISTS = {"text": None, "arrays": None, "reduced": None}
_TYPES = {"time": "<i8", "value": "<f8", "src_time": "<i8", "severity": "|u1", "status": "|u1", "flags": "|u1"}
_ALL = list(_TYPES)


@given(st.integers(0, 40), st.binary(min_size=27 * 40, max_size=27 * 40), st.sets(st.sampled_from(_ALL[2:])))
def test_samples_come_back_bit_by_bit(count: int, content: bytes, zero: set[str]) -> None:
    """Any bits of the numbers come back, those of columns of nothing but 0 too, and the stream stands at the next line."""
    whole = np.frombuffer(content, np.dtype(list(_TYPES.items())), count)
    numbers: dict[str, Any] = {name: np.ascontiguousarray(whole[name]) for name in _ALL}
    numbers |= {name: np.zeros(count, _TYPES[name]) for name in zero}
    nothing: list[None] = [None] * count
    sent = wire.pack_columns(SampleColumns(**numbers, text=[*nothing], arrays=[*nothing]))
    assert not zero & set(sent["columns"])
    stream = io.BytesIO(wire.encode({"samples": sent}) + wire.encode({"done": True}))
    found = wire.decode(stream)
    assert found is not None
    assert found["samples"] == {**sent, "numbers": b"".join(sent["numbers"])}
    columns = wire.unpack_columns(found["samples"])
    assert {name: getattr(columns, name).tobytes() for name in _ALL} == {name: column.tobytes() for name, column in numbers.items()}
    assert wire.decode(stream) == {"done": True}
    assert wire.decode(stream) is None


@given(st.integers(1, 5), st.data())
def test_torn_answer_is_an_error(count: int, data: st.DataObject) -> None:
    """An answer cut anywhere is an error that can be tried again, never fewer samples."""
    whole = wire.encode({"samples": {**_LISTS, "columns": _ALL, "numbers": [bytes(27 * count)]}})
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(StoreUnavailable):
        wire.decode(io.BytesIO(whole[:cut]))


@pytest.mark.parametrize("size", ["-17", "16", "1e3", "true", "null", '"17"', str(17 * wire.MAX_BYTES)])
def test_impossible_size_is_an_error(size: str) -> None:
    """A number of bytes that no samples have is refused before anything is read for it."""
    stream = io.BytesIO(b'{"samples":{"columns":["time","value","status"]},"bytes":' + size.encode() + b"}\n" + bytes(17))
    with pytest.raises(QueryError, match="17 bytes"):
        wire.decode(stream)
    assert len(stream.read()) == 17


@pytest.mark.parametrize(
    "columns", [b"null", b'["time"]', b'["value","time"]', b'["time","value","value"]', b'["time","value","x"]', b"[[]]", b"7"]
)
def test_impossible_columns_are_an_error(columns: bytes) -> None:
    """Columns that no answer has are refused before anything is read for them."""
    stream = io.BytesIO(b'{"samples":{"columns":' + columns + b'},"bytes":17}\n' + bytes(17))
    with pytest.raises(QueryError, match="columns"):
        wire.decode(stream)
    assert len(stream.read()) == 17


@given(st.binary(min_size=1))
def test_anything_else_is_an_error_or_an_object(content: bytes) -> None:
    """Whatever comes ends as an object or as an error of the store."""
    with contextlib.suppress(QueryError, StoreUnavailable):
        assert isinstance(wire.decode(io.BytesIO(content)), dict)
