"""The channels in the order of their names, with their rows: what lists of channels are made from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from archioc.ioc.ca.limits.time_slice import TimeSlice
from archioc.ioc.registry.writer import Registry

SLICE_NAMES = 100
SORTED_AT_ONCE = 2000

IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class ChannelIndex:
    """names: sorted. rows, generations: those of the same channels. version: another one after each change; -1 before the first."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.clear()

    def clear(self) -> None:
        """Let go of everything."""
        self.version = -1
        self.names: list[str] = []
        self.rows = np.zeros(0, np.int64)
        self.generations = np.zeros(0, np.int64)

    async def follow(self) -> None:
        """Take up channels that came or went. Only one at a time may be here."""
        version = self._registry.names_version
        if version == self.version:
            return
        slice_, channels = TimeSlice(), self._registry.channels
        names = await _sorted(list(channels), slice_)
        rows, generations = np.full(len(names), -1, np.int64), np.zeros(len(names), np.int64)
        for begin in range(0, len(names), SLICE_NAMES):
            for at, name in enumerate(names[begin : begin + SLICE_NAMES], begin):
                channel = channels.get(name)
                if channel is not None:  # it may have gone meanwhile; the next call takes that up
                    rows[at], generations[at] = channel.row, channel.generation
            await slice_.give_way()
        there = rows >= 0
        if not there.all():
            names = [name for name, is_there in zip(names, there.tolist(), strict=True) if is_there]
        self.names, self.rows, self.generations, self.version = names, rows[there], generations[there], version

    async def matching(self, fits: Callable[[str], bool]) -> Mask:
        """Which names fit."""
        slice_, found = TimeSlice(), np.zeros(len(self.names), bool)
        for begin in range(0, len(self.names), SLICE_NAMES):
            some = self.names[begin : begin + SLICE_NAMES]
            found[begin : begin + len(some)] = [fits(name) for name in some]
            await slice_.give_way()
        return found


async def _sorted(names: list[str], slice_: TimeSlice) -> list[str]:
    """Sort by merging: `list.sort` takes two sorted runs in one pass, so no step takes as long as sorting all at once."""
    runs = []
    for begin in range(0, len(names), SORTED_AT_ONCE):
        runs.append(sorted(names[begin : begin + SORTED_AT_ONCE]))
        await slice_.give_way()
    while len(runs) > 1:
        merged = []
        for first, second in zip(runs[::2], [*runs[1::2], []], strict=False):
            first.extend(second)
            first.sort()
            merged.append(first)
            await slice_.give_way()
        runs = merged
    return runs[0] if runs else []
