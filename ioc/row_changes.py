"""Which rows of the channel table have changed since they were last looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from archioc.core.table import ChannelTable
from ioc.archived import ArchivedChannel

ROWS_AT_ONCE = 500
"""Rows compared in one go (some 1 us each)."""


class RowChanges:
    """Keeps what the rows of the watched channels were like, each channel at a place of its own."""

    def __init__(self, table: ChannelTable) -> None:
        self._table = table
        self._place: dict[str, int] = {}
        self._names: list[str] = []  # empty: a place without a channel
        self._free: list[int] = []
        self._seen: list[npt.NDArray[np.uint8]] = []  # ROWS_AT_ONCE places each, as bytes
        self._width = sum(block.cells.dtype.itemsize for block in table.blocks)

    def watch(self, name: str) -> None:
        """Look at a channel from now on; it counts as changed at the first look."""
        if self._free:
            place = self._free.pop()
            self._names[place] = name
        else:
            place = len(self._names)
            self._names.append(name)
            if place % ROWS_AT_ONCE == 0:
                self._seen.append(np.zeros((ROWS_AT_ONCE, self._width), np.uint8))
        self._place[name] = place
        self._seen[place // ROWS_AT_ONCE][place % ROWS_AT_ONCE] = 0

    def forget(self, name: str) -> None:
        """Look at a channel no more."""
        place = self._place.pop(name)
        self._names[place] = ""
        self._free.append(place)
        if not self._place:
            self._names, self._free, self._seen = [], [], []

    def look(self, find: Callable[[str], ArchivedChannel | None]) -> Iterator[list[str]]:
        """The watched channels that have changed, ROWS_AT_ONCE after the other; channels that are removed are passed over.

        find: the channel that a name stands for.

        Channels may come and go between two steps.
        """
        begin = 0
        while names := self._names[begin : begin + ROWS_AT_ONCE]:
            seen = self._seen[begin // ROWS_AT_ONCE]
            begin += ROWS_AT_ONCE
            there = [(place, channel.row) for place, name in enumerate(names) if name and (channel := find(name)) is not None]
            if there:
                places, rows = np.array(there, np.int64).T
                now = _snapshot([block.cells[rows] for block in self._table.blocks])
                changed = places[(now != seen[places]).any(axis=1)].tolist()
                seen[places] = now
                yield [names[place] for place in changed]


def _snapshot(blocks: list[npt.NDArray[np.void]]) -> npt.NDArray[np.uint8]:
    """Rows of several blocks side by side, as bytes."""
    return np.concatenate([np.ascontiguousarray(block).view(np.uint8).reshape(len(block), -1) for block in blocks], axis=1)
