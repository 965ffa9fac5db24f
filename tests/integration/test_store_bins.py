"""Statistics in bins as every store must give them, shown on the embedded store and on real InfluxDB servers."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np
import pytest

from archioc.core.errors import QueryError
from archioc.core.spool.batch import Kind
from archioc.db.bins import MAX_BINS, Bins, Grid, bins_of
from archioc.db.embedded.days import DAY_NS
from archioc.db.sample_columns import SampleColumns
from tests.archives.batches import T0, Point
from tests.archives.store_bench import Bench


def _in_bins(points: list[Point], start: int, end: int, count: int) -> Bins:
    """Bins by numpy from the samples that were written."""
    within = sorted((point for point in points if start <= point.time_ns < end), key=lambda point: point.time_ns)
    n = len(within)
    columns = SampleColumns(
        np.array([point.time_ns for point in within], np.int64),
        np.array([point.value for point in within], np.float64),
        np.array([point.severity for point in within], np.uint8),
        np.zeros(n, np.uint8),
        np.zeros(n, np.uint8),
        np.zeros(n, np.int64),
        ["" if point.kind is Kind.TEXT else None for point in within],
        [None] * n,
    )
    return bins_of(Grid.of(start, end, count), [columns] if n else [])


def assert_same_bins(found: Bins, wanted: Bins) -> None:
    for one in fields(Bins):
        exact = one.name not in {"mean", "std"}
        relative, absolute = (0.0, 0.0) if exact else (1e-12, 1e-9)
        np.testing.assert_allclose(getattr(found, one.name), getattr(wanted, one.name), relative, absolute, err_msg=one.name)


def test_statistics_in_bins(bench: Bench) -> None:
    """Count, extremes, mean, deviation, first and last with their times and severity are those of the samples of each bin."""
    rng = np.random.default_rng(7)
    times = T0 // DAY_NS * DAY_NS + np.sort(rng.choice(3 * DAY_NS // 1000, 4000, replace=False)) * 1000
    points = [
        Point("A", int(time), float(value), severity=int(severity))
        for time, value, severity in zip(times, rng.normal(1e6, 1.0, 4000), rng.choice(4, 4000, p=[0.97, 0.01, 0.01, 0.01]), strict=True)
    ]
    points[100:110] = [replace(point, value=[math.nan, math.inf, -math.inf][at % 3]) for at, point in enumerate(points[100:110])]
    points[200:205] = [replace(point, value=math.nan, kind=Kind.TEXT, blob=b"t", severity=3) for point in points[200:205]]
    array = np.arange(3.0).tobytes()
    bench.write(*points[:2000], Point("A", points[50].time_ns + 1, blob=array, kind=Kind.ARRAY), Point("B", points[0].time_ns, 9.0))
    bench.write(*points[2000:])
    first, last = points[0].time_ns, points[-1].time_ns
    day = T0 // DAY_NS * DAY_NS
    for start, end, count in (
        (day, day + 3 * DAY_NS, 100),
        (first, last, 7),
        (first, last + 1, 1),
        (first + 12345, last - 54321, 1000),
        (day - DAY_NS, day + 9 * DAY_NS, 13),
        (points[105].time_ns, points[105].time_ns + 1, 5),
        (points[150].time_ns, points[250].time_ns, 3),
        (points[202].time_ns, points[203].time_ns, 2),
        (last + 1, last + 10, 3),
    ):
        wanted = _in_bins(points, start, end, count)
        assert_same_bins(bench.store.bins("A", start, end, count), wanted)
        timeless = bench.store.bins("A", start, end, count, times=False)
        assert_same_bins(replace(timeless, first_time=wanted.first_time, last_time=wanted.last_time), wanted)
    for wrong in ((5, 5, 1), (0, 5, 0), (0, 5, MAX_BINS + 1)):
        with pytest.raises(QueryError, match=r"the end after it|from 1 to"):
            bench.store.bins("A", *wrong)
    assert bench.store.bins("nobody", first, last, 3).count.tolist() == [0, 0, 0]


def test_bins_of_a_part_of_the_samples(bench: Bench) -> None:
    """Only samples within the range count, also where it begins and ends inside of bins or shares nothing with them."""
    day = T0 // DAY_NS * DAY_NS
    points = [Point("A", day + at * DAY_NS // 100, float(at % 7), severity=at % 4) for at in range(300)]
    bench.write(*points)
    start, end, count = day + 5, day + 3 * DAY_NS, 13
    for within in (
        (points[3].time_ns, points[290].time_ns + 1),
        (points[120].time_ns, points[121].time_ns),
        (points[150].time_ns + 1, points[151].time_ns),
        (day - DAY_NS, day + 9 * DAY_NS),
        (day, day + 5),
        (end, end + DAY_NS),
        (day + 9, day + 9),
    ):
        inside = [point for point in points if within[0] <= point.time_ns < within[1]]
        assert_same_bins(bench.store.bins("A", start, end, count, within=within), _in_bins(inside, start, end, count))


def test_bins_of_samples_written_twice(bench: Bench) -> None:
    """A sample that was replaced by a later one with its time is not counted, and none is counted twice."""
    bench.write(Point("A", T0, 1.0), Point("A", T0 + 1, 2.0))
    bench.write(Point("A", T0, 5.0), Point("A", T0 + 2, 3.0))
    found = bench.store.bins("A", T0, T0 + 4, 1)
    assert (found.count.tolist(), found.max.tolist(), found.first.tolist(), found.mean.tolist()) == ([3], [5.0], [5.0], [10 / 3])


def test_bins_of_huge_numbers(bench: Bench) -> None:
    """Numbers whose sum is beyond float64 do not keep the other columns from being answered."""
    bench.write(Point("A", T0, 1e308), Point("A", T0 + 1, 1.5e308), Point("A", T0 + 2, 1.0))
    found = bench.store.bins("A", T0, T0 + 3, 1)
    assert (found.count.tolist(), found.min.tolist(), found.max.tolist(), found.last.tolist()) == ([3], [1.0], [1.5e308], [1.0])
    assert not np.isfinite(found.mean[0])
