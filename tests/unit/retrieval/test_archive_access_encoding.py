"""What the JSON archive access protocol is answered with: every sample can be read by a strict reader and is the one that was stored."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.dbr import Dbr
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta
from archioc.db.bins import Grid, bins_of
from archioc.db.sample_columns import Array, SampleColumns
from archioc.retrieval.archive_access.encoding import LEVELS, bin_objects, sample_objects
from archioc.retrieval.archive_access.markers import Block, with_markers
from tests.readers.archive_access_reader import ReadSample, read_samples

ANY = st.floats()
TIME = st.integers(0, 2**62)


def columns(times: list[int], values: list[float], **more: list[object]) -> SampleColumns:
    n = len(times)
    given_columns: dict[str, list[object]] = {"text": [None] * n, "arrays": [None] * n, "reduced": [None] * n, **more}
    codes = [np.zeros(n, np.uint8) for _ in range(3)]
    return SampleColumns(np.array(times, np.int64), np.array(values), *codes, np.zeros(n, np.int64), **given_columns)  # type: ignore[arg-type, call-arg]


WORDS = [
    "NO_ALARM",
    "READ_ALARM",
    "WRITE_ALARM",
    "HIHI_ALARM",
    "HIGH_ALARM",
    "LOLO_ALARM",
    "LOW_ALARM",
    "STATE_ALARM",
    "COS_ALARM",
    "COMM_ALARM",
    "TIMEOUT_ALARM",
    "HW_LIMIT_ALARM",
    "CALC_ALARM",
    "SCAN_ALARM",
    "LINK_ALARM",
    "SOFT_ALARM",
    "BAD_SUB_ALARM",
    "UDF_ALARM",
    "DISABLE_ALARM",
    "SIMM_ALARM",
    "READ_ACCESS_ALARM",
    "WRITE_ACCESS_ALARM",
]
"""What Phoebus shows for a status over Channel Access and pbraw (`ChannelAccessStatusUtil`)."""


def read(objects: list[bytes]) -> list[ReadSample]:
    return read_samples(b"[" + b",".join(objects) + b"]")


def metas(dbr: st.SearchStrategy[Dbr]) -> st.SearchStrategy[ChannelMeta]:
    limit = st.none() | ANY
    limits = {f"{name}_{end}": limit for name in ("display", "warning", "alarm") for end in ("low", "high")}
    labels = st.lists(st.text(max_size=5), max_size=4).map(tuple)
    return st.builds(
        ChannelMeta,
        st.just("A"),
        st.just(0),
        dbr,
        st.just(1),
        st.just("host"),
        st.text(max_size=8),
        st.none() | st.integers(-32768, 32767),
        labels,
        **limits,
    )


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@given(st.lists(ANY | st.integers(-9, 70_000).map(float), min_size=1, max_size=20), st.none() | metas(st.sampled_from(Dbr)), st.data())
def test_numbers(values: list[float], meta: ChannelMeta | None, data: st.DataObject) -> None:
    """Any number, alarm and metadata of any type can be read, and is what was stored."""
    times = sorted(data.draw(st.lists(TIME, min_size=len(values), max_size=len(values), unique=True)))
    samples = columns(times, values)
    samples.severity[:] = data.draw(st.lists(st.integers(0, 255), min_size=len(values), max_size=len(values)))
    samples.status[:] = data.draw(st.lists(st.integers(0, 255), min_size=len(values), max_size=len(values)))
    found = read(sample_objects(samples, meta))
    assert [one.time for one in found] == times
    assert all(same(one.value[0], value) and len(one.value) == 1 for one, value in zip(found, values, strict=True))
    assert [one.level for one in found] == [LEVELS[min(code, 3)].decode() for code in samples.severity.tolist()]
    assert [one.status for one in found] == [WORDS[code] if code < len(WORDS) else f"<{code}>" for code in samples.status.tolist()]
    if meta is not None and all(one.kind == "enum" for one in found):
        assert found[0].meta == {"type": "enum", "states": list(meta.labels)}


def test_type_of_numbers() -> None:
    """Whole types are told as such with their precision, enums with labels; what does not fit the type is a double."""

    def kind(value: float, dbr: Dbr, **more: object) -> str:
        meta = ChannelMeta("A", 0, dbr, 1, "host", **more)  # type: ignore[arg-type]
        return read(sample_objects(columns([1], [value]), meta))[0].kind

    assert [kind(1.0, dbr) for dbr in (Dbr.SHORT, Dbr.LONG, Dbr.CHAR, Dbr.ENUM)] == ["long"] * 4
    assert kind(1.0, Dbr.ENUM, labels=("off", "on")) == "enum"
    assert kind(5.0, Dbr.ENUM, labels=("off", "on")) == "enum"
    assert kind(1.5, Dbr.ENUM, labels=("off", "on")) == "double"
    assert [kind(1.0, dbr) for dbr in (Dbr.DOUBLE, Dbr.FLOAT)] == ["double"] * 2
    assert kind(math.nan, Dbr.LONG) == "double"
    [one] = read(sample_objects(columns([1], [2.0]), ChannelMeta("A", 0, Dbr.DOUBLE, 1, "h", "mA", 3, display_low=0.0, display_high=9.0)))
    assert one.meta == {
        "type": "numeric",
        "precision": 3,
        "units": "mA",
        "displayLow": 0.0,
        "displayHigh": 9.0,
        **dict.fromkeys(("warnLow", "warnHigh", "alarmLow", "alarmHigh"), "NaN"),
    }


@given(st.text(), st.none() | metas(st.sampled_from(Dbr)))
def test_texts(text: str, meta: ChannelMeta | None) -> None:
    """Any text can be read, also among numbers of a channel of another type."""
    found = read(sample_objects(columns([1, 2], [math.nan, 4.0], text=[text, None]), meta))
    assert (found[0].kind, found[0].value, found[1].value) == ("string", (text,), (4,))


@given(st.lists(ANY, max_size=6), st.sampled_from(["<f8", "<f4", "<i4", "<i2", "<u2", "|u1", "|S40"]), metas(st.sampled_from(Dbr)))
def test_arrays(elements: list[float], dtype: str, meta: ChannelMeta) -> None:
    """Arrays of every type can be read with all their elements, also of none; one of which statistics were kept is a bin."""
    raw = np.array(elements, "<f8").tobytes() + bytes(40)
    array: Array = np.frombuffer(raw[: len(raw) // 40 * 40], dtype)
    [one, other] = read(
        sample_objects(
            columns([1, 2], [math.nan] * 2, arrays=[array, None], reduced=[None, ArrayStatistics(9, 1.0, 4.0, 2.5, math.inf)]), meta
        )
    )
    if dtype == "|S40":
        assert [len(text) for text in one.value] == [len(text) for text in one.value if isinstance(text, str)]
    else:
        assert all(same(found, float(stored)) for found, stored in zip(one.value, array.tolist(), strict=True))
    assert (other.kind, other.value, other.minimum, other.maximum) == ("minMaxDouble", (2.5,), 1.0, 4.0)


@given(st.lists(st.tuples(st.integers(0, 10_000), ANY), min_size=1, max_size=30, unique_by=lambda one: one[0]), metas(st.just(Dbr.DOUBLE)))
def test_bins(samples: list[tuple[int, float]], meta: ChannelMeta) -> None:
    """Bins of any numbers, units with a percent sign included, can be read; ascending, with the least and the largest number of each."""
    times, values = zip(*sorted(samples), strict=True)
    bins = bins_of(Grid.of(0, 10_001, 7), [columns(list(times), list(values))])
    bins = bins.select((bins.count > 0) | (bins.non_finite > 0))
    found = read(bin_objects(bins, meta))
    assert [one.time for one in found] == sorted({one.time for one in found})
    finite = [value for value in values if math.isfinite(value)]
    lows = [one.minimum for one in found if one.minimum is not None and not math.isnan(one.minimum)]
    assert min(lows, default=None) == min(finite, default=None)


@given(st.lists(st.integers(0, 40), unique=True, max_size=20), st.lists(st.tuples(st.integers(0, 40), st.sampled_from(Reason)), max_size=8))
def test_markers(times: list[int], told: list[tuple[int, Reason]]) -> None:
    """Markers stand in the order of time, after a sample of the same time, and none is left out but of two at one time the second."""
    ordered = sorted(times)
    cut = len(ordered) // 2
    parts = [ordered[:cut], ordered[cut:]]
    blocks = [Block(np.array(part, np.int64), sample_objects(columns(part, [0.0] * len(part)), None)) for part in parts]
    events = [ChannelEvent("A", time_ns, reason) for time_ns, reason in told]
    found = read([one for objects in with_markers(blocks, events) for one in objects])
    assert [one.time for one in found] == sorted(one.time for one in found)
    assert [one.time for one in found if one.has_value] == ordered
    silent = {Reason.BAD_TIME, Reason.TYPE_CHANGED, Reason.SETTINGS_CHANGED, Reason.COLLECTING, Reason.REMOVED, Reason.SENT_AGAIN}
    marked = sorted({time_ns for time_ns, reason in told if reason not in silent})
    assert [one.time for one in found if not one.has_value] == [at + (at in times) for at in marked]


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (None, 2.2e-9, ("-Infinity", 2.2e-9)),
        (math.nan, 1.0, ("-Infinity", 1.0)),
        (10.0, None, (10.0, "Infinity")),
        (10.0, math.nan, (10.0, "Infinity")),
        (-math.inf, 3.0, ("-Infinity", 3.0)),
        (1.0, 2.0, (1.0, 2.0)),
        (2.0, 1.0, ("NaN", "NaN")),
        (None, None, ("NaN", "NaN")),
        (math.nan, None, ("NaN", "NaN")),
    ],
)
def test_limits_of_one_side(low: float | None, high: float | None, told: tuple[object, object]) -> None:
    """A limit whose other side is not set keeps its side of the plot's band; only a pair that is not set, or wrong, is NaN."""
    sides = {f"{name}_{end}": limit for name in ("display", "warning", "alarm") for end, limit in (("low", low), ("high", high))}
    [one] = read(sample_objects(columns([1], [2.0]), ChannelMeta("A", 0, Dbr.DOUBLE, 1, "h", **sides)))  # type: ignore[arg-type]
    assert one.meta is not None
    for name in ("display", "warn", "alarm"):
        assert (one.meta[f"{name}Low"], one.meta[f"{name}High"]) == told


def test_bins_have_the_status_of_pbraw() -> None:
    """A bin keeps no status, whatever its severity: its word is that of status 0."""
    samples = columns([1, 2], [1.0, 2.0])
    samples.severity[:], samples.status[:] = 2, 7
    found = read(bin_objects(bins_of(Grid.of(0, 10, 2), [samples]), None))
    assert {(one.level, one.status) for one in found if one.level != "OK"} == {("MAJOR", "NO_ALARM")}
