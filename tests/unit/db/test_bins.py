"""Statistics in bins against the definitions of numpy."""

from __future__ import annotations

import itertools
import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.errors import QueryError
from archioc.db.bins import MAX_BINS, Bins, Grid, bins_of
from archioc.db.sample_columns import SampleColumns

Sample = tuple[int, float, int, str | None]

_VALUES = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf]))
_SAMPLES = st.lists(
    st.tuples(st.integers(0, 199), _VALUES, st.integers(0, 3), st.sampled_from([None, None, None, "text"])),
    max_size=40,
    unique_by=lambda one: one[0],
).map(sorted)


def columns_of(samples: list[Sample]) -> SampleColumns:
    n = len(samples)
    zeros = np.zeros(n, np.uint8)
    return SampleColumns(
        np.array([one[0] for one in samples], np.int64),
        np.array([math.nan if one[3] else one[1] for one in samples], np.float64),
        np.array([one[2] for one in samples], np.uint8),
        zeros,
        zeros,
        np.zeros(n, np.int64),
        [one[3] for one in samples],
        [None] * n,
    )


def expected(grid: Grid, samples: list[Sample]) -> Bins:
    """Bin by bin, as the definitions say."""
    found = Bins.empty(grid.starts)
    for at, start in enumerate(grid.starts.tolist()):
        here = [one for one in samples if start <= one[0] < min(start + grid.width_ns, grid.end_ns)]
        numbers = [one for one in here if one[3] is None and math.isfinite(one[1])]
        found.non_finite[at] = sum(one[3] is None and not math.isfinite(one[1]) for one in here)
        found.severity[at] = max((one[2] for one in here), default=0)
        found.count[at] = len(numbers)
        if numbers:
            values = np.array([one[1] for one in numbers])
            found.min[at], found.max[at], found.mean[at], found.std[at] = values.min(), values.max(), values.mean(), values.std()
            found.first[at], found.first_time[at] = values[0], numbers[0][0]
            found.last[at], found.last_time[at] = values[-1], numbers[-1][0]
    return found


def assert_same(found: Bins, wanted: Bins) -> None:
    for one in fields(Bins):
        np.testing.assert_allclose(getattr(found, one.name), getattr(wanted, one.name), rtol=1e-9, atol=1e-6, err_msg=one.name)


@given(_SAMPLES, st.integers(0, 100), st.integers(1, 100), st.integers(1, 12), st.integers(1, 7))
def test_bins_in_any_pieces(samples: list[Sample], start: int, length: int, count: int, size: int) -> None:
    """Statistics are those of the samples of each bin, in whatever pieces these come."""
    grid = Grid.of(start, start + length, count)
    within = [one for one in samples if start <= one[0] < start + length]
    pieces = [columns_of(within[at : at + size]) for at in range(0, len(within), size)]
    assert_same(bins_of(grid, pieces), expected(grid, within))


@given(st.integers(0, 2**62), st.integers(1, 2**62 - 1), st.integers(1, 50))
def test_bins_cover_the_range(start: int, length: int, count: int) -> None:
    """Bins begin at the start, are of one width, and the last one holds the last ns; never more than were asked for."""
    grid = Grid.of(start, start + length, count)
    starts = grid.starts.tolist()
    assert 1 <= len(starts) <= count
    assert starts[0] == start
    assert all(after - before == grid.width_ns for before, after in itertools.pairwise(starts))
    assert starts[-1] < start + length <= starts[-1] + grid.width_ns


@pytest.mark.parametrize(("start", "end", "count"), [(5, 5, 1), (6, 5, 1), (-1, 5, 1), (0, 2**63, 1), (0, 5, 0), (0, 5, MAX_BINS + 1)])
def test_what_are_no_bins(start: int, end: int, count: int) -> None:
    """An empty range, a time that no store has, and too few or too many bins are refused."""
    with pytest.raises(QueryError, match=r"the start is at least 0|from 1 to"):
        Grid.of(start, end, count)


def test_numbers_beyond_float64() -> None:
    """Huge numbers make a mean that is not finite, and no error; the other columns are right."""
    found = bins_of(Grid.of(0, 10, 1), [columns_of([(1, 1e308, 0, None), (2, 1.5e308, 0, None)])])
    assert (found.count[0], found.min[0], found.max[0], found.first[0], found.last[0]) == (2, 1e308, 1.5e308, 1e308, 1.5e308)
    assert not math.isfinite(found.mean[0])
