"""Results of operators that give one value a bin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from archioc.retrieval.appliance.payload import PayloadType
from archioc.retrieval.appliance.post_processors.bin_grid import BinGrid, Integers
from archioc.retrieval.appliance.runs import Array, Run, Values
from archioc.retrieval.appliance.source import Source

PIECE = 20_000
"""Bins in a piece of an answer."""

Floats = npt.NDArray[np.float64]
Fill = Callable[[Floats], Floats]
"""What stands in empty bins, from the value of the last one that was not empty."""


@dataclass(frozen=True, slots=True, eq=False)
class Binned:
    """Values of bins that have one, sorted.

    values: shape (bins,) or (bins, columns). deviation: told beside the value, of some operators.
    """

    index: Integers
    values: Floats
    severity: npt.NDArray[np.uint8]
    deviation: Floats | None = None

    def select(self, places: npt.NDArray[np.intp]) -> Binned:
        """Some of the bins."""
        deviation = None if self.deviation is None else self.deviation[places]
        return Binned(self.index[places], self.values[places], self.severity[places], deviation)


def same(values: Floats) -> Floats:
    """Empty bins repeat the one before."""
    return values


def zero(values: Floats) -> Floats:
    """Empty bins are 0."""
    return np.zeros_like(values)


def filled(found: Iterator[Binned], upto: int, fill: Fill) -> Iterator[Binned]:
    """With the empty bins from the first one that has a value up to and with `upto`."""
    held: Binned | None = None
    for part in found:
        if not len(part.index):
            continue
        if held is not None:
            yield from _between(held, int(held.index[0]) + 1, int(part.index[0]), fill)
        yield from _between(part, int(part.index[0]), int(part.index[-1]) + 1, fill)
        held = part.select(np.array([len(part.index) - 1]))
    if held is not None:
        yield from _between(held, int(held.index[0]) + 1, upto + 1, fill)


def _between(known: Binned, begin: int, end: int, fill: Fill) -> Iterator[Binned]:
    for at in range(begin, end, PIECE):
        wanted = np.arange(at, min(at + PIECE, end))
        places = np.searchsorted(known.index, wanted, side="right") - 1
        part = known.select(places)
        empty = part.index != wanted
        values = part.values.copy()
        values[empty] = fill(values[empty])
        yield replace(part, index=wanted, values=values)


def runs_of_bins(found: Iterator[Binned], source: Source, grid: BinGrid) -> Iterator[Run]:
    """The bins as samples under their centres."""
    for part in found:
        waveform = part.values.ndim > 1
        kind = PayloadType.WAVEFORM_DOUBLE if waveform else PayloadType.SCALAR_DOUBLE
        header = source.header(grid.span, kind, part.values.shape[1] if waveform else 1)
        rows: list[Array] = list(part.values)
        values: Values = rows if waveform else part.values
        deviations = [] if part.deviation is None else part.deviation.tolist()
        fields = {at: {"stdz": repr(deviation)} for at, deviation in enumerate(deviations)}
        yield Run(header, grid.centre(part.index), values, part.severity, np.zeros(len(part.index), np.uint8), fields)
