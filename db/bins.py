"""Statistics of a channel's numbers in bins of time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from archioc.core.errors import QueryError
from archioc.db.sample_columns import SampleColumns

MAX_BINS = 100_000
"""Bins in one answer."""

Within = tuple[int, int]
"""Samples with first <= time < second (ns)."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Grid:
    """Bins of `width_ns` from `start_ns` on; the last one may be cut short by `end_ns`, which belongs to none."""

    start_ns: int
    end_ns: int
    width_ns: int

    @classmethod
    def of(cls, start_ns: int, end_ns: int, count: int) -> Grid:
        """`count` bins over start <= time < end, of a whole number of ns each; fewer where the range has fewer ns.

        Raises QueryError for an empty range, one before 1970 or beyond int64, and for a count outside 1 to MAX_BINS.
        """
        if not 0 <= start_ns < end_ns < 2**63:
            raise QueryError(f"bins from {start_ns} to {end_ns}: the start is at least 0, the end after it and below 2**63")
        if not 1 <= count <= MAX_BINS:
            raise QueryError(f"count={count}: from 1 to {MAX_BINS} bins")
        return cls(start_ns, end_ns, -(-(end_ns - start_ns) // count))

    @property
    def starts(self) -> Integers:
        """Where each bin begins (ns since 1970 UTC)."""
        number = -(-(self.end_ns - self.start_ns) // self.width_ns)
        return np.array([self.start_ns + at * self.width_ns for at in range(number)], np.int64)

    def part(self, within: Within | None) -> Within:
        """What of a range lies in the bins; the second is not after the first where nothing does. None: any time."""
        begin_ns, end_ns = (self.start_ns, self.end_ns) if within is None else within
        return max(begin_ns, self.start_ns), min(end_ns, self.end_ns)


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Statistics of the scalar numbers of a channel, one place a bin; all columns have the same length.

    NaN and infinities are counted apart and are in none of the other columns; texts and arrays are only in `severity`.
    start: begin of the bin, ns since 1970 UTC; a bin ends where the next begins.
    count: finite numbers. non_finite: NaN and infinities.
    min, max, mean, std (of the population): float64; NaN where count is 0, not finite where float64 does not reach.
    first, last: the first and the last finite number, float64; first_time, last_time: their times, ns; 0 where count is 0, and where
    times were not asked for.
    severity: the highest of all scalar samples and texts, uint8.
    """

    start: Integers
    count: Integers
    non_finite: Integers
    min: Floats
    max: Floats
    mean: Floats
    std: Floats
    first: Floats
    first_time: Integers
    last: Floats
    last_time: Integers
    severity: npt.NDArray[np.uint8]

    @classmethod
    def empty(cls, start: Integers) -> Bins:
        """Bins without a sample."""
        n = len(start)
        columns = {one.name: np.zeros(n, BIN_COLUMNS[one.name]) for one in fields(cls)}
        for name in ("min", "max", "mean", "std", "first", "last"):
            columns[name][:] = np.nan
        return cls(**{**columns, "start": start})

    def __len__(self) -> int:
        return len(self.start)

    def add(self, part: Bins) -> None:
        """Take in statistics of later samples for some of the bins, each at most once. Changes this."""
        at = np.searchsorted(self.start, part.start)
        self.non_finite[at] += part.non_finite
        self.severity[at] = np.maximum(self.severity[at], part.severity)
        part, at = part.select(part.count > 0), at[part.count > 0]
        before, n = self.count[at], self.count[at] + part.count
        mean = np.where(before > 0, self.mean[at], part.mean)
        spread = np.where(before > 0, self.std[at], 0.0)
        with np.errstate(all="ignore"):
            # Chan, Golub, LeVeque: variance and mean of two parts together.
            difference = part.mean - mean
            variance = (before * spread**2 + part.count * part.std**2) / n + difference**2 * (before / n) * (part.count / n)
            self.mean[at] = mean + difference * (part.count / n)
            self.std[at] = np.sqrt(variance)
        self.count[at] = n
        self.min[at] = np.fmin(self.min[at], part.min)
        self.max[at] = np.fmax(self.max[at], part.max)
        new = before == 0
        self.first[at[new]], self.first_time[at[new]] = part.first[new], part.first_time[new]
        self.last[at], self.last_time[at] = part.last, part.last_time

    def select(self, wanted: npt.NDArray[np.bool_]) -> Bins:
        """Some of the bins."""
        return Bins(**{one.name: getattr(self, one.name)[wanted] for one in fields(self)})


BIN_COLUMNS = (
    {one.name: "<i8" for one in fields(Bins)} | dict.fromkeys(("min", "max", "mean", "std", "first", "last"), "<f8") | {"severity": "|u1"}
)
"""Name and numpy type of each column of Bins."""


def bins_of(grid: Grid, chunks: Iterable[SampleColumns]) -> Bins:
    """Bins from the samples themselves, for a store that cannot make them."""
    found = Bins.empty(grid.starts)
    for chunk in chunks:
        arrays = chunk.array_places
        scalars = chunk.select(np.delete(np.arange(len(chunk)), arrays)) if arrays else chunk
        if len(scalars):
            found.add(_of_scalars(grid, scalars))
    return found


def _of_scalars(grid: Grid, samples: SampleColumns) -> Bins:
    """Bins that these samples fall into; the samples are sorted by time and there is at least one."""
    start = grid.start_ns + (samples.time - grid.start_ns) // grid.width_ns * grid.width_ns
    begin = np.flatnonzero(np.append(True, start[1:] != start[:-1]))
    found = Bins.empty(start[begin])
    number = np.isfinite(samples.value)
    text = np.array([one is not None for one in samples.text], bool)
    found.count[:] = np.add.reduceat(number.astype(np.int64), begin)
    found.non_finite[:] = np.add.reduceat((~number & ~text).astype(np.int64), begin)
    found.severity[:] = np.maximum.reduceat(samples.severity, begin)
    filled = found.count > 0
    if not filled.any():
        return found
    value, time = samples.value[number], samples.time[number]
    count = found.count[filled]
    begin = np.append(0, np.cumsum(count)[:-1])
    with np.errstate(all="ignore"):
        mean = np.add.reduceat(value, begin) / count
        spread = np.add.reduceat((value - np.repeat(mean, count)) ** 2, begin)
        found.mean[filled], found.std[filled] = mean, np.sqrt(spread / count)
    found.min[filled], found.max[filled] = np.minimum.reduceat(value, begin), np.maximum.reduceat(value, begin)
    found.first[filled], found.first_time[filled] = value[begin], time[begin]
    end = begin + count - 1
    found.last[filled], found.last_time[filled] = value[end], time[end]
    return found
