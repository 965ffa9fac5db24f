from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archioc.core.dbr import Dbr
from archioc.core.spool.batch import NO_BLOB, Kind
from archioc.engine.ca.channel_access import EventCallback
from archioc.engine.ca.ring import EventRing
from archioc.engine.sampling.updates import decode_updates
from tests.unit.engine.conftest import CallbackFactory
from tests.unit.engine.deliveries import Delivery, deliveries, hand_over


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventRing]:
    made = EventRing(tmp_path_factory.mktemp("run") / "ring")
    made.create(1 << 20, 4)
    yield made
    made.close()


@pytest.fixture(scope="module")
def callback(ring: EventRing, new_callback: CallbackFactory) -> EventCallback:
    return new_callback(ring)


@settings(max_examples=200, deadline=None)
@given(st.lists(deliveries(), min_size=1, max_size=20))
def test_updates_come_out_as_they_went_in(ring: EventRing, callback: EventCallback, sent: list[Delivery]) -> None:
    """Row, stamp, alarm, type, count and value of every update of every type are those that libca delivered."""
    before = time.time_ns()
    for one in sent:
        hand_over(callback, one)
    slots = ring.drain(1000)
    found = decode_updates(slots, ring)
    ring.release(ring.drained, int(ring.head["write_bulk"][0]))
    assert slots["generation"].tolist() == [one.generation for one in sent]
    assert found.row.tolist() == [one.row for one in sent]
    assert found.stamp.tolist() == [one.stamp for one in sent]
    assert found.alarm.tolist() == [one.severity << 8 | one.status for one in sent]
    assert found.dbr.tolist() == [one.native for one in sent]
    assert found.count.tolist() == [one.count for one in sent]
    assert before <= found.received.min() <= found.received.max() <= time.time_ns()
    for at, one in enumerate(sent):
        check_value(
            one, Kind(int(found.kind[at])), float(found.value[at]), None if found.blob[at] == NO_BLOB else found.blobs[found.blob[at]]
        )


def check_value(sent: Delivery, kind: Kind, value: float, blob: bytes | None) -> None:
    if sent.array:
        assert (kind, blob) == (Kind.ARRAY, sent.elements)
    elif sent.native is Dbr.STRING:
        assert (kind, blob) == (Kind.TEXT, sent.elements.split(b"\0")[0])
    else:
        assert (kind, blob) == (Kind.ENUM if sent.native is Dbr.ENUM else Kind.NUMBER, None)
        np.testing.assert_equal(value, sent.number)
        return
    assert math.isnan(value)


def test_bits_tell_values_apart(ring: EventRing, callback: EventCallback) -> None:
    """Equal values have equal bits, others not: numbers bit for bit, texts and arrays by content."""
    doubles = [np.float64(value).tobytes() for value in (1.0, 1.0, -0.0, 0.0, math.nan)]
    texts = [text.ljust(40, b"\0") for text in (b"on", b"on\0rest", b"off", b"")]
    for elements in doubles:
        hand_over(callback, Delivery(0, Dbr.DOUBLE, False, elements))
    for elements in texts:
        hand_over(callback, Delivery(0, Dbr.STRING, False, elements))
    for elements in (b"", bytes(1), bytes(2)):
        hand_over(callback, Delivery(0, Dbr.CHAR, True, elements))
    bits = decode_updates(ring.drain(100), ring).bits.tolist()
    ring.release(ring.drained, int(ring.head["write_bulk"][0]))
    assert bits[0] == bits[1]
    assert len(set(bits[1:5])) == 4
    assert bits[5] == bits[6]
    assert len(set(bits[6:9])) == 3
    assert len(set(bits[9:])) == 3


def test_a_signalling_nan_is_nan(ring: EventRing, callback: EventCallback) -> None:
    """A float of any bits decodes without a warning."""
    hand_over(callback, Delivery(0, Dbr.FLOAT, False, b"\0\0\x81\x7f"))
    assert math.isnan(decode_updates(ring.drain(10), ring).value[0])
    ring.release(ring.drained, int(ring.head["write_bulk"][0]))


def test_some_updates_in_another_order(ring: EventRing, callback: EventCallback) -> None:
    """`take` gives columns of the updates asked for, and their blobs stay theirs."""
    for text in (b"a", b"b", b"c"):
        hand_over(callback, Delivery(0, Dbr.STRING, False, text.ljust(40, b"\0")))
    taken = decode_updates(ring.drain(100), ring).select(np.array([2, 0]))
    ring.release(ring.drained, int(ring.head["write_bulk"][0]))
    assert len(taken) == 2
    assert [taken.blobs[at] for at in taken.blob] == [b"c", b"a"]


def test_no_updates(tmp_path: Path) -> None:
    """Nothing decodes to nothing."""
    ring = EventRing(tmp_path / "ring")
    ring.create(1 << 20, 1)
    assert len(decode_updates(ring.drain(10), ring)) == 0
    ring.close()
