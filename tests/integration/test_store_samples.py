"""Samples as every store must take and give them, shown on the embedded store and on real InfluxDB servers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.spool.batch import Kind, SampleFlag, decode_text
from archioc.db.embedded.days import DAY_NS
from archioc.db.sample_columns import concatenate
from archioc.db.store import CHUNK, CHUNK_BYTES
from tests.archives.batches import T0, Point
from tests.archives.store_bench import EVER, Bench


def test_numbers_come_back_exactly(bench: Bench) -> None:
    """Every float64, its time to the nanosecond, alarms, flags and source time are read as they were written."""
    huge = [-1e308, 1.7976931348623157e308, 2.0**53 + 2, 1e22]
    values = [0.1, 5.0, -0.0, 0.0, 5e-324, *huge, 123456789.12345679, math.nan, math.inf, -math.inf]
    flags = SampleFlag.GENERATED | SampleFlag.RESTAMPED
    written = [
        Point("A", T0 + at, value, severity=at % 4, status=at * 2, flags=flags if at % 3 == 0 else 0, src_time=T0 - 1 if at % 3 == 0 else 0)
        for at, value in enumerate(values)
    ]
    bench.write(*written)
    found = bench.read("A")
    assert found is not None
    assert found.time.tolist() == [point.time_ns for point in written]
    assert [repr(value) for value in found.value.tolist()] == [repr(value) for value in values]
    for column in ("severity", "status", "flags", "src_time"):
        assert getattr(found, column).tolist() == [getattr(point, column) for point in written], column
    assert found.text == [None] * len(values)
    assert found.arrays == [None] * len(values)


def test_texts_and_labels(bench: Bench) -> None:
    """Texts, also empty, quoted, of several lines or not UTF-8, and labels of enums come back as text, and to the byte."""
    signs = [b"a,-0,b", b"[-0]", b'",-0,"']
    raw = [*signs, b"", b"plain", b'q"u\\o"te\\', b"two\nlines\r\n", "µ中 ,=".encode(), b"latin \xe9", b" ", b"'; DROP", b"],["]
    raw += ["latin é".encode(), bytes(range(1, 256)), "\ufffd\u2028\U0010ffff".encode(), b"\xed\xa0\x80"]
    bench.write(*[Point("T", T0 + at, blob=text, kind=Kind.TEXT) for at, text in enumerate(raw)])
    bench.write(
        Point("E", T0, 1.0, b"On", Kind.ENUM),
        Point("E", T0 + 1, 0.0, None, Kind.ENUM, severity=2),
        Point("E", T0 + 2, 2.0, b"\xe9\xff", Kind.ENUM),
    )
    found, enum = bench.read("T"), bench.read("E")
    assert found is not None
    assert enum is not None
    assert found.text == [decode_text(text) for text in raw]
    assert [found.text_bytes(at) for at in range(len(raw))] == raw
    assert all(math.isnan(value) for value in found.value.tolist())
    assert (enum.value.tolist(), enum.text, enum.severity.tolist()) == ([1.0, 0.0, 2.0], ["On", None, "éÿ"], [0, 2, 0])
    assert [enum.text_bytes(at) for at in range(3)] == [b"On", None, b"\xe9\xff"]


@pytest.mark.parametrize("dbr", Dbr)
def test_arrays(bench: Bench, dbr: Dbr) -> None:
    """Arrays of every type come back element for element, also empty ones, with alarm and flags."""
    dtype = ELEMENT_DTYPE[dbr]
    elements = np.array(["a", "bc", ""], dtype) if dbr is Dbr.STRING else np.array([1, 0, 7], dtype)
    written = [elements, elements[:0], elements[:1]]
    bench.write(
        *[
            Point("W", T0 + at, blob=array.tobytes(), kind=Kind.ARRAY, dbr=dbr, severity=at, flags=at, src_time=at)
            for at, array in enumerate(written)
        ]
    )
    found = bench.read("W")
    assert found is not None
    assert (found.severity.tolist(), found.flags.tolist(), found.src_time.tolist()) == ([0, 1, 2], [0, 1, 2], [0, 1, 2])
    for array, wanted in zip(found.arrays, written, strict=True):
        assert array is not None
        assert (array.dtype, array.tolist()) == (dtype, wanted.tolist())
    assert [found.statistics(at) for at in range(3)] == [ArrayStatistics.of(array) for array in written]


def test_long_texts_and_arrays(bench: Bench) -> None:
    """Texts and arrays far longer than a field of the store may be come back to the byte, among short ones."""
    rng = np.random.default_rng(1)
    texts = [b"short", rng.integers(1, 256, 200_000, np.uint8).tobytes(), ("é中" * 40_000).encode(), b'\\"\n' * 30_000, b"", b"x" * 65_532]
    arrays = [np.arange(size, dtype=np.float64) for size in (1, 6_143, 6_144, 200_000, 0, 3)]
    bench.write(
        *[Point("A", T0 + 2 * at, blob=text, kind=Kind.TEXT) for at, text in enumerate(texts)],
        *[Point("A", T0 + 2 * at + 1, blob=array.tobytes(), kind=Kind.ARRAY) for at, array in enumerate(arrays)],
    )
    found = bench.read("A")
    assert found is not None
    assert [found.text_bytes(at) for at in range(0, 12, 2)] == texts
    assert [None if array is None else array.tobytes() for array in found.arrays[1::2]] == [array.tobytes() for array in arrays]
    last = bench.store.at("A", T0 + 2)
    assert last is not None
    assert last.text_bytes(0) == texts[1]


def test_arrays_of_which_only_statistics_are_kept(bench: Bench) -> None:
    """Number and statistics of an array without its elements come back; what is not finite as NaN."""
    kept = [ArrayStatistics(2_000_000, -1.5, 1e300, 0.1, 2.5), ArrayStatistics(7, math.nan, math.inf, math.nan, math.nan)]
    whole = np.arange(3.0)
    flags = SampleFlag.STATISTICS | SampleFlag.GENERATED
    bench.write(
        Point("A", T0, blob=kept[0].pack(), kind=Kind.ARRAY, flags=flags, src_time=5, severity=2),
        Point("A", T0 + 1, blob=whole.tobytes(), kind=Kind.ARRAY),
        Point("A", T0 + 2, blob=kept[1].pack(), kind=Kind.ARRAY, flags=SampleFlag.STATISTICS),
        Point("B", T0, blob=kept[0].pack(), kind=Kind.ARRAY, flags=SampleFlag.STATISTICS),
    )
    found, alone = bench.read("A"), bench.read("B")
    assert found is not None
    assert alone is not None
    assert [array is None for array in found.arrays] == [True, False, True]
    assert [found.statistics(at) for at in range(3)] == [
        kept[0],
        ArrayStatistics.of(whole),
        ArrayStatistics(7, math.nan, math.nan, math.nan, math.nan),
    ]
    assert (found.flags.tolist(), found.src_time.tolist(), found.severity.tolist()) == ([flags, 0, 4], [5, 0, 0], [2, 0, 0])
    assert alone.statistics(0) == kept[0]
    assert math.isnan(found.value[0])


def test_a_channel_that_changes_its_kind(bench: Bench) -> None:
    """Numbers, arrays and texts of one channel come as one sequence in time."""
    array = np.arange(2.0).tobytes()
    bench.write(Point("A", T0, 1.0), Point("A", T0 + 1, blob=array, kind=Kind.ARRAY), Point("A", T0 + 2, blob=b"x", kind=Kind.TEXT))
    bench.write(Point("A", T0 + 3, blob=array, kind=Kind.ARRAY), Point("A", T0 + 4, 2.0))
    found = bench.read("A")
    assert found is not None
    assert found.time.tolist() == [T0, T0 + 1, T0 + 2, T0 + 3, T0 + 4]
    assert [one is not None for one in found.arrays] == [False, True, False, True, False]
    assert found.text == [None, None, "x", None, None]


def test_ranges_are_inclusive_and_know_what_came_before(bench: Bench) -> None:
    """Both ends belong to a range; the sample before it comes first when it is wanted."""
    bench.write(*[Point("A", T0 + at, float(at)) for at in range(5)])
    assert bench.times("A", T0 + 1, T0 + 3) == [T0 + 1, T0 + 2, T0 + 3]
    assert bench.times("A", T0 + 1, T0 + 3, with_previous=True) == [T0, T0 + 1, T0 + 2, T0 + 3]
    assert bench.times("A", T0, T0, with_previous=True) == [T0]
    assert bench.times("A", T0 + 10, T0 + 20, with_previous=True) == [T0 + 4]
    assert bench.times("A", T0 + 10, T0 + 20) == []
    assert bench.times("A", T0 + 3, T0 + 1) == []
    last = bench.store.last_before("A", T0 + 3)
    assert last is not None
    assert (last.time.tolist(), last.value.tolist()) == ([T0 + 2], [2.0])
    assert bench.store.last_before("A", T0) is None


def test_the_value_in_force(bench: Bench) -> None:
    """At each moment the sample in force is the last one up to then, that of the very moment included, of whatever kind."""
    array = np.arange(2.0).tobytes()
    bench.write(Point("A", T0, math.nan), Point("A", T0 + 10, blob=b"x", kind=Kind.TEXT), Point("A", T0 + 20, blob=array, kind=Kind.ARRAY))
    bench.write(Point("A", T0 + DAY_NS, 4.0, severity=1))
    later = T0 + DAY_NS
    wanted = {T0 - 1: None, T0: T0, T0 + 9: T0, T0 + 10: T0 + 10, T0 + 19: T0 + 10, T0 + 25: T0 + 20, later: later, EVER: later}
    found = {asked: bench.store.at("A", asked) for asked in wanted}
    assert {asked: None if one is None else one.time.tolist() for asked, one in found.items()} == {
        asked: None if one is None else [one] for asked, one in wanted.items()
    }
    last = found[EVER]
    assert last is not None
    assert (last.value.tolist(), last.severity.tolist()) == ([4.0], [1])
    assert bench.store.at("B", EVER) is None


def test_samples_of_several_days(bench: Bench) -> None:
    """A range over midnight and over days without samples is read in order, and the last sample is found days back."""
    day = T0 // DAY_NS * DAY_NS
    times = [day - 40 * DAY_NS, day - 1, day, day + 5 * DAY_NS]
    bench.write(*[Point("A", time_ns, 1.0) for time_ns in times])
    assert bench.times("A") == times
    assert bench.times("A", day - 1, day) == [day - 1, day]
    assert bench.times("A", day + 1, day + 6 * DAY_NS, with_previous=True) == times[2:]
    assert bench.times("A", day - 20 * DAY_NS, day - 10 * DAY_NS, with_previous=True) == times[:1]


def test_a_batch_sent_twice_is_stored_once(bench: Bench) -> None:
    """Writing the same file again adds nothing, also when other files came between."""
    first = [Point("A", T0 + at * DAY_NS, float(at)) for at in range(3)]
    bench.write(*first)
    bench.write(Point("A", T0 + 1, 9.0))
    bench.batch_id = 0
    bench.write(*first)
    assert bench.times("A") == [T0, T0 + 1, T0 + DAY_NS, T0 + 2 * DAY_NS]


def test_the_last_of_two_samples_with_one_time_counts(bench: Bench) -> None:
    """A sample written again under the same time replaces the earlier one."""
    bench.write(Point("A", T0, 1.0), Point("A", T0, 2.0))
    bench.write(Point("B", T0, 1.0))
    bench.write(Point("B", T0, 2.0))
    for channel in "AB":
        found = bench.read(channel)
        assert found is not None
        assert (found.time.tolist(), found.value.tolist()) == ([T0], [2.0])


def test_long_answers_come_in_chunks(bench: Bench) -> None:
    """Many samples, also within a minute, come in chunks of a bounded size that together are complete and in order.

    So they do when the later ones were stored first, and when only the last chunk has a text.
    """
    n = 2 * CHUNK + 7
    step = 100_000
    points = [Point("A", T0 + at * step, float(at)) for at in range(n)]
    points[-3] = Point("A", T0 + (n - 3) * step, blob=b"late", kind=Kind.TEXT)
    bench.write(*points[n // 2 :])
    bench.write(*points[: n // 2])
    chunks = list(bench.store.samples("A", 0, EVER, with_previous=False))
    assert len(chunks) > 1
    assert max(len(chunk) for chunk in chunks) <= CHUNK
    found = concatenate(chunks)
    assert np.array_equal(found.time, T0 + np.arange(n) * step)
    assert np.array_equal(np.flatnonzero(np.isnan(found.value)), [n - 3])
    assert np.array_equal(np.delete(found.value, n - 3), np.delete(np.arange(n, dtype=np.float64), n - 3))
    assert (found.text.count(None), found.text[n - 3]) == (n - 1, "late")


def test_large_samples_come_a_few_at_a_time(bench: Bench) -> None:
    """Chunks of large arrays and texts, however close in time, hold a bounded number of bytes."""
    size, n = CHUNK_BYTES // 8 // 3, 10
    array = np.arange(size, dtype=np.float64).tobytes()
    text = b"x" * (CHUNK_BYTES // 3)
    for at in range(n):
        bench.write(Point("A", T0 + at, blob=array, kind=Kind.ARRAY), Point("T", T0 + at, blob=text, kind=Kind.TEXT))
    arrays, texts = (list(bench.store.samples(name, 0, EVER, with_previous=False)) for name in "AT")
    assert sum(len(chunk) for chunk in arrays) == sum(len(chunk) for chunk in texts) == n
    assert max(sum(one.nbytes for one in chunk.arrays if one is not None) for chunk in arrays) <= CHUNK_BYTES
    assert max(sum(len(one or "") for one in chunk.text) for chunk in texts) <= CHUNK_BYTES
