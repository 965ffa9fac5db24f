"""Operators that are statistics of bins made by the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from archioc.db.bins import Bins
from archioc.retrieval.appliance.post_processors.bin_grid import BinGrid
from archioc.retrieval.appliance.post_processors.binned import Binned, Floats
from archioc.retrieval.appliance.post_processors.stored_bins import stored_bins
from archioc.retrieval.appliance.source import Source

Statistic = Callable[[Bins], Floats]


def of_store(statistic: Statistic, *, with_deviation: bool = False) -> Callable[[Source, BinGrid], Iterator[Binned]]:
    """An operator that gives this statistic of each bin."""

    def operate(source: Source, grid: BinGrid) -> Iterator[Binned]:
        for index, bins in stored_bins(source, grid):
            yield Binned(index, statistic(bins), bins.severity, std(bins) if with_deviation else None)

    return operate


def popvariance(bins: Bins) -> Floats:
    """Variance of the population."""
    with np.errstate(over="ignore"):
        return bins.std**2


def variance(bins: Bins) -> Floats:
    """Variance of a sample (n - 1); 0 of a single number."""
    with np.errstate(all="ignore"):
        return np.where(bins.count > 1, popvariance(bins) * (bins.count / np.maximum(bins.count - 1, 1)), 0.0)


def std(bins: Bins) -> Floats:
    """Deviation of a sample (n - 1); 0 of a single number."""
    return np.where(bins.count > 1, bins.std * np.sqrt(bins.count / np.maximum(bins.count - 1, 1)), 0.0)


def jitter(bins: Bins) -> Floats:
    """Deviation by mean."""
    with np.errstate(all="ignore"):
        return std(bins) / bins.mean


def stats(bins: Bins) -> Floats:
    """Mean, deviation, least, largest, number."""
    return np.stack([bins.mean, std(bins), bins.min, bins.max, bins.count.astype(np.float64)], axis=1)


def stats_and_last(bins: Bins) -> Floats:
    """The same and the last number."""
    return np.concatenate([stats(bins), bins.last[:, np.newaxis]], axis=1)


def only_last(values: Floats) -> Floats:
    """For empty bins of `stats_and_last`: the last number, of none."""
    last, none = values[:, 5], np.zeros(len(values))
    return np.stack([last, none, last, last, none, last], axis=1)


STATISTICS: dict[str, Statistic] = {
    "mean": lambda bins: bins.mean,
    "min": lambda bins: bins.min,
    "max": lambda bins: bins.max,
    "count": lambda bins: bins.count.astype(np.float64),
    "std": std,
    "variance": variance,
    "popvariance": popvariance,
    "jitter": jitter,
    "stats": stats,
}
"""By the name of the operator."""
