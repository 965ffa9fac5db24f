"""Batches for tests, as the engine would make them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.events import ChannelEvent
from archioc.core.spool.batch import ALARM, COUNTS, NO_BLOB, SAMPLE, Batch, ChannelMeta, Kind, SampleFlag
from archioc.core.spool.encoding import Encoder
from archioc.core.spool.spool import SpoolFile

T0 = 1_790_000_000_123_456_789
"""A time (ns since 1970) that float64 cannot carry."""


@dataclass(frozen=True, slots=True)
class Point:
    """One sample; `blob` is its text, label or array elements."""

    channel: str
    time_ns: int
    value: float = math.nan
    blob: bytes | None = None
    kind: Kind = Kind.NUMBER
    severity: int = 0
    status: int = 0
    flags: int = 0
    src_time: int = 0
    dbr: Dbr = Dbr.DOUBLE


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm state."""

    channel: str
    time_ns: int
    severity: int
    status: int


def make_batch(
    points: Sequence[Point],
    events: Iterable[ChannelEvent] = (),
    metas: Iterable[ChannelMeta] = (),
    rows: dict[str, int] | None = None,
    alarms: Sequence[Alarm] = (),
) -> Batch:
    """A batch of these; channels get rows in the order of their first appearance, unless `rows` gives them."""
    channels = [point.channel for point in points] + [alarm.channel for alarm in alarms]
    row_of = rows or {name: row for row, name in enumerate(dict.fromkeys(channels))}
    samples = np.zeros(len(points), SAMPLE)
    blobs: list[bytes] = []
    for at, point in enumerate(points):
        blob = NO_BLOB
        if point.blob is not None:
            blob = len(blobs)
            blobs.append(point.blob)
        samples[at] = (
            row_of[point.channel],
            blob,
            point.time_ns,
            point.src_time,
            point.value,
            point.severity,
            point.status,
            point.kind,
            point.dbr,
            point.flags,
            b"",
        )
    found, numbers = np.unique(samples["row"], return_counts=True)
    counts = np.zeros(len(found), COUNTS)
    counts["row"], counts["generation"], counts["samples"] = found, 1, numbers
    names = {row: name for name, row in row_of.items()}
    states = np.array([(row_of[one.channel], one.severity, one.status, b"", one.time_ns) for one in alarms], ALARM)
    return Batch(samples, tuple(blobs), names, counts, tuple(events), tuple(metas), states)


def spool_file(encoder: Encoder, batch: Batch, batch_id: int = 1) -> SpoolFile:
    """The spool file that carries a batch."""
    return SpoolFile(batch_id, T0, encoder.destination, batch.counts, encoder.encode(batch))


def names() -> st.SearchStrategy[str]:
    """Channel names that `channel_name` takes, odd ones above all."""
    letters = st.sampled_from(list("ab:,=\\\"'µ中.{}#$"))
    return st.text(letters, min_size=1, max_size=8)


def alarms(channel: st.SearchStrategy[str]) -> st.SearchStrategy[Alarm]:
    """Any alarm state."""
    return st.builds(Alarm, channel, st.integers(0, 2**62), st.integers(0, 3), st.integers(0, 21))


def texts() -> st.SearchStrategy[bytes]:
    """What a DBR_STRING may hold."""
    return st.one_of(
        st.text(st.sampled_from(list('a ,=\\"\n\r\té中')), max_size=13).map(str.encode),
        st.binary(max_size=39).map(lambda raw: raw.split(b"\0")[0]),
    )


@st.composite
def points(draw: st.DrawFn, channel: st.SearchStrategy[str]) -> Point:
    """Any sample."""
    kind = draw(st.sampled_from(Kind))
    dbr = draw(st.sampled_from(Dbr)) if kind is Kind.ARRAY else Dbr.DOUBLE
    blob = None
    if kind is Kind.TEXT or (kind is Kind.ENUM and draw(st.booleans())):
        blob = draw(texts())
    elif kind is Kind.ARRAY:
        size = ELEMENT_DTYPE[dbr].itemsize * draw(st.integers(0, 5))
        blob = draw(st.binary(min_size=size, max_size=size))
    flags = draw(st.integers(0, 3))
    if kind is Kind.ARRAY and draw(st.booleans()):
        flags |= SampleFlag.STATISTICS
        blob = ArrayStatistics(draw(st.integers(1, 2**31)), *(draw(st.floats()) for _ in range(4))).pack()
    return Point(
        channel=draw(channel),
        time_ns=draw(st.integers(0, 2**62)),
        value=draw(st.floats(width=64)) if kind in {Kind.NUMBER, Kind.ENUM} else math.nan,
        blob=blob,
        kind=kind,
        severity=draw(st.integers(0, 3)),
        status=draw(st.integers(0, 21)),
        flags=flags,
        src_time=draw(st.integers(1, 2**62)) if flags else 0,
        dbr=dbr,
    )
