"""Operators that need the numbers of a bin themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from archioc.db.sample_columns import SampleColumns, concatenate
from archioc.retrieval.appliance.post_processors.bin_grid import BinGrid, Integers
from archioc.retrieval.appliance.post_processors.binned import Binned, Floats
from archioc.retrieval.appliance.source import Source
from archioc.retrieval.faults import refusal

HELD = 2_000_000
"""Samples of one bin that are held, at most."""

NEIGHBOURS = 0.3
"""Part of the numbers of a bin that `loess` looks at."""

OfBin = Callable[[Floats, Floats, float], float]
"""A value from the times (s after the begin of the bin), the numbers and the centre of a bin; there is at least one number."""


def whole_bins(source: Source, grid: BinGrid) -> Iterator[tuple[Integers, SampleColumns]]:
    """All samples, of each bin in one piece, with the number of its bin. Raises HTTPException (400) for a bin of more than HELD samples."""
    held: list[SampleColumns] = []
    for chunk in source.samples(grid.span):
        index = grid.index(chunk.time)
        if held and index[0] != grid.index(held[0].time[:1])[0]:
            yield _with_index(grid, held)
            held = []
        last = int(np.searchsorted(index, index[-1]))
        if last:
            yield _with_index(grid, [*held, chunk.select(np.arange(last))])
            held = []
        held.append(chunk.select(np.arange(last, len(chunk))))
        if sum(map(len, held)) > HELD:
            raise refusal(400, f"a bin of {grid.width_s} s holds more than {HELD} samples; ask for shorter bins")
    if held:
        yield _with_index(grid, held)


def begins_of(index: Integers) -> list[int]:
    """Where each bin begins."""
    return np.flatnonzero(np.append(True, index[1:] != index[:-1])).tolist()


def of_samples(value: OfBin) -> Callable[[Source, BinGrid], Iterator[Binned]]:
    """An operator that gives a value made of the finite numbers of each bin."""

    def operate(source: Source, grid: BinGrid) -> Iterator[Binned]:
        for index, samples in whole_bins(source, grid):
            begins = begins_of(index)
            bins, found = [], []
            for begin, end in zip(begins, [*begins[1:], len(index)], strict=True):
                numbers = samples.value[begin:end]
                finite = np.isfinite(numbers)
                if finite.any():
                    bins.append(begin)
                    start_ns = int(index[begin]) * grid.width_ns
                    times = (samples.time[begin:end][finite] - start_ns) / 1e9
                    found.append(value(times, numbers[finite], grid.width_ns / 2e9))
            severity = np.maximum.reduceat(samples.severity, begins)[np.searchsorted(begins, bins)] if bins else np.zeros(0, np.uint8)
            yield Binned(index[bins], np.array(found, np.float64), severity.astype(np.uint8))

    return operate


def median(_times: Floats, numbers: Floats, _centre: float) -> float:
    return float(np.median(numbers))


def skewness(_times: Floats, numbers: Floats, _centre: float) -> float:
    """Of a sample; NaN of fewer than three numbers, 0 where all are equal."""
    n = len(numbers)
    if n < 3:
        return np.nan
    scaled = _scaled(numbers)
    return 0.0 if scaled is None else float(n / ((n - 1) * (n - 2)) * (scaled**3).sum())


def kurtosis(_times: Floats, numbers: Floats, _centre: float) -> float:
    """Excess over that of a normal distribution, of a sample; NaN of fewer than four numbers, 0 where all are equal."""
    n = len(numbers)
    if n < 4:
        return np.nan
    scaled = _scaled(numbers)
    if scaled is None:
        return 0.0
    below = (n - 1) * (n - 2) * (n - 3)
    return float(n * (n + 1) / below * (scaled**4).sum() - 3 * (n - 1) ** 2 / ((n - 2) * (n - 3)))


def linear(times: Floats, numbers: Floats, centre: float) -> float:
    """Interpolated between the neighbours of the centre; the first number where the centre is outside."""
    return float(np.interp(centre, times, numbers)) if times[0] <= centre <= times[-1] else float(numbers[0])


def loess(times: Floats, numbers: Floats, centre: float) -> float:
    """A line through the nearest 30 % (at least two) at the centre, weighted by the tricube of the distance; else as `linear`."""
    n = int(NEIGHBOURS * len(numbers))
    if n < 2 or not times[0] <= centre <= times[-1]:
        return float(numbers[0])
    distance = np.abs(times - centre)
    near = np.argpartition(distance, n - 1)[:n]
    weight = np.clip(1 - (distance[near] / max(distance[near].max() * (1 + 1e-9), 1e-9)) ** 3, 0, None) ** 3
    x, y = times[near] - centre, numbers[near]
    with np.errstate(all="ignore"):
        total, at, height = weight.sum(), (weight * x).sum(), (weight * y).sum()
        spread = total * (weight * x * x).sum() - at * at
        found = height / total - (total * (weight * x * y).sum() - at * height) / spread * at / total if spread > 1e-12 else height / total
    return float(found)


def _scaled(numbers: Floats) -> Floats | None:
    """Distances from the mean in deviations (n - 1); None where all are equal."""
    with np.errstate(all="ignore"):
        deviation = numbers.std(ddof=1)
        return (numbers - numbers.mean()) / deviation if deviation**2 >= 1e-19 else None


def _with_index(grid: BinGrid, parts: list[SampleColumns]) -> tuple[Integers, SampleColumns]:
    samples = concatenate(parts)
    return grid.index(samples.time), samples


OF_SAMPLES: dict[str, OfBin] = {"median": median, "skewness": skewness, "kurtosis": kurtosis, "linear": linear, "loess": loess}
"""By the name of the operator."""
