from __future__ import annotations

import struct

import numpy as np
import pytest

from archioc.core.channel import LargeArrays
from archioc.core.spool.batch import Kind, SampleFlag
from archioc.core.table.columns import SETTINGS
from archioc.engine.sampling.array_rules import ArrayRules
from archioc.engine.sampling.updates import Updates
from tests.unit.engine.arrivals import T0, Arrival, to_updates


def rules(most: int, large: LargeArrays) -> ArrayRules:
    made = ArrayRules(2)
    cells = np.zeros(1, SETTINGS)
    cells["max_elements"], cells["large_arrays"] = most, large
    made.load(np.array([1]), cells)
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
    assert made.load(np.array([0, 1]), cells).tolist() == [0]
    assert made.load(np.array([0, 1]), cells).tolist() == []
