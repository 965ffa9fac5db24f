"""Answers of the query socket on the wire."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.errors import QueryError
from db import wire

_LISTS = {"text": None, "arrays": None, "reduced": None}


@given(st.integers(0, 40), st.binary(min_size=27 * 40, max_size=27 * 40))
def test_samples_come_back_bit_by_bit(count: int, content: bytes) -> None:
    """Any bits of the numbers come back, and the stream stands at the next line."""
    sent = {"samples": {**_LISTS, "numbers": content[: 27 * count]}}
    stream = io.BytesIO(wire.encode(sent) + wire.encode({"done": True}))
    found = wire.decode(stream)
    assert found is not None
    assert found["samples"] == sent["samples"]
    columns = wire.unpack_columns(found["samples"])
    assert wire.pack_columns(columns) == sent["samples"]
    assert columns.time.tolist() == np.frombuffer(content, "<i8", count).tolist()
    assert wire.decode(stream) == {"done": True}
    assert wire.decode(stream) is None


@given(st.integers(1, 5), st.data())
def test_torn_answer_is_an_error(count: int, data: st.DataObject) -> None:
    """An answer cut anywhere is an error, never fewer samples."""
    whole = wire.encode({"samples": {**_LISTS, "numbers": bytes(27 * count)}})
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(QueryError):
        wire.decode(io.BytesIO(whole[:cut]))


@pytest.mark.parametrize("size", ["-27", "26", "1e3", "true", "null", '"27"', str(27 * wire.MAX_BYTES)])
def test_impossible_size_is_an_error(size: str) -> None:
    """A number of bytes that no samples have is refused before anything is read for it."""
    stream = io.BytesIO(b'{"samples":{},"bytes":' + size.encode() + b"}\n" + bytes(27))
    with pytest.raises(QueryError, match="27 bytes"):
        wire.decode(stream)
    assert len(stream.read()) == 27


@given(st.binary(min_size=1))
def test_anything_else_is_an_error_or_an_object(content: bytes) -> None:
    """Whatever comes ends as an object or as a QueryError."""
    with contextlib.suppress(QueryError):
        assert isinstance(wire.decode(io.BytesIO(content)), dict)
