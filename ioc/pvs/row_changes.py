"""Which rows of the channel table have changed since they were last looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from archioc.core.table.mapped_file import MappedFile
from archioc.core.table.table import ChannelTable
from archioc.ioc.registry.archived import ArchivedChannel

ROWS_AT_ONCE = 500
"""Rows compared in one go (some 0.1 us each)."""

FOUND_AGAIN_LOOKS = 10
"""After so many looks it is asked anew which row a channel has: names stay while channels are removed, renamed and added."""

_NO_ROW = -1
_WORD = np.dtype(np.uint64)


class RowChanges:
    """Keeps what the rows of the watched channels were like, each channel at a place of its own.

    find: the channel that a name stands for, None where it is removed.
    """

    def __init__(self, table: ChannelTable, find: Callable[[str], ArchivedChannel | None]) -> None:
        self._table, self._find = table, find
        self._place: dict[str, int] = {}
        self._names: list[str] = []  # empty: a place without a channel
        self._free: list[int] = []
        self._parts: list[_Part] = []
        self._looks = 0

    def watch(self, name: str) -> None:
        """Look at a channel from now on; it counts as changed at the first look."""
        if self._free:
            place = self._free.pop()
            self._names[place] = name
        else:
            place = len(self._names)
            self._names.append(name)
            if place % ROWS_AT_ONCE == 0:
                self._parts.append(_Part(self._table))
        self._place[name] = place
        self._parts[place // ROWS_AT_ONCE].watch(place % ROWS_AT_ONCE, self._row(name))

    def forget(self, name: str) -> None:
        """Look at a channel no more."""
        place = self._place.pop(name)
        self._names[place] = ""
        self._free.append(place)
        self._parts[place // ROWS_AT_ONCE].rows[place % ROWS_AT_ONCE] = _NO_ROW
        if not self._place:
            self._names, self._free, self._parts = [], [], []

    def poll(self) -> Iterator[list[str]]:
        """The watched channels that have changed, ROWS_AT_ONCE after the other; channels that are removed are passed over.

        Channels may come and go between two steps.
        """
        self._looks += 1
        at = 0
        while names := self._names[at * ROWS_AT_ONCE : (at + 1) * ROWS_AT_ONCE]:
            part = self._parts[at]
            if (self._looks + at) % FOUND_AGAIN_LOOKS == 0:
                part.rows[: len(names)] = [self._row(name) for name in names]
            at += 1
            yield [names[place] for place in part.changed()]

    def _row(self, name: str) -> int:
        channel = self._find(name) if name else None
        return _NO_ROW if channel is None else channel.row


class _Part:
    """ROWS_AT_ONCE places. rows: which row of the table each is of. seen: what it was like, the blocks' rows side by side, in words."""

    def __init__(self, table: ChannelTable) -> None:
        self._blocks = table.blocks
        width = sum(block.cells.dtype.itemsize for block in table.blocks)
        self.rows = np.full(ROWS_AT_ONCE, _NO_ROW, np.int64)
        self._seen = np.zeros((ROWS_AT_ONCE, width // _WORD.itemsize), _WORD)

    def watch(self, place: int, row: int) -> None:
        self.rows[place] = row
        self._seen[place] = 0

    def changed(self) -> list[int]:
        """The places whose rows are different from what they were at the last call."""
        places = np.flatnonzero(self.rows != _NO_ROW)
        now = np.concatenate([_words_of(block, self.rows[places]) for block in self._blocks], axis=1)
        changed: list[int] = places[(now != self._seen[places]).any(axis=1)].tolist()
        self._seen[places] = now
        return changed


def _words_of(block: MappedFile, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    # numpy copies the cells of a structured array field by field, which takes 80 times as long.
    return block.cells.view(_WORD).reshape(len(block.cells), -1).take(rows, axis=0)
