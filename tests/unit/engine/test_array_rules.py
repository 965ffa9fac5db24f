from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.batch import Kind, SampleFlag
from archioc.core.channel import LargeArrays
from archioc.core.table import SETTINGS
from engine.array_rules import ArrayRules, pack_statistics
from engine.updates import Updates
from tests.unit.engine.arrivals import T0, Arrival, to_updates


@given(st.lists(st.floats(width=32), max_size=30))
def test_statistics_are_those_of_the_finite_elements(values: list[float]) -> None:
    """The number counts all elements; minimum, maximum, mean and deviation are those of the finite ones, NaN where there are none."""
    n, *found = struct.unpack("<5d", pack_statistics(np.array(values, "<f8")))
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
    assert np.isnan(struct.unpack("<5d", pack_statistics(np.array([b"a", b"b"], "S40")))[1:]).all()
    n, low, high, mean, deviation = struct.unpack("<5d", pack_statistics(np.array([1.7e308, 1.7e308])))
    assert (n, low, high) == (2, 1.7e308, 1.7e308)
    assert math.isnan(mean)
    assert math.isnan(deviation)


def rules(most: int, large: LargeArrays) -> ArrayRules:
    made = ArrayRules(2)
    cells = np.zeros(1, SETTINGS)
    cells["max_elements"], cells["large_arrays"] = most, large
    made.take(np.array([1]), cells)
    return made


def arrays(*elements: int, kind: Kind = Kind.ARRAY) -> Updates:
    made = to_updates([Arrival(1, T0, T0, bytes(8 * count), kind) for count in elements])
    made.count[:] = elements
    return made


def test_long_arrays_give_way_to_their_statistics() -> None:
    """An array beyond the limit is replaced and marked; one at the limit is left as it is."""
    updates = arrays(3, 4)
    assert rules(3, LargeArrays.STATISTICS).apply(updates).tolist() == []
    assert updates.flags.tolist() == [0, SampleFlag.STATISTICS]
    assert updates.blobs == [bytes(24), struct.pack("<5d", 4, 0, 0, 0, 0)]


@pytest.mark.parametrize(
    ("most", "large", "refused"), [(3, LargeArrays.REFUSE, [1]), (3, LargeArrays.STORE, []), (0, LargeArrays.REFUSE, [])]
)
def test_long_arrays_are_refused_or_stored(most: int, large: LargeArrays, refused: list[int]) -> None:
    """`refuse` names the arrays beyond the limit, `store` and a limit of 0 none; nothing is changed."""
    updates = arrays(3, 4)
    assert rules(most, large).apply(updates).tolist() == refused
    assert updates.blobs == [bytes(24), bytes(32)]


def test_texts_have_no_limit() -> None:
    """A text may be longer than `max_elements`."""
    assert rules(3, LargeArrays.REFUSE).apply(arrays(4, kind=Kind.TEXT)).tolist() == []


def test_rows_whose_rules_changed_are_told() -> None:
    """`take` gives the rows that have other rules than before."""
    made = rules(3, LargeArrays.REFUSE)
    cells = np.zeros(2, SETTINGS)
    cells["max_elements"], cells["large_arrays"] = [0, 3], LargeArrays.REFUSE
    assert made.take(np.array([0, 1]), cells).tolist() == [0]
    assert made.take(np.array([0, 1]), cells).tolist() == []
