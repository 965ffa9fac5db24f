"""Sampling settings of every table row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.core.channel import DEFAULT_MAX_INTERVAL
from archioc.core.channel_name import Stamping
from archioc.engine.sampling.dead_band import Bands

SLOWEST = 1e-8
"""Hz, a sample in three years: lower rates and quotas count as this one, so that times stay within 64 bits."""

SPREAD_PARTS, SPREAD_FROM = 600, 60e9
"""Signs of life of channels that connected together come spread over a sixth of `max_interval`, which is at least 60 s (ns)."""

Rows = npt.NDArray[np.integer]


class SamplingSettings:
    """Settings of all rows; each column has shape (rows,).

    enable, group_on: archive or not, by the setting and by the condition of the channel's group.
    interval: ns, 0 = no limit; any_interval: whether there is one.
    longest: ns, after which a value is written again, 0 = never: `max_interval`, or up to a sixth less, so that channels that
        connected together do not all repeat together. repeating: rows that have one.
    small_only: rows of which no value of more than 1 kB is written again.
    banded: rows with a dead band; any_band: whether there is one.
    quota_cost: ns of quota that a sample uses up, 0 = no quota.
    by_archiver: rows whose samples get the archiver's time; any_by_archiver: whether there is one.
    trusted: rows whose stamps are used also where they lie far in the past.
    """

    def __init__(self, rows: int) -> None:
        self.enable = np.zeros(rows, bool)
        self.group_on = np.ones(rows, bool)
        self.scan = np.zeros(rows, bool)
        self.interval = np.zeros(rows, "i8")
        self.any_interval = False
        self.longest = np.zeros(rows, "i8")
        self.small_only = np.zeros(rows, bool)
        self.repeating = np.empty(0, np.intp)
        self.bands = Bands(np.zeros(rows), np.zeros(rows))
        self.banded = np.zeros(rows, bool)
        self.any_band = False
        self.quota_cost = np.zeros(rows, "i8")
        self.by_archiver = np.zeros(rows, bool)
        self.trusted = np.zeros(rows, bool)
        self.any_by_archiver = False

    def load(self, rows: Rows, cells: npt.NDArray[np.void]) -> None:
        """Settings of some rows from the channel table (dtype SETTINGS)."""
        self.enable[rows] = cells["enable"] != 0
        self.scan[rows] = cells["mode"] == 1
        self.interval[rows] = _period(cells["rate"])
        self.any_interval = bool(self.interval.any())
        self.longest[rows] = _spread(rows, cells["max_interval"] * 1e9)
        self.small_only[rows] = cells["max_interval"] == DEFAULT_MAX_INTERVAL
        self.repeating = np.flatnonzero(self.longest)
        self.bands.width[rows] = cells["deadband"]
        self.bands.part[rows] = cells["deadband_pct"] / 100
        self.banded[rows] = (cells["deadband"] > 0) | (cells["deadband_pct"] > 0)
        self.any_band = bool(self.banded.any())
        self.quota_cost[rows] = _period(cells["quota"])
        self.by_archiver[rows] = cells["by_ioc"] == Stamping.ARCHIVER
        self.trusted[rows] = cells["by_ioc"] == Stamping.TRUSTED
        self.any_by_archiver = bool(self.by_archiver.any())

    def on(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which of these rows are archived."""
        on: npt.NDArray[np.bool_] = self.enable[rows] & self.group_on[rows]
        return on


def _spread(rows: Rows, longest: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    part = (rows * 7919 % SPREAD_PARTS) / (6 * SPREAD_PARTS)  # neighbours far from each other: they are often of one IOC
    return longest * np.where(longest >= SPREAD_FROM, 1 - part, 1.0)


def _period(hertz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Time (ns) between two of so many a second; 0 where there is no limit."""
    return np.where(hertz > 0, 1e9 / np.maximum(hertz, SLOWEST), 0)
