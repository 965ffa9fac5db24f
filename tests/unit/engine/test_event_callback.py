from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archioc.core.config.config import Callback
from archioc.core.dbr import DBR_CTRL_OFFSET, DBR_TIME_OFFSET, Dbr
from archioc.core.errors import CallbackMissing
from archioc.engine.ca import event_callback
from archioc.engine.ca.metadata import CTRL_BYTES
from archioc.engine.ca.ring import IN_BULK, OF_ARRAY, EventKind, EventRing
from archioc.engine.ca.user_argument import ROW_MASK, TYPE_AT, TYPE_MASK, user_argument
from tests.unit.engine.conftest import CallbackFactory
from tests.unit.engine.deliveries import Delivery, call, connect, deliveries, hand_all_over, hand_over, in_a_thread

ECA_DISCONN = 192


@pytest.mark.parametrize("native", Dbr)
def test_a_scalar_lies_in_its_slot(ring: EventRing, new_callback: CallbackFactory, native: Dbr) -> None:
    """The DBR_TIME_x of a numeric scalar is kept byte for byte in the slot; a string's head only, its text in the bulk area."""
    callback = new_callback(ring)
    size = 40 if native is Dbr.STRING else 8
    one = Delivery(2, native, False, bytes(range(1, size + 1))[: 40 if native is Dbr.STRING else _SIZE[native]], severity=1, status=3)
    hand_over(callback, one)
    (slot,) = ring.drain(10)
    assert (slot["row"], slot["generation"], slot["dbr"], slot["kind"], slot["count"]) == (2, 1, native + DBR_TIME_OFFSET, 0, 1)
    body = slot["body"].tobytes()
    if native is Dbr.STRING:
        assert slot["flags"] == IN_BULK
        assert body[:12] == one.memory[:12]
        assert ring.piece(0, 40) == one.elements
    else:
        assert slot["flags"] == 0
        assert body[: len(one.memory)] == one.memory


_SIZE = {Dbr.SHORT: 2, Dbr.FLOAT: 4, Dbr.ENUM: 2, Dbr.CHAR: 1, Dbr.LONG: 4, Dbr.DOUBLE: 8}


@pytest.mark.parametrize("native", Dbr)
@pytest.mark.parametrize("count", [0, 1, 5])
def test_an_array_is_marked_as_one(ring: EventRing, new_callback: CallbackFactory, native: Dbr, count: int) -> None:
    """An array of any type and number of elements, also of none or one, lies in the bulk area and says that it is an array."""
    callback = new_callback(ring)
    elements = bytes(range(count * _SIZE.get(native, 40)))
    hand_over(callback, Delivery(1, native, True, elements))
    (slot,) = ring.drain(10)
    assert (slot["flags"], slot["count"], slot["row"]) == (IN_BULK | OF_ARRAY, count, 1)
    assert ring.piece(0, len(elements)) == elements


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("native", Dbr)
def test_metadata_is_kept_whole(ring: EventRing, new_callback: CallbackFactory, native: Dbr, count: int) -> None:
    """A DBR_CTRL_x lies in the bulk area from its first byte to its value, also where a server leaves the value out."""
    callback = new_callback(ring)
    raw = bytes(at % 251 for at in range(CTRL_BYTES[native]))
    call(callback, 3, 9, False, native + DBR_CTRL_OFFSET, count, raw)
    (slot,) = ring.drain(10)
    assert (slot["kind"], slot["row"], slot["generation"], slot["dbr"]) == (EventKind.META, 3, 9, native + DBR_CTRL_OFFSET)
    assert ring.piece(0, len(raw)) == raw


