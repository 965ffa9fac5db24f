"""The post-processors of the protocol: what is asked for as `NAME_ARGUMENT(CHANNEL)`, and the samples that it gives."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain

from archioc.retrieval.appliance.payload import PayloadType
from archioc.retrieval.appliance.post_processors.bin_grid import BinGrid
from archioc.retrieval.appliance.post_processors.binned import Binned, Fill, filled, runs_of_bins, same, zero
from archioc.retrieval.appliance.post_processors.sample_bins import OF_SAMPLES, of_samples
from archioc.retrieval.appliance.post_processors.selecting_operators import (
    Chunks,
    at_centres,
    cap_lot,
    count,
    every,
    first_of_bins,
    flyers,
    last_of_bins,
    outside_dead_band,
)
from archioc.retrieval.appliance.post_processors.statistics import STATISTICS, of_store, only_last, stats, stats_and_last
from archioc.retrieval.appliance.runs import Run
from archioc.retrieval.appliance.source import Range, Source
from archioc.retrieval.faults import refusal, shown

BIN_S = 900
POINTS = 1000
MAX_POINTS = 100_000
"""Whoever wants more points gets the samples as they are."""

MAX_ARGUMENT = 2**31 - 1

Operator = Callable[[Source, Range], Iterator[Run]]
Producer = Callable[[Source, BinGrid], Iterator[Binned]]
Arguments = list[str]


def operator(text: str) -> Operator:
    """The operator that a client names, `mean_60` for example; one that is not known gives the samples as they are.

    Raises HTTPException (404) for an argument that the operator cannot have.
    """
    name, *arguments = text.split("_")
    make = _MAKERS.get(name)
    return Source.runs if make is None else make(arguments)


def _whole(arguments: Arguments, default: int, what: str) -> int:
    """The first argument as a whole number of at least 1."""
    text = arguments[0] if arguments else str(default)
    number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0
    if not 1 <= number <= MAX_ARGUMENT:
        raise refusal(404, f"argument {shown(text)}: {what} from 1 to {MAX_ARGUMENT}")
    return number


def _number(text: str, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise refusal(404, f"argument {shown(text)}: {what} of at least 0")
    return number


def _grid(arguments: Arguments) -> Callable[[Range], BinGrid]:
    width_s = _whole(arguments, BIN_S, "a whole number of seconds")
    return lambda span: BinGrid(span, width_s)


def _last_to_fill(grid: BinGrid) -> int:
    """The bin up to which values are repeated: that of the end of the range, but none of the future."""
    return min(grid.last, time.time_ns() // grid.width_ns)


def _answer(source: Source, grid: BinGrid, found: Iterator[Binned], fill: Fill | None) -> Iterator[Run]:
    bins = found if fill is None else filled(found, _last_to_fill(grid), fill)
    return _not_empty(runs_of_bins(bins, source, grid), source, grid.span)


def _not_empty(runs: Iterator[Run], source: Source, span: Range) -> Iterator[Run]:
    """The runs; where there is none, an empty one, since an answer has a header in any case."""
    first = next(runs, None)
    if first is None:
        yield Run.empty(source.header(span, PayloadType.SCALAR_DOUBLE))
        return
    yield from chain([first], runs)


def _bin_operator(producer: Producer, fill: Fill | None, arguments: Arguments) -> Operator:
    grid_of = _grid(arguments)

    def operate(source: Source, span: Range) -> Iterator[Run]:
        grid = grid_of(span)
        grid.check()
        return _answer(source, grid, producer(source, grid), fill)

    return operate


def _optimized(statistic: Producer, fill: Fill | None, arguments: Arguments) -> Operator:
    points = _whole(arguments, POINTS, "a number of points")

    def operate(source: Source, span: Range) -> Iterator[Run]:
        if points > MAX_POINTS:
            return source.runs(span)
        width_s = max(1, (span.end_ns - span.start_ns) // (points * 1_000_000_000))
        grid = BinGrid(span, width_s)
        bins = list(statistic(source, grid))
        number = sum(float(part.values[:, 4].sum()) for part in bins)
        if number < points:
            return source.runs(span)
        return _answer(source, grid, iter(bins), fill)

    return operate


def _picker(pick: Callable[[Chunks, BinGrid], Chunks], arguments: Arguments) -> Operator:
    grid_of = _grid(arguments)

    def operate(source: Source, span: Range) -> Iterator[Run]:
        return source.runs_of(pick(source.samples(span), grid_of(span)), span)

    return operate


def _filler(pick: Callable[[Chunks, BinGrid], Chunks], arguments: Arguments) -> Operator:
    grid_of = _grid(arguments)

    def operate(source: Source, span: Range) -> Iterator[Run]:
        grid = grid_of(span)
        grid.check()
        return source.runs_of(at_centres(pick(source.samples(span), grid), grid, _last_to_fill(grid)), span)

    return operate


def _flyers(arguments: Arguments, *, inside: bool) -> Operator:
    grid_of = _grid(arguments)
    sigmas = _number(arguments[1], "a number of deviations") if len(arguments) > 1 else 3.0

    def operate(source: Source, span: Range) -> Iterator[Run]:
        return source.runs_of(flyers(source, grid_of(span), sigmas, inside=inside), span)

    return operate


def _ncount(_arguments: Arguments) -> Operator:
    return lambda source, span: iter([count(source, span)])


def _nth(arguments: Arguments) -> Operator:
    step = _whole(arguments, BIN_S, "a number of samples")
    return lambda source, span: source.runs_of(every(source.samples(span), step), span)


def _cap_lot(arguments: Arguments) -> Operator:
    grid_of = _grid(arguments)
    return lambda source, span: _not_empty(cap_lot(source, grid_of(span)), source, span)


def _dead_band(arguments: Arguments) -> Operator:
    band = _number(arguments[0], "a band") if arguments else 1.0
    return lambda source, span: source.runs_of(outside_dead_band(source.samples(span), band), span)


def _both(name: str, make: Callable[[Fill | None, Arguments], Operator], fill: Fill) -> dict[str, Callable[[Arguments], Operator]]:
    """The operator, and its variant that leaves empty bins out."""
    return {name: partial(make, fill), f"{name}Sample": partial(make, None)}


def _makers() -> dict[str, Callable[[Arguments], Operator]]:
    found: dict[str, Callable[[Arguments], Operator]] = {
        "firstSample": partial(_picker, first_of_bins),
        "lastSample": partial(_picker, last_of_bins),
        "firstFill": partial(_filler, first_of_bins),
        "lastFill": partial(_filler, last_of_bins),
        "ignoreflyers": partial(_flyers, inside=True),
        "flyers": partial(_flyers, inside=False),
        "ncount": _ncount,
        "nth": _nth,
        "caplotbinning": _cap_lot,
        "deadBand": _dead_band,
    }
    producers = {name: of_store(statistic) for name, statistic in STATISTICS.items()}
    producers |= {name: of_samples(value) for name, value in OF_SAMPLES.items()}
    producers["errorbar"] = of_store(STATISTICS["mean"], with_deviation=True)
    for name, producer in producers.items():
        found |= _both(name, partial(_bin_operator, producer), zero if name == "count" else same)
    found |= _both("optimized", partial(_optimized, of_store(stats)), same)
    found |= _both("optimLastSample", partial(_optimized, of_store(stats_and_last)), only_last)
    return found


_MAKERS = _makers()

OPERATORS = tuple(_MAKERS)
"""Names of all operators."""
