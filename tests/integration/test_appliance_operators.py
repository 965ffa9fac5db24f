"""The post-processors of the Archiver Appliance's protocol against plain numpy on random samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest

from archioc.core.spool.batch import Kind, SampleFlag
from archioc.core.timestamp import SECOND, format_utc
from tests.archives.batches import Point
from tests.conftest import ServedStoreFactory
from tests.processes.served_store import ServedStore
from tests.readers.appliance_decoder import DecodedSample, decode

NEW_YEAR = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * SECOND
Number = Callable[[np.ndarray], object]


@dataclass(frozen=True, slots=True)
class Case:
    """Random samples over a new year with gaps, bins of one sample, NaN and infinities; and a range that cuts bins."""

    points: list[Point]
    start_ns: int
    end_ns: int

    def bins(self, width_s: int) -> dict[int, list[Point]]:
        """Samples of the range by bin; the last one before the range in a bin of its own."""
        width = width_s * SECOND
        found: dict[int, list[Point]] = {}
        before = [point for point in self.points if point.time_ns < self.start_ns]
        if before and not any(point.time_ns == self.start_ns for point in self.points):
            found[self.start_ns // width - 1] = [before[-1]]
        for point in self.points:
            if self.start_ns <= point.time_ns <= self.end_ns:
                found.setdefault(point.time_ns // width, []).append(point)
        return found

    @property
    def raw(self) -> list[Point]:
        """The last sample at or before the start, then all up to the end."""
        before = [point for point in self.points if point.time_ns <= self.start_ns][-1:]
        return before + [point for point in self.points if self.start_ns < point.time_ns <= self.end_ns]


def make_case(channel: str, seed: int) -> Case:
    random = np.random.default_rng(seed)
    n = 150
    steps = random.choice([1, 7 * 10**8, SECOND, 60 * SECOND, 1800 * SECOND], n, p=[0.1, 0.4, 0.3, 0.17, 0.03])
    times = NEW_YEAR - int(steps[: n // 2].sum()) + np.cumsum(steps)
    values = np.cumsum(random.normal(size=n)) * 10.0 ** random.integers(-3, 6)
    values[random.random(n) < 0.05] = math.nan
    values[random.random(n) < 0.02] = math.inf
    severities = random.integers(0, 4, n) * (random.random(n) < 0.3)
    columns = zip(times.tolist(), values.tolist(), severities.tolist(), strict=True)
    points = [Point(channel, time, value, severity=severity) for time, value, severity in columns]
    start, end = int(times[random.integers(5, 30)]), int(times[random.integers(110, 145)])
    return Case(points, start - int(random.integers(0, 2)) * 3, end + int(random.integers(0, 2)) * 3)


CASES = {f"A{seed}": make_case(f"A{seed}", seed) for seed in range(3)}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedStore]:
    """The samples of all cases, each case a channel."""
    made = ServedStore(tmp_path_factory.mktemp("operators"))
    made.write([point for case in CASES.values() for point in case.points])
    yield made
    made.close()


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def ask(served: ServedStore, pv: str, case: Case) -> list[DecodedSample]:
    channel = case.points[0].channel if case.points else "A"
    answer = served.http.get(
        "/retrieval/data/getData.raw", pv=pv.replace("(A", f"({channel}"), to=format_utc(case.end_ns), **{"from": format_utc(case.start_ns)}
    )
    assert answer.status == 200, answer.text
    return [sample for chunk in decode(answer.body) for sample in chunk.samples]


def finite(points: Sequence[Point]) -> np.ndarray:
    return np.array([point.value for point in points if math.isfinite(point.value)])


def centre(number: int, width_s: int) -> int:
    return number * width_s * SECOND + width_s * SECOND // 2


def sample_std(numbers: np.ndarray) -> float:
    return float(numbers.std(ddof=1)) if len(numbers) > 1 else 0.0


def skewness(numbers: np.ndarray) -> float:
    n = len(numbers)
    if n < 3:
        return math.nan
    return float(n / (n - 1) / (n - 2) * (((numbers - numbers.mean()) / numbers.std(ddof=1)) ** 3).sum())


def kurtosis(numbers: np.ndarray) -> float:
    n = len(numbers)
    if n < 4:
        return math.nan
    fourth = (((numbers - numbers.mean()) / numbers.std(ddof=1)) ** 4).sum()
    return float(n * (n + 1) / ((n - 1) * (n - 2) * (n - 3)) * fourth - 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)))


STATISTICS: dict[str, Number] = {
    "mean": np.mean,
    "min": np.min,
    "max": np.max,
    "count": len,
    "std": sample_std,
    "variance": lambda numbers: sample_std(numbers) ** 2,
    "popvariance": np.var,
    "jitter": lambda numbers: sample_std(numbers) / numbers.mean(),
    "median": np.median,
    "skewness": skewness,
    "kurtosis": kurtosis,
    "stats": lambda numbers: [numbers.mean(), sample_std(numbers), numbers.min(), numbers.max(), len(numbers)],
}


def near(found: object, expected: object) -> bool:
    return bool(np.allclose(np.array(found, float), np.array(expected, float), rtol=1e-6, atol=1e-9, equal_nan=True))


@pytest.mark.parametrize("width_s", [30, 900])
@pytest.mark.parametrize("name", STATISTICS)
def test_statistics(served: ServedStore, case: Case, name: str, width_s: int) -> None:
    """Each statistic is that of numpy over the finite numbers of each bin, with the highest severity, at the centre of the bin.

    Bins without a number are absent in the variant for samples; otherwise they repeat the one before, and only counts are 0.
    """
    bins = {at: points for at, points in sorted(case.bins(width_s).items()) if len(finite(points))}
    found = ask(served, f"{name}Sample_{width_s}(A)", case)
    assert [sample.time_ns for sample in found] == [centre(at, width_s) for at in bins]
    for sample, points in zip(found, bins.values(), strict=True):
        assert near(sample.value, STATISTICS[name](finite(points))), (points, sample)
        assert (sample.severity, sample.status) == (max(point.severity for point in points), 0)
    by_time = {sample.time_ns: sample for sample in found}
    last = None
    whole = ask(served, f"{name}_{width_s}(A)", case)
    numbers = range(min(bins), case.end_ns // (width_s * SECOND) + 1)
    assert [sample.time_ns for sample in whole] == [centre(at, width_s) for at in numbers]
    for sample in whole:
        last = by_time.get(sample.time_ns, last)
        assert last is not None
        empty = sample.time_ns not in by_time
        assert near(sample.value, 0.0 if empty and name == "count" else last.value)


@pytest.mark.parametrize("width_s", [60])
def test_error_bar(served: ServedStore, case: Case, width_s: int) -> None:
    """`errorbar` has the mean, and the deviation beside it."""
    bins = [points for _, points in sorted(case.bins(width_s).items()) if len(finite(points))]
    for sample, points in zip(ask(served, f"errorbarSample_{width_s}(A)", case), bins, strict=True):
        assert near(sample.value, finite(points).mean())
        assert near(float(sample.fields["stdz"]), sample_std(finite(points)))


@pytest.mark.parametrize("width_s", [30, 900])
def test_interpolation(served: ServedStore, case: Case, width_s: int) -> None:
    """`linear` is numpy's interpolation at the centre of the bin, or the first number where the centre is outside; `loess` stays within."""
    bins = {at: points for at, points in sorted(case.bins(width_s).items()) if len(finite(points))}
    smooth = ask(served, f"loessSample_{width_s}(A)", case)
    for sample, rough, (at, points) in zip(ask(served, f"linearSample_{width_s}(A)", case), smooth, bins.items(), strict=True):
        known = [(point.time_ns - centre(at, width_s), point.value) for point in points if math.isfinite(point.value)]
        times, numbers = np.array(known).T
        inside = times[0] <= 0 <= times[-1]
        assert near(sample.value, np.interp(0, times, numbers) if inside else numbers[0])
        assert isinstance(rough.value, float)
        spread = np.ptp(numbers)
        assert numbers.min() - spread <= rough.value <= numbers.max() + spread


