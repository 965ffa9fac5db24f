from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.array_statistics import ArrayStatistics


@given(st.lists(st.floats(width=32), max_size=30))
def test_statistics_are_those_of_the_finite_elements(values: list[float]) -> None:
    """The number counts all elements; minimum, maximum, mean and deviation are those of the finite ones, NaN where there are none."""
    n, *found = struct.unpack("<5d", ArrayStatistics.of(np.array(values, "<f8")).pack())
    finite = [value for value in values if math.isfinite(value)]
    assert n == len(values)
    if not finite:
        assert all(math.isnan(one) for one in found)
        return
    mean = math.fsum(finite) / len(finite)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in finite) / len(finite))
    scale = max(map(abs, finite))
    assert found[:2] == [min(finite), max(finite)]
    assert found[2:] == pytest.approx([mean, deviation], rel=1e-9, abs=1e-7 * scale + 1e-300)


def test_texts_and_what_is_too_large_have_no_statistics() -> None:
    """An array of texts has a number of elements only, and a mean beyond a float64 is left out."""
    assert np.isnan(struct.unpack("<5d", ArrayStatistics.of(np.array([b"a", b"b"], "S40")).pack())[1:]).all()
    n, low, high, mean, deviation = struct.unpack("<5d", ArrayStatistics.of(np.array([1.7e308, 1.7e308])).pack())
    assert (n, low, high) == (2, 1.7e308, 1.7e308)
    assert math.isnan(mean)
    assert math.isnan(deviation)
