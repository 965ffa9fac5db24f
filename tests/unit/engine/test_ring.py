from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archioc.core.dbr import Dbr
from archioc.core.errors import RunDirError
from archioc.engine.ca.pinned_callback import ECA_TOLARGE
from archioc.engine.ca.ring import IN_BULK, LARGE, SLOT, TOO_LARGE, EventKind, EventRing, bulk_end, shape_of
from archioc.engine.sampling.updates import decode_updates
from tests.unit.engine.conftest import CallbackFactory
from tests.unit.engine.deliveries import Delivery, hand_over

SLOTS, BULK = shape_of(1)
"""The smallest ring there is."""
MOST = BULK - BULK // 8
"""Bytes of the bulk area that arrays may take."""


def number(value: float, row: int = 0) -> Delivery:
    return Delivery(row, Dbr.DOUBLE, False, np.float64(value).tobytes())


def array(size: int, fill: int, row: int = 0) -> Delivery:
    return Delivery(row, Dbr.CHAR, True, bytes([fill]) * size)


def values(ring: EventRing, at_most: int = 10_000) -> list[float]:
    return [float(one) for one in decode_updates(ring.drain(at_most), ring).value]


def commit(ring: EventRing, slots: np.ndarray, bulk: int) -> int:
    """Release all that was drained; the bulk cursor behind it."""
    bulk = bulk_end(slots, bulk)
    ring.release(ring.drained, bulk)
    return bulk


def test_a_full_ring_keeps_what_it_has(ring: EventRing, new_callback: CallbackFactory) -> None:
    """Updates that find the ring full are counted for their channel, and those that are in it stay as they are."""
    callback = new_callback(ring)
    for at in range(SLOTS):
        hand_over(callback, number(at))
    assert ring.fill == 1.0
    for _ in range(3):
        hand_over(callback, number(-1, row=5))
    hand_over(callback, number(-1, row=7))
    assert ring.lost.tolist() == [0, 0, 0, 0, 0, 3, 0, 1]
    assert int(ring.head["lost"][0]) == 4
    assert values(ring) == list(range(SLOTS))


def test_space_is_given_back_by_release_only(ring: EventRing, new_callback: CallbackFactory) -> None:
    """A drained event keeps its slot until it is released, then the slot takes another."""
    callback = new_callback(ring)
    for at in range(SLOTS):
        hand_over(callback, number(at))
    assert values(ring, 10) == list(range(10))
    hand_over(callback, number(-1))
    assert int(ring.head["lost"][0]) == 1
    ring.release(10, 0)
    for at in range(10):
        hand_over(callback, number(SLOTS + at))
    assert int(ring.head["lost"][0]) == 1
    assert values(ring) == list(range(10, SLOTS + 10))


def test_a_successor_reads_what_is_not_released(ring: EventRing, new_callback: CallbackFactory, tmp_path: Path) -> None:
    """Whoever opens the ring after a kill gets every event that was not released, and writes on behind them."""
    callback = new_callback(ring)
    for at in range(7):
        hand_over(callback, number(at))
    ring.drain(5)
    ring.release(3, 0)
    successor = EventRing(tmp_path / "ring")
    successor.open()
    hand_over(new_callback(successor), number(7))
    assert values(successor) == [3, 4, 5, 6, 7]
    successor.rewind(5, 0)
    assert values(successor) == [5, 6, 7]
    successor.close()


def test_an_array_that_does_not_fit_is_counted(ring: EventRing, new_callback: CallbackFactory) -> None:
    """An array without room in the bulk area is lost and counted; numbers still find their slots, arrays that wait are unharmed."""
    callback = new_callback(ring)
    hand_over(callback, array(MOST, 1))
    hand_over(callback, array(LARGE + 1, 2, row=3))
    hand_over(callback, number(5))
    assert ring.lost[3] == 1
    updates = decode_updates(ring.drain(10), ring)
    assert updates.blobs == [b"\1" * MOST]
    assert float(updates.value[1]) == 5


def test_arrays_leave_room_for_texts(ring: EventRing, new_callback: CallbackFactory) -> None:
    """When arrays have taken all that they may have, thousands of texts and metadata still find room."""
    callback = new_callback(ring)
    hand_over(callback, array(MOST, 1))
    for at in range(300):
        hand_over(callback, Delivery(1, Dbr.STRING, False, str(at).encode().ljust(40, b"\0")))
    assert int(ring.head["lost"][0]) == 0
    assert decode_updates(ring.drain(400), ring).blobs[1:] == [str(at).encode() for at in range(300)]