def test_loess_of_a_line(served_store: ServedStoreFactory) -> None:
    """Through samples on a line `loess` and `linear` give the value of the line at the centre."""
    served = served_store()
    start = NEW_YEAR - NEW_YEAR % (100 * SECOND)
    points = [Point("A", start + at * SECOND + at % 7 * 10**8, (at * SECOND + at % 7 * 10**8) / 1e9) for at in range(100)]
    served.write(points)
    case = Case(points, start, start + 99 * SECOND)
    assert [near(sample.value, 50.0) for pv in ("loessSample_100(A)", "linearSample_100(A)") for sample in ask(served, pv, case)] == [
        True
    ] * 2


@pytest.mark.parametrize("width_s", [30, 900])
@pytest.mark.parametrize(("name", "place"), [("first", 0), ("last", -1)])
def test_picked_samples(served: ServedStore, case: Case, name: str, place: int, width_s: int) -> None:
    """`firstSample` and `lastSample` give stored samples as they are; `firstFill` and `lastFill` at the centre of every bin."""
    bins = {at: points[place] for at, points in sorted(case.bins(width_s).items())}
    found = [(sample.time_ns, sample.value, sample.severity) for sample in ask(served, f"{name}Sample_{width_s}(A)", case)]
    assert same(found, [(point.time_ns, point.value, point.severity) for point in bins.values()])
    expected, last = [], next(iter(bins.values()))
    for at in range(min(bins), case.end_ns // (width_s * SECOND) + 1):
        last = bins.get(at, last)
        expected.append((centre(at, width_s), last.value, last.severity))
    filled = [(sample.time_ns, sample.value, sample.severity) for sample in ask(served, f"{name}Fill_{width_s}(A)", case)]
    assert same(filled, expected)


def same(found: Sequence[tuple[object, ...]], expected: Sequence[tuple[object, ...]]) -> bool:
    """Equal, NaN equal to NaN."""
    return [repr(one) for one in found] == [repr(one) for one in expected]


@pytest.mark.parametrize("width_s", [900])
@pytest.mark.parametrize("sigmas", [0.5, 3.0])
def test_flyers(served: ServedStore, case: Case, width_s: int, sigmas: float) -> None:
    """`flyers` and `ignoreflyers` part the samples by their distance from the mean of their bin; what is not finite is a flyer."""
    inside: list[tuple[int, float]] = []
    outside: list[tuple[int, float]] = []
    for _, points in sorted(case.bins(width_s).items()):
        numbers = finite(points)
        for point in points:
            kept = math.isfinite(point.value) and abs(point.value - numbers.mean()) <= sigmas * sample_std(numbers)
            (inside if kept else outside).append((point.time_ns, point.value))
    for name, expected in (("ignoreflyers", inside), ("flyers", outside)):
        found = ask(served, f"{name}_{width_s}_{sigmas}(A)", case)
        assert same([(sample.time_ns, sample.value) for sample in found], expected)


def test_numbers_of_samples(served: ServedStore, case: Case) -> None:
    """`ncount` counts the samples of the range, `nth` gives every N-th sample, `deadBand` those beyond the band."""
    [counted] = ask(served, "ncount(A)", case)
    assert (counted.value, counted.time_ns) == (sum(case.start_ns <= point.time_ns <= case.end_ns for point in case.points), case.start_ns)
    found = [(sample.time_ns, sample.value) for sample in ask(served, "nth_7(A)", case)]
    assert same(found, [(point.time_ns, point.value) for point in case.raw[::7]])
    kept: list[Point] = []
    for point in case.raw:
        if not kept or point.severity != kept[-1].severity or not abs(point.value - kept[-1].value) <= 5.0:
            kept.append(point)
    found = [(sample.time_ns, sample.value) for sample in ask(served, "deadBand_5(A)", case)]
    assert same(found, [(point.time_ns, point.value) for point in kept])


@pytest.mark.parametrize("width_s", [30, 900])
def test_cap_lot_binning(served: ServedStore, case: Case, width_s: int) -> None:
    """`caplotbinning` gives up to two samples of a bin as they are, else first, least, largest and last at its quarters."""
    expected: list[tuple[int, float]] = []
    for at, points in sorted(case.bins(width_s).items()):
        numbers = [point for point in points if math.isfinite(point.value)]
        if len(numbers) <= 2:
            expected += [(point.time_ns, point.value) for point in numbers]
            continue
        column = finite(points)
        quarters = (column[0], column.min(), column.max(), column[-1])
        expected += [(at * width_s * SECOND + width_s * SECOND * n // 4, float(value)) for n, value in enumerate(quarters)]
    found = ask(served, f"caplotbinning_{width_s}(A)", case)
    assert same([(sample.time_ns, sample.value) for sample in found], expected)


@pytest.mark.parametrize("name", ["optimized", "optimLastSample"])
def test_optimized(served: ServedStore, case: Case, name: str) -> None:
    """With fewer samples than points they come as they are, else statistics of bins of the fitting width; empty bins repeat."""
    raw = [(sample.time_ns, sample.value) for sample in ask(served, f"{name}_100000(A)", case)]
    assert same(raw, [(point.time_ns, point.value) for point in case.raw])
    points = 5
    width_s = max(1, (case.end_ns - case.start_ns) // (points * SECOND))
    bins = {at: samples for at, samples in sorted(case.bins(width_s).items()) if len(finite(samples))}
    found = ask(served, f"{name}Sample_{points}(A)", case)
    for sample, samples in zip(found, bins.values(), strict=True):
        numbers = finite(samples)
        expected = [numbers.mean(), sample_std(numbers), numbers.min(), numbers.max(), len(numbers)]
        assert near(sample.value, expected + [numbers[-1]] * (name == "optimLastSample"))
    last: list[float] = []
    by_time = {sample.time_ns: sample.value for sample in found}
    for sample in ask(served, f"{name}_{points}(A)", case):
        known = by_time.get(sample.time_ns)
        if known is not None:
            assert sample.value == known
            last = list(known)  # type: ignore[arg-type]
        else:
            assert sample.value == (last if name == "optimized" else [last[5], 0.0, last[5], last[5], 0.0, last[5]])


def test_one_sample_before_the_range(served_store: ServedStoreFactory) -> None:
    """Where the only sample lies before the range, each operator gives it once."""
    served = served_store()
    point = Point("A", NEW_YEAR, 1.5)
    served.write([point])
    case = Case([point], NEW_YEAR + 3 * 86_400 * SECOND, NEW_YEAR + 4 * 86_400 * SECOND)
    for pv in ("A", "firstSample_7(A)", "lastSample_7(A)", "meanSample_7(A)", "caplotbinning_7(A)", "minSample(A, 7)"):
        assert [sample.value for sample in ask(served, pv, case)] == [1.5], pv


def test_operators_on_what_is_no_number(served_store: ServedStoreFactory) -> None:
    """Statistics of texts and arrays are an answer without samples; picking and counting work on them."""
    served = served_store()
    texts = [Point("A", NEW_YEAR + at * SECOND, blob=b"x%d" % at, kind=Kind.TEXT) for at in range(5)]
    arrays = [Point("B", NEW_YEAR + at * SECOND, blob=np.array([at, 1.0]).tobytes(), kind=Kind.ARRAY) for at in range(5)]
    served.write([*texts, *arrays])
    case = Case([], NEW_YEAR, NEW_YEAR + 5 * SECOND)
    for channel in "AB":
        for name in STATISTICS:
            assert ask(served, f"{name}_60({channel})", case) == []
        assert [sample.value for sample in ask(served, f"ncount({channel})", case)] == [5]
        assert len(ask(served, f"optimized_2({channel})", case)) == 5
    assert [sample.value for sample in ask(served, "nth_2(A)", case)] == ["x0", "x2", "x4"]
    assert [sample.value for sample in ask(served, "lastSample_60(B)", case)] == [[4.0, 1.0]]
    assert ask(served, "flyers_60(A)", case) == []


def test_dead_band_passes_the_first_after_a_gap(served_store: ServedStoreFactory) -> None:
    """A sample that resumes a trace is in the answer of `deadBand` though it lies within the band."""
    served = served_store()
    flags = [0, 0, SampleFlag.GENERATED, 0]
    points = [Point("A", NEW_YEAR + at, 1.0, flags=flag, src_time=1 if flag else 0) for at, flag in enumerate(flags)]
    served.write(points)
    found = ask(served, "deadBand_5(A)", Case(points, NEW_YEAR, NEW_YEAR + 9))
    assert [sample.time_ns - NEW_YEAR for sample in found] == [0, 2]


def test_a_bin_has_a_limit(served_store: ServedStoreFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator that needs all numbers of a bin refuses one that has too many, and says so."""
    monkeypatch.setattr("archioc.retrieval.appliance.post_processors.sample_bins.HELD", 3)
    served = served_store()
    served.write([Point("A", NEW_YEAR + at, float(at)) for at in range(5)])
    answer = served.http.get("/retrieval/data/getData.json", pv="median_60(A)", **{"from": format_utc(NEW_YEAR)})
    assert (answer.status, answer.text) == (400, "a bin of 60 s holds more than 3 samples; ask for shorter bins\n")
