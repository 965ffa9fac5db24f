from __future__ import annotations

import gzip
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.config.store import Store
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import SAMPLE, Batch, ChannelMeta
from archioc.core.spool.encoding import EMBEDDED, encoder_for
from archioc.core.spool.encoding.columns import ColumnEncoder, decode_columns
from tests.archives.batches import Alarm, Point, alarms, make_batch, names, points

_EVENTS = st.builds(
    ChannelEvent,
    names(),
    st.integers(0, 2**62),
    st.sampled_from(Reason),
    st.one_of(st.none(), st.integers(0, 2**62)),
    st.integers(0, 2**40),
    st.text(st.characters(codec="utf-8"), max_size=10),
)
_LIMIT = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
_METAS = st.builds(
    ChannelMeta,
    channel=names(),
    time_ns=st.integers(0, 2**62),
    dbr=st.integers(0, 6),
    count=st.integers(0, 2**31),
    host=st.just("h:5064"),
    units=st.text(st.characters(codec="utf-8"), max_size=8),
    labels=st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=3).map(tuple),
    display_low=_LIMIT,
    control_high=_LIMIT,
)


@given(
    st.lists(points(names()), max_size=20),
    st.lists(_EVENTS, max_size=3),
    st.lists(_METAS, max_size=3),
    st.lists(alarms(names()), max_size=5),
)
def test_a_batch_comes_back_bit_for_bit(
    given_points: list[Point], events: list[ChannelEvent], metas: list[ChannelMeta], states: list[Alarm]
) -> None:
    """What is decoded is what was encoded, with the samples sorted by row and otherwise in their order."""
    batch = make_batch(given_points, events, metas, alarms=states)
    found = decode_columns(ColumnEncoder("embedded").encode(batch))
    order = np.argsort(batch.samples["row"], kind="stable")
    for name in SAMPLE.names or ():
        assert found.samples[name].tobytes() == batch.samples[name][order].tobytes(), name
    assert found.counts.tobytes() == batch.counts.tobytes()
    assert found.alarms.tobytes() == batch.alarms.tobytes()
    assert (found.blobs, found.names, found.events, found.metas) == (batch.blobs, batch.names, batch.events, batch.metas)


def test_limits_that_are_not_finite_are_absent() -> None:
    """A limit that is NaN or infinite is read back as None."""
    meta = ChannelMeta("A", 1, 6, 1, "h", display_low=math.nan, display_high=math.inf, alarm_low=3.0)
    (found,) = decode_columns(ColumnEncoder("x").encode(make_batch([], metas=[meta]))).metas
    assert (found.display_low, found.display_high, found.alarm_low) == (None, None, 3.0)


def test_many_rows_are_sorted_too() -> None:
    """Rows beyond 65535 are sorted like others."""
    batch = make_batch([Point("A", 1, 1.0), Point("B", 2, 2.0), Point("A", 3, 3.0)], rows={"A": 150_000, "B": 7})
    assert decode_columns(ColumnEncoder("x").encode(batch)).samples["time"].tolist() == [2, 1, 3]


@pytest.mark.parametrize(
    "payload",
    [b"", b"abc", gzip.compress(b"something else"), ColumnEncoder("x").encode(make_batch([]))[:-9]],
    ids=["empty", "no gzip", "another content", "cut short"],
)
def test_what_is_no_payload_is_refused(payload: bytes) -> None:
    """Bytes that are no column payload raise ValueError, and nothing else."""
    with pytest.raises(ValueError, match=r"not gzip|a column payload starts with"):
        decode_columns(payload)


def test_the_embedded_store_takes_columns() -> None:
    """Without InfluxDB the encoder is that of the embedded store."""
    encoder = encoder_for(Store.model_validate({}))
    assert encoder.destination == EMBEDDED
    batch: Batch = make_batch([Point("A", 1, 2.0)])
    assert decode_columns(encoder.encode(batch)).samples["value"].tolist() == [2.0]
