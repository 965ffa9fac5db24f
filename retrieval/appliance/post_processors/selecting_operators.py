"""Operators that pick stored samples, or make a few out of each bin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from archioc.core.spool.batch import SampleFlag
from archioc.db.bins import Bins
from archioc.db.sample_columns import SampleColumns
from archioc.retrieval.appliance.payload import PayloadType
from archioc.retrieval.appliance.post_processors.bin_grid import BinGrid
from archioc.retrieval.appliance.post_processors.sample_bins import begins_of, whole_bins
from archioc.retrieval.appliance.post_processors.stored_bins import stored_bins
from archioc.retrieval.appliance.runs import Run
from archioc.retrieval.appliance.source import Range, Source

PIECE = 20_000
"""Samples in a piece of an answer."""

Chunks = Iterator[SampleColumns]
Points = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.uint8]]
"""Times, values and severities."""


def first_of_bins(found: Chunks, grid: BinGrid) -> Chunks:
    """The first sample of each bin."""
    before = None
    for chunk in found:
        index = grid.index(chunk.time)
        picked = np.append(before is None or index[0] != before, index[1:] != index[:-1])
        before = index[-1]
        yield chunk.select(np.flatnonzero(picked))


def last_of_bins(found: Chunks, grid: BinGrid) -> Chunks:
    """The last sample of each bin."""
    held: SampleColumns | None = None
    for chunk in found:
        index = grid.index(chunk.time)
        if held is not None and grid.index(held.time)[0] != index[0]:
            yield held
        yield chunk.select(np.flatnonzero(index[1:] != index[:-1]))
        held = chunk.select(np.array([len(chunk) - 1]))
    if held is not None:
        yield held


def at_centres(found: Chunks, grid: BinGrid, upto: int) -> Chunks:
    """Samples, of which each bin has at most one, at the centres of their bins; empty bins repeat the one before."""
    held: SampleColumns | None = None
    for chunk in filter(len, found):
        index = grid.index(chunk.time)
        if held is not None:
            yield from _repeated(held, grid, int(grid.index(held.time)[0]) + 1, int(index[0]))
        yield from _repeated(chunk, grid, int(index[0]), int(index[-1]) + 1)
        held = chunk.select(np.array([len(chunk) - 1]))
    if held is not None:
        yield from _repeated(held, grid, int(grid.index(held.time)[0]) + 1, upto + 1)


def _repeated(known: SampleColumns, grid: BinGrid, begin: int, end: int) -> Chunks:
    index = grid.index(known.time)
    for at in range(begin, end, PIECE):
        wanted = np.arange(at, min(at + PIECE, end))
        yield replace(known.select(np.searchsorted(index, wanted, side="right") - 1), time=grid.centre(wanted))


def every(found: Chunks, step: int) -> Chunks:
    """The first sample and each that follows so many later."""
    seen = 0
    for chunk in found:
        yield chunk.select(np.arange(-seen % step, len(chunk), step))
        seen += len(chunk)


def flyers(source: Source, grid: BinGrid, sigmas: float, *, inside: bool) -> Chunks:
    """Samples within so many deviations (n - 1) of the mean of their bin, or those outside. A number that is not finite is a flyer."""
    for index, samples in whole_bins(source, grid):
        begins = begins_of(index)
        near = np.zeros(len(index), bool)
        for begin, end in zip(begins, [*begins[1:], len(index)], strict=True):
            numbers = samples.value[begin:end]
            finite = numbers[np.isfinite(numbers)]
            if len(finite):
                limit = sigmas * (finite.std(ddof=1) if len(finite) > 1 else 0.0)
                with np.errstate(invalid="ignore"):
                    near[begin:end] = np.abs(numbers - finite.mean()) <= limit
        scalar = np.array([one is None for one in samples.text]) | np.isfinite(samples.value)
        yield samples.select(np.flatnonzero(near if inside else ~near & scalar))


def outside_dead_band(found: Chunks, band: float) -> Chunks:
    """Samples further than the band from the last one picked; and those that are not finite, with another severity, or after a gap."""
    last, last_severity = np.nan, -1
    for chunk in found:
        picked: list[int] = []
        resumed = (chunk.flags & SampleFlag.GENERATED) != 0
        columns = zip(chunk.value.tolist(), chunk.severity.tolist(), resumed.tolist(), strict=True)
        for at, (value, severity, after_gap) in enumerate(columns):
            if not abs(value - last) <= band or severity != last_severity or after_gap:
                picked.append(at)
                last, last_severity = value, severity
        yield chunk.select(np.array(picked, np.intp))


def count(source: Source, span: Range) -> Run:
    """How many samples there are from the start to the end, in one sample at the start."""
    number = sum(int((chunk.time >= span.start_ns).sum()) for chunk in source.samples(span))
    none = np.zeros(1, np.uint8)
    return Run(source.header(span, PayloadType.SCALAR_INT), np.array([span.start_ns]), np.array([float(number)]), none, none)


def cap_lot(source: Source, grid: BinGrid) -> Iterator[Run]:
    """Up to two samples of a bin as they are; else four points in it: first, least, largest and last."""
    for index, bins in stored_bins(source, grid, times=True):
        few = bins.count <= 2
        parts = [
            _points(bins, few, bins.first_time, bins.first),
            _points(bins, bins.count == 2, bins.last_time, bins.last),
            *(
                _points(bins, ~few, index * grid.width_ns + grid.width_ns * quarter // 4, values)
                for quarter, values in enumerate((bins.first, bins.min, bins.max, bins.last))
            ),
        ]
        time, values, severity = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.argsort(time, kind="stable")
        header = source.header(grid.span, PayloadType.SCALAR_DOUBLE)
        yield Run(header, time[order], values[order], severity[order], np.zeros(len(order), np.uint8))


def _points(bins: Bins, wanted: npt.NDArray[np.bool_], time: npt.NDArray[np.int64], values: npt.NDArray[np.float64]) -> Points:
    return time[wanted], values[wanted], bins.severity[wanted]
