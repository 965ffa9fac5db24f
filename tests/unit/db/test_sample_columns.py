from __future__ import annotations

import io
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.array_statistics import ArrayStatistics
from archioc.db.query_socket import query_messages as wire
from archioc.db.sample_columns import SampleColumns, concatenate, merge_by_time, newest_of_each_time


def columns(times: list[int], values: list[float] | None = None) -> SampleColumns:
    n = len(times)
    zeros = np.zeros(n, np.uint8)
    value = np.array(values if values is not None else [float(time) for time in times], np.float64)
    return SampleColumns(np.array(times, np.int64), value, zeros, zeros, zeros, np.zeros(n, np.int64), [None] * n, [None] * n)


_SORTED = st.lists(st.integers(0, 100), unique=True).map(sorted)


@given(_SORTED, _SORTED, st.integers(1, 7), st.integers(1, 7))
def test_streams_merge_by_time(first: list[int], second: list[int], first_size: int, second_size: int) -> None:
    """Two sorted streams in chunks of any size come out as one, each time once."""
    streams = [
        iter([columns(times[at : at + size]) for at in range(0, len(times), size)])
        for times, size in ((first, first_size), (second, second_size))
    ]
    found = list(merge_by_time(streams))
    assert [time for chunk in found for time in chunk.time.tolist()] == sorted({*first, *second})
    assert all(len(chunk) for chunk in found)


def test_the_last_of_equal_times_counts() -> None:
    """Of several samples with one time the one that stands last is kept."""
    found = newest_of_each_time(columns([5, 3, 5, 3], [1.0, 2.0, 3.0, 4.0]))
    assert (found.time.tolist(), found.value.tolist()) == ([3, 5], [4.0, 3.0])


def test_columns_travel_exactly() -> None:
    """Columns unpacked from JSON are those that were packed: infinities, NaN, nanoseconds, texts and arrays."""
    n = 3
    given_columns = SampleColumns(
        np.array([1, 2**62 + 1, 2**62 + 3]),
        np.array([-math.inf, math.nan, 0.1]),
        np.array([0, 1, 3], np.uint8),
        np.array([0, 17, 255], np.uint8),
        np.array([1, 2, 3], np.uint8),
        np.array([7, -8, 2**62 + 1]),
        [None, "a\n", ""],
        [np.array([b"ab", b""], "S40"), None, np.zeros(0, "<i2")],
        [None, ArrayStatistics(2**40, 0.1, math.nan, -3.0, 0.0), None],
    )
    for sent in (given_columns, columns([]), columns([4])):
        answer = wire.decode(io.BytesIO(wire.encode({"samples": wire.pack_columns(sent)})))
        assert answer is not None
        found = wire.unpack_columns(answer["samples"])
        for name in ("time", "value", "severity", "status", "flags", "src_time"):
            assert getattr(found, name).tobytes() == getattr(sent, name).tobytes(), name
        assert found.text == sent.text
        assert found.reduced == sent.reduced
        assert [None if array is None else (array.dtype, array.tobytes()) for array in found.arrays] == [
            None if array is None else (array.dtype, array.tobytes()) for array in sent.arrays
        ]
    assert len(concatenate([given_columns, given_columns])) == 2 * n