def test_an_array_beyond_the_ring_is_told(ring: EventRing, new_callback: CallbackFactory) -> None:
    """An array that the bulk area can never take becomes a refusal that tells its number of elements; it is not counted as lost."""
    callback = new_callback(ring)
    hand_over(callback, array(MOST + 1, 1, row=2))
    (slot,) = ring.drain(10)
    assert (slot["kind"], slot["row"], slot["count"]) == (EventKind.REFUSED, 2, ECA_TOLARGE)
    assert np.array([slot]).view(TOO_LARGE)["elements"].tolist() == [MOST + 1]
    assert int(ring.head["lost"][0]) == 0


@pytest.mark.parametrize("size", [BULK // 2 + 8, MOST - 8, MOST])
def test_an_empty_ring_takes_any_array_that_fits_into_it(ring: EventRing, new_callback: CallbackFactory, size: int) -> None:
    """Wherever the cursors stand, an array up to what arrays may take is taken when nothing else is in it."""
    callback = new_callback(ring)
    bulk = 0
    for fill, its_size in enumerate((BULK // 2, size, size, 64, size)):
        hand_over(callback, array(its_size, fill))
        assert ring.crowded == (its_size > BULK // 2)
        slots = ring.drain(10)
        assert decode_updates(slots, ring).blobs == [bytes([fill]) * its_size]
        bulk = commit(ring, slots, bulk)
    assert int(ring.head["lost"][0]) == 0
    assert not ring.crowded


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.one_of(st.just(0), st.integers(1, 300), st.integers(1, BULK // 3)), st.integers(0, 3)), max_size=120))
def test_the_ring_is_a_queue(
    tmp_path_factory: pytest.TempPathFactory, new_callback: CallbackFactory, script: list[tuple[int, int]]
) -> None:
    """Whatever the sizes and however often it goes around: what comes out is what went in, in order; the rest is counted as lost.

    script: for each update the size of its array (0: a number), and how many drains follow it.
    """
    ring = EventRing(tmp_path_factory.mktemp("run") / "ring")
    ring.create(1, 8)
    callback = new_callback(ring)
    inside: list[Delivery] = []
    found: list[bytes] = []
    lost = bulk = 0
    for at, (size, drains) in enumerate(script):
        one = array(size, at % 256) if size else number(at)
        before = int(ring.head["lost"][0])
        hand_over(callback, one)
        if int(ring.head["lost"][0]) == before:
            inside.append(one)
        lost = int(ring.head["lost"][0])
        for _ in range(drains if at % 5 == 4 else 0):
            slots = ring.drain(3)
            found += contents(slots, ring)
            bulk = commit(ring, slots, bulk)
    while len(slots := ring.drain(7)):
        found += contents(slots, ring)
    assert found == [one.elements for one in inside]
    assert lost == len(script) - len(inside) == int(ring.lost.sum())
    ring.close()


def contents(slots: np.ndarray, ring: EventRing) -> list[bytes]:
    updates = decode_updates(slots, ring)
    return [updates.blobs[blob] if blob >= 0 else value.tobytes() for blob, value in zip(updates.blob, updates.value, strict=True)]


def test_slots_go_around(ring: EventRing, new_callback: CallbackFactory) -> None:
    """A drain over the end of the slots gives the events in order."""
    callback = new_callback(ring)
    for start in range(0, 4 * SLOTS, 600):
        for at in range(600):
            hand_over(callback, number(start + at))
        assert values(ring) == list(range(start, start + 600))
        ring.release(ring.drained, 0)


def test_the_bulk_cursor_of_slots(ring: EventRing, new_callback: CallbackFactory) -> None:
    """The bulk cursor lies behind the last piece, and stays where it was when there is none."""
    callback = new_callback(ring)
    hand_over(callback, array(13, 1))
    hand_over(callback, number(1))
    slots = ring.drain(10)
    assert (slots["flags"] & IN_BULK != 0).tolist() == [True, False]
    assert bulk_end(slots, 0) == 16
    assert bulk_end(slots[1:], 123) == 123


@pytest.mark.parametrize("size", [1, 1_000_000, 64_000_000, 1_000_000_000])
def test_the_shape_of_a_ring(size: int) -> None:
    """Slots are a power of two, the bulk area is whole in 8 bytes, and together they take no more than asked, small rings aside."""
    slots, bulk = shape_of(size)
    assert slots & (slots - 1) == 0
    assert bulk % 8 == 0
    assert slots * SLOT.itemsize + bulk <= max(size, 1024 * SLOT.itemsize) + (1 << 18)


def test_no_room_for_a_ring(tmp_path: Path) -> None:
    """A ring larger than its file system is refused with its path."""
    ring = EventRing(tmp_path / "ring")
    with pytest.raises(RunDirError, match="ring: no room for a ring of 1000000000000000000 bytes"):
        ring.create(10**18, 1)
