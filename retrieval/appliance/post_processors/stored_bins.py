"""Statistics of bins that the store makes itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice

import numpy as np

from archioc.db.bins import Bins
from archioc.db.sample_columns import SampleColumns
from archioc.retrieval.appliance.post_processors.bin_grid import BinGrid
from archioc.retrieval.appliance.source import Source

WINDOW = 20_000
"""Bins that the store is asked for at a time."""

IndexedBins = tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Bins]


def stored_bins(source: Source, grid: BinGrid, *, times: bool = False) -> Iterator[IndexedBins]:
    """Bins with finite numbers, in pieces: the number of each, and its statistics.

    times: whether those of the first and last number are wanted too. Numbers that are not finite, texts and arrays are in none.
    Raises HTTPException (400) for more than MAX_BINS.
    """
    grid.check()
    found = _found(source, grid, times)
    with ThreadPoolExecutor(1) as beside:  # so that the bins wait for neither of these, nor these for the bins
        before = beside.submit(source.before, grid.span)
        beside.submit(source.meta, grid.span.end_ns)  # for the header, and kept; what fails here fails again there
        first = list(islice(found, 1))
        previous = before.result()
    if previous is not None and np.isfinite(previous.value[0]):
        yield np.array([grid.first - 1]), _of_one(previous)
    yield from chain(first, found)


def _found(source: Source, grid: BinGrid, times: bool) -> Iterator[IndexedBins]:
    width = grid.width_ns
    within = grid.span.start_ns, grid.span.end_ns + 1
    for at in range(grid.first, grid.last + 1, WINDOW):
        upto = min(at + WINDOW, grid.last + 1)
        found = source.bins(at * width, upto * width, upto - at, times=times, within=within)
        found = found.select(found.count > 0)
        if len(found):
            yield found.start // width, found


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
