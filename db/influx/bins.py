"""Bins made by InfluxDB."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.spool.encoding.line_fields import OLD_NON_FINITE
from archioc.db.bins import BIN_COLUMNS, Bins, Grid
from archioc.db.influx.influxql import select, within
from archioc.db.influx.samples import Columns, InfluxSamples

_BINS = {
    "count": 'count("value")',
    "non_finite": 'count("non_finite")',
    "min": 'min("value")',
    "max": 'max("value")',
    "mean": 'mean("value")',
    "std": 'stddev("value")',
    "first": 'first("value")',
    "last": 'last("value")',
    "severity": 'max("severity")',
}
_OLD = "old_non_finite"
_SPANS = ("count", "sum", "first")
_ROWS = 100
"""Bins in a piece of an answer: few, so that something comes before the connection's timeout however long the range is."""


Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class InfluxBins:
    """What is asked for: bins of the samples from `begin_ns` on of a channel of which the last one that counts has the time `last_ns`."""

    channel: str
    grid: Grid
    begin_ns: int
    last_ns: int

    def ask(self, samples: InfluxSamples, *, times: bool) -> Bins | None:
        """The bins; None when the samples have changed in between. Raises NumberTooLarge when a mean is beyond float64."""
        if not times:
            return self._ask_statistics(samples)
        with ThreadPoolExecutor(1) as beside:  # 1.x works on one statement with one core
            spans = beside.submit(self._ask_spans, samples)
            found = self._ask_statistics(samples)
        first = [columns["time"][0] for columns in samples.numbers(self._first, "first")]
        filled = np.flatnonzero(found.count)
        if not len(filled) or not first:
            return None if len(filled) or first else found
        return found if _add_times(found, filled, first[0], spans.result()) else None

    def _ask_statistics(self, samples: InfluxSamples) -> Bins:
        found = Bins.empty(self.grid.starts)
        asked = _BINS if len(samples.non_finite()) == 1 else _BINS | {_OLD: f'count("{OLD_NON_FINITE}")'}
        for columns in samples.numbers(self._select(asked), *asked, rows=_ROWS):
            found.add(_part(columns))
        return found

    @property
    def statement(self) -> str:
        """All but the times in one query."""
        return self._select(_BINS)

    def _select(self, columns: Mapping[str, str]) -> str:
        asked = ", ".join(f'{function} AS "{name}"' for name, function in columns.items())
        return select(asked, "sample", self.channel, f"{self._range} {self._by_bin}")

    @property
    def _first(self) -> str:
        return select('first("value") AS "first"', "sample", self.channel, self._range)

    @property
    def _range(self) -> str:
        return within(self.begin_ns, self.last_ns)

    @property
    def _by_bin(self) -> str:
        width = self.grid.width_ns
        return f"GROUP BY time({width}ns, {self.grid.start_ns % width}ns) fill(none)"

    def _ask_spans(self, samples: InfluxSamples) -> list[Columns]:
        """For each bin with numbers the spans from the one before to each of them: how many, their sum, the first.

        With GROUP BY time InfluxQL tells the begin of a bin in place of the time of what it selects; these spans
        lead from the very first number to the last of each bin, and from there to the first of the next.
        """
        spans = select('elapsed("value", 1ns) AS "span"', "sample", self.channel, self._range)
        asked = f'SELECT count("span") AS "count", sum("span") AS "sum", first("span") AS "first" FROM ({spans})'  # noqa: S608 - of ours
        return list(samples.numbers(f"{asked} WHERE {self._range} {self._by_bin}", *_SPANS, rows=_ROWS))


def _add_times(found: Bins, filled: Places, first_ns: int, answer: list[Columns]) -> bool:
    """Set the times of the first and last number of the filled bins; False when the spans are those of other numbers than were counted."""
    at = np.searchsorted(found.start, _column(answer, "time"))
    number, total, lead = np.zeros((3, len(found)), np.int64)
    number[at], total[at], lead[at] = (_column(answer, name) for name in _SPANS)
    number[filled[0]] += 1  # no span leads to the very first
    if not np.array_equal(number, found.count):
        return False
    last = first_ns + np.cumsum(total)[filled]
    found.last_time[filled] = last
    found.first_time[filled] = np.append(first_ns, last[:-1] + lead[filled][1:])
    return True


def _column(answer: list[Columns], name: str) -> npt.NDArray[np.int64]:
    return np.array([number for columns in answer for number in columns[name]], np.int64)


def _part(columns: Columns) -> Bins:
    """Bins of an answer, their times missing."""
    start = np.array(columns["time"], np.int64)
    found = Bins.empty(start)
    for name in _BINS:
        column, dtype = columns[name], BIN_COLUMNS[name]
        getattr(found, name)[:] = np.array(column if dtype == "<f8" else [number or 0 for number in column], dtype)
    if _OLD in columns:
        found.non_finite[:] += np.array([number or 0 for number in columns[_OLD]], found.non_finite.dtype)
    n = found.count
    # InfluxQL has the deviation of a sample (n - 1), and none of a single number.
    with np.errstate(all="ignore"):
        found.std[:] = np.where(n > 1, found.std * np.sqrt((n - 1) / n), np.where(n == 1, 0.0, np.nan))
    return found
