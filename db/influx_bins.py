"""Bins made by InfluxDB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from db.bins import BIN_COLUMNS, Bins, Grid
from db.influx_language import select, within
from db.influx_samples import Columns, InfluxSamples

_BINS = {
    "count": 'count("value")',
    "non_finite": 'count("nan")',
    "min": 'min("value")',
    "max": 'max("value")',
    "mean": 'mean("value")',
    "std": 'stddev("value")',
    "first": 'first("value")',
    "last": 'last("value")',
    "severity": 'max("severity")',
}
_TIMES = ("count", "sum", "first")
_ROWS = 100
"""Bins in a piece of an answer: few, so that something comes before the connection's timeout however long the range is."""


@dataclass(frozen=True, slots=True)
class InfluxBins:
    """What is asked for: bins of a channel whose last sample before the end of the grid has the time `last_ns`."""

    channel: str
    grid: Grid
    last_ns: int

    def ask(self, samples: InfluxSamples) -> Bins | None:
        """The bins; None when the samples have changed in between. Raises NumberTooLarge when a mean is beyond float64."""
        asked = ", ".join(f'{function} AS "{name}"' for name, function in _BINS.items())
        statement = select(asked, "sample", self.channel, f"{self._range} {self._by_bin}")
        found = Bins.empty(self.grid.starts)
        for columns in samples.numbers(statement, *_BINS, rows=_ROWS):
            found.add(_part(columns))
        filled = np.flatnonzero(found.count)
        if not len(filled):
            return found
        return found if self._add_times(samples, found, filled) else None

    @property
    def _range(self) -> str:
        return within(self.grid.start_ns, self.last_ns)

    @property
    def _by_bin(self) -> str:
        width = self.grid.width_ns
        return f"GROUP BY time({width}ns, {self.grid.start_ns % width}ns) fill(none)"

    def _add_times(self, samples: InfluxSamples, found: Bins, filled: np.ndarray[tuple[int], np.dtype[np.intp]]) -> bool:
        """Times of the first and last number of each bin; False when there are other numbers now than when they were counted.

        With GROUP BY time InfluxQL tells the begin of a bin in place of the time of what it selects. So the spans between
        neighbours are asked for: their sum up to a bin leads from the very first number to the last of that bin.
        """
        (first,) = samples.numbers(select('first("value") AS "first"', "sample", self.channel, self._range), "first")
        spans = select('elapsed("value", 1ns) AS "span"', "sample", self.channel, self._range)
        asked = f'SELECT count("span") AS "count", sum("span") AS "sum", first("span") AS "first" FROM ({spans})'  # noqa: S608 - of ours
        index, number, total, lead = ([np.zeros(0, np.int64)] for _ in range(4))
        for columns in samples.numbers(f"{asked} WHERE {self._range} {self._by_bin}", *_TIMES, rows=_ROWS):
            for parts, name in zip((index, number, total, lead), ("time", *_TIMES), strict=True):
                parts.append(np.array(columns[name], np.int64))
        at = np.searchsorted(found.start, np.concatenate(index))
        counted = np.zeros(len(found), np.int64)
        counted[at] = np.concatenate(number)
        counted[filled[0]] += 1
        if not np.array_equal(counted, found.count):
            return False
        spent, leading = np.zeros(len(found), np.int64), np.zeros(len(found), np.int64)
        spent[at], leading[at] = np.concatenate(total), np.concatenate(lead)
        last = int(first["time"][0]) + np.cumsum(spent)
        found.last_time[filled] = last[filled]
        found.first_time[filled] = np.append(first["time"][0], last[filled][:-1] + leading[filled][1:])
        return True


def _part(columns: Columns) -> Bins:
    """Bins of an answer, their times missing."""
    start = np.array(columns["time"], np.int64)
    found = Bins.empty(start)
    for name in _BINS:
        column, dtype = columns[name], BIN_COLUMNS[name]
        getattr(found, name)[:] = np.array(column if dtype == "<f8" else [number or 0 for number in column], dtype)
    n = found.count
    # InfluxQL has the deviation of a sample (n - 1), and none of a single number.
    with np.errstate(all="ignore"):
        found.std[:] = np.where(n > 1, found.std * np.sqrt((n - 1) / n), np.where(n == 1, 0.0, np.nan))
    return found
