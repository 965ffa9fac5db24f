"""The callbacks take no size from a message: what does not fit its subscription is counted, and none of its bytes is read."""

from __future__ import annotations

import ctypes
import mmap
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archioc.core.dbr import DBR_CTRL_OFFSET, DBR_TIME_OFFSET, ELEMENT_DTYPE, Dbr
from archioc.engine.ca.metadata import CTRL_BYTES
from archioc.engine.ca.pinned_callback import ECA_BADTYPE, ECA_TOLARGE
from archioc.engine.ca.ring import MISFITTING, OF_ARRAY, TOO_LARGE, EventKind, EventRing
from archioc.engine.ca.user_argument import user_argument
from tests.unit.engine.conftest import CallbackFactory
from tests.unit.engine.deliveries import call, call_at

COUNTS = [-(2**31), -1, 0, 2, 3, 8, 1000, 2**16 - 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1]
"""None of them is what a scalar has."""
SUBSCRIBED = [native + offset for native in Dbr for offset in (DBR_TIME_OFFSET, DBR_CTRL_OFFSET)]
INT32, INT64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
WHOLE = bytes(512)
"""As much as any message about one element has."""


@pytest.mark.parametrize("subscribed", SUBSCRIBED)
def test_another_number_of_elements_is_a_misfit(ring: EventRing, new_callback: CallbackFactory, subscribed: int) -> None:
    """Whatever number of elements messages claim for a subscription of one, a slot each says so and nothing else is written."""
    counts = [count for count in COUNTS if count or subscribed < DBR_CTRL_OFFSET]  # metadata without a value are whole
    callback = new_callback(ring)
    for count in counts:
        call(callback, 1, 7, False, subscribed, count, WHOLE)
    slots = ring.drain(100)
    assert slots["count"].tolist() == [count if 0 <= count < 2**32 else 2**32 - 1 for count in counts]
    assert {(slot["kind"], slot["row"], slot["generation"], slot["dbr"]) for slot in slots} == {(EventKind.MISFIT, 1, 7, subscribed)}
    assert int(ring.head["write_bulk"][0]) == 0


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize("subscribed", SUBSCRIBED)
def test_another_type_is_a_misfit(ring: EventRing, new_callback: CallbackFactory, subscribed: int, array: bool) -> None:
    """A message of any type but the one that was subscribed to is told with both types, and not read."""
    callback = new_callback(ring)
    others = [dbr for dbr in (*range(39), 63, 0x8000 | subscribed, 2**16 - 1) if dbr != subscribed]
    for dbr in others:
        call(callback, 1, 7, array, dbr, 1, WHOLE, subscribed=subscribed)
    slots = ring.drain(100)
    assert set(slots["kind"].tolist()) == {EventKind.MISFIT}
    assert set(slots["dbr"].tolist()) == {subscribed}
    assert slots.view(MISFITTING)["sent"].tolist() == others
    assert set(slots["flags"].tolist()) == {OF_ARRAY if array else 0}
    assert int(ring.head["write_bulk"][0]) == 0


def test_a_message_marked_as_too_short_is_a_misfit(ring: EventRing, new_callback: CallbackFactory) -> None:
    """What the guard of libca marks by an impossible type comes without a value, and is a misfit of the type that it had."""
    subscribed = Dbr.DOUBLE + DBR_TIME_OFFSET
    call(new_callback(ring), 1, 7, True, 0x8000 | subscribed, 5, None, ECA_BADTYPE, subscribed=subscribed)
    (slot,) = slots = ring.drain(10)
    assert (slot["kind"], slot["count"], int(slots.view(MISFITTING)["sent"][0])) == (EventKind.MISFIT, 5, 0x8000 | subscribed)


@pytest.mark.parametrize("native", Dbr)
@pytest.mark.parametrize("count", [-1, 2**31, 2**32 - 1, 2**40, 2**63 - 1])
def test_an_array_beyond_the_ring_is_not_read(ring: EventRing, new_callback: CallbackFactory, native: Dbr, count: int) -> None:
    """However many elements an array claims, what the ring can never take is refused, without a look at its bytes."""
    call(new_callback(ring), 1, 7, True, native + DBR_TIME_OFFSET, count, WHOLE)
    (slot,) = slots = ring.drain(10)
    assert (slot["kind"], slot["count"]) == (EventKind.REFUSED, ECA_TOLARGE)
    assert int(slots.view(TOO_LARGE)["elements"][0]) == min(count % 2**64, 2**32 - 1)
    assert int(ring.head["write_bulk"][0]) == 0
    _nothing_but_one_slot(ring)


@pytest.mark.parametrize("native", Dbr)
@pytest.mark.parametrize("offset", [DBR_TIME_OFFSET, DBR_CTRL_OFFSET])
def test_no_byte_behind_what_was_subscribed_is_read(ring: EventRing, new_callback: CallbackFactory, native: Dbr, offset: int) -> None:
    """A message whose last byte is the last one of its page is taken, though the next page cannot be read."""
    head = {Dbr.SHORT: 14, Dbr.ENUM: 14, Dbr.CHAR: 15, Dbr.DOUBLE: 16}.get(native, 12)
    size = CTRL_BYTES[native] if offset == DBR_CTRL_OFFSET else head + ELEMENT_DTYPE[native].itemsize
    end = _end_of_readable_memory()
    call_at(new_callback(ring), user_argument(1, 7, False, native + offset), native + offset, 1, end - size)
    (slot,) = ring.drain(10)
    assert slot["kind"] == (EventKind.META if offset == DBR_CTRL_OFFSET else EventKind.UPDATE)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(SUBSCRIBED), st.booleans(), INT32, INT64, INT32
)  # fmt: skip
def test_any_event_makes_one_slot_of_its_row(
    tmp_path_factory: pytest.TempPathFactory, new_callback: CallbackFactory, subscribed: int, array: bool, dbr: int, count: int, status: int
) -> None:
    """Whatever type, number of elements and status an event has, it makes one slot, of the row and generation that it belongs to."""
    ring = EventRing(tmp_path_factory.mktemp("run") / "ring")
    ring.create(1, 8)
    array = array and subscribed < DBR_CTRL_OFFSET
    count = count if not array or not 0 <= count < 2**20 or dbr != subscribed else 2**20  # an array of this length is not in memory
    call(new_callback(ring), 5, 2**32 - 1, array, dbr, count, WHOLE, status, subscribed=subscribed)
    slots = ring.drain(10)
    assert [(slot["row"], slot["generation"]) for slot in slots] == [(5, 2**32 - 1)]
    _nothing_but_one_slot(ring)
    ring.close()


@cache
def _end_of_readable_memory() -> int:
    """The address behind a page of zeros; whoever reads there dies. The pages stay until the process ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    begin = libc.mmap(None, 2 * mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    assert libc.mprotect(begin + mmap.PAGESIZE, mmap.PAGESIZE, 0) == 0
    return int(begin) + mmap.PAGESIZE


def _nothing_but_one_slot(ring: EventRing) -> None:
    assert not ring.slots[1:].view("u1").any()
    assert ring.lost.sum() == 0