def test_a_refusal_is_told_with_its_code(ring: EventRing, new_callback: CallbackFactory) -> None:
    """An event without a value becomes a REFUSED with the code of libca."""
    callback = new_callback(ring)
    call(callback, 3, 9, True, Dbr.DOUBLE + DBR_TIME_OFFSET, 1, None, ECA_DISCONN)
    call(callback, 3, 9, False, Dbr.DOUBLE + DBR_TIME_OFFSET, 1, None)
    first, second = ring.drain(10)
    assert (first["kind"], first["count"], first["row"], first["generation"]) == (EventKind.REFUSED, ECA_DISCONN, 3, 9)
    assert second["kind"] == EventKind.REFUSED


def test_connections_are_in_order_with_updates(ring: EventRing, new_callback: CallbackFactory) -> None:
    """Connecting, a value and disconnecting are read in that order, with type and count."""
    callback = new_callback(ring)
    connect(callback, 4, 2, True, Dbr.LONG, 7)
    hand_over(callback, Delivery(4, Dbr.LONG, False, bytes(4), generation=2))
    connect(callback, 4, 2, False)
    slots = ring.drain(10)
    assert slots["kind"].tolist() == [EventKind.CONNECTED, EventKind.UPDATE, EventKind.DISCONNECTED]
    assert (slots["dbr"][0], slots["count"][0]) == (Dbr.LONG, 7)
    assert set(zip(slots["row"].tolist(), slots["generation"].tolist(), strict=True)) == {(4, 2)}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, ROW_MASK), st.integers(1, 2**32 - 1), st.booleans(), st.integers(0, TYPE_MASK))
def test_the_user_argument_names_the_channel(row: int, generation: int, array: bool, dbr: int) -> None:
    """Row, generation, shape and type are in the 64 bits that libca hands back, and they are never 0."""
    argument = user_argument(row, generation, array, dbr).value
    assert argument is not None
    parts = (argument & ROW_MASK, argument >> 32, bool(argument & 1 << 31), argument >> TYPE_AT & TYPE_MASK)
    assert parts == (row, generation, array, dbr)


@settings(max_examples=20, deadline=None)
@given(st.lists(deliveries(rows=8), min_size=1, max_size=30))
def test_a_foreign_thread_writes_the_same(
    tmp_path_factory: pytest.TempPathFactory, new_callback: CallbackFactory, sent: list[Delivery]
) -> None:
    """What a thread of libca hands over is what the same calls from here write, but for the time."""
    found = []
    for hand in (in_a_thread, hand_all_over):
        ring = EventRing(tmp_path_factory.mktemp("run") / "ring")
        ring.create(1, 8)
        hand(new_callback(ring), sent)
        slots = ring.drain(100)
        slots["received"] = 0
        found.append((slots.tobytes(), ring.bulk.tobytes()))
        ring.close()
    assert found[0] == found[1]


def test_threads_that_end_do_no_harm(ring: EventRing, new_callback: CallbackFactory) -> None:
    """A thread whose state was pinned ends like any other, and the next one is served as well."""
    callback = new_callback(ring)
    one = Delivery(0, Dbr.DOUBLE, False, np.float64(1).tobytes())
    before = threading.active_count()
    for _ in range(5):
        in_a_thread(callback, [one] * 10)
    assert threading.active_count() == before
    assert len(ring.drain(100)) == 50


def test_an_overflow_counter_goes_around(ring: EventRing, new_callback: CallbackFactory) -> None:
    """The count of lost updates of a channel starts again at 0 after 2**32 - 1."""
    callback = new_callback(ring)
    ring.lost[0] = 2**32 - 1
    ring.head["read_slot"] = 0
    for _ in range(len(ring.slots) + 1):
        hand_over(callback, Delivery(0, Dbr.CHAR, False, b"\1"))
    assert ring.lost[0] == 0


def test_without_a_compiler_the_python_callback_serves(ring: EventRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the compiled callback was not built, `auto` gives the one in Python, and asking for `compiled` is refused."""
    monkeypatch.setattr(event_callback, "COMPILED", False)
    assert event_callback.make_callback(Callback.AUTO, ring).name == "pinned"
    with pytest.raises(CallbackMissing, match="no C compiler"):
        event_callback.make_callback(Callback.COMPILED, ring)
