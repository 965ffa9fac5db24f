"""Statistics of bins that the store makes itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from db.bins import Bins
from db.sample_columns import SampleColumns
from retrieval.appliance.bin_grid import BinGrid
from retrieval.appliance.source import Source

WINDOW = 20_000
"""Bins that the store is asked for at a time."""

FEW_NS = 120 * 10**9
"""A cut bin up to this long is made of its samples: a store takes longer to make one bin than to tell so many."""

IndexedBins = tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Bins]


def stored_bins(source: Source, grid: BinGrid, *, times: bool = False) -> Iterator[IndexedBins]:
    """Bins with finite numbers, in pieces: the number of each, and its statistics.

    times: whether those of the first and last number are wanted too. Numbers that are not finite, texts and arrays are in none.
    Raises HTTPException (400) for more than MAX_BINS.
    """
    grid.check()
    previous = source.before(grid.span)
    if previous is not None and np.isfinite(previous.value[0]):
        yield np.array([grid.first - 1]), _of_one(previous)
    span, width = grid.span, grid.width_ns
    end_ns = span.end_ns + 1
    begin, first_whole = span.start_ns, -(-span.start_ns // width)
    if first_whole * width > begin:
        yield from _ask(source, grid, begin, min(first_whole * width, end_ns), 1, times)
    for at in range(first_whole, end_ns // width, WINDOW):
        upto = min(at + WINDOW, end_ns // width)
        yield from _ask(source, grid, at * width, upto * width, upto - at, times)
    last = max(end_ns // width, first_whole) * width
    if last < end_ns:
        yield from _ask(source, grid, last, end_ns, 1, times)


def _ask(source: Source, grid: BinGrid, begin_ns: int, end_ns: int, count: int, times: bool) -> Iterator[IndexedBins]:
    few = count == 1 and end_ns - begin_ns <= FEW_NS
    found = source.few_bins(begin_ns, end_ns) if few else source.bins(begin_ns, end_ns, count, times=times)
    found = found.take(found.count > 0)
    if len(found):
        yield found.start // grid.width_ns, found


def _of_one(sample: SampleColumns) -> Bins:
    """Statistics of one number."""
    found = Bins.empty(sample.time)
    found.count[:] = 1
    found.std[:] = 0.0
    for column in (found.min, found.max, found.mean, found.first, found.last):
        column[:] = sample.value
    found.first_time[:] = found.last_time[:] = sample.time
    found.severity[:] = sample.severity
    return found
