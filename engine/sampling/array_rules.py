"""What becomes of arrays: which are texts, and which are too long to be stored whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.channel import LargeArrays
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.spool.batch import Kind, SampleFlag
from archioc.engine.sampling.updates import Updates

Rows = npt.NDArray[np.integer]


class ArrayRules:
    """The settings `as_text`, `max_elements` and `large_arrays` of all rows.

    as_text: rows whose arrays of characters are texts; texts may have any length. most: elements, 0 = no limit.
    """

    def __init__(self, rows: int) -> None:
        self.as_text = np.zeros(rows, bool)
        self.most = np.zeros(rows, "u4")
        self._large = np.zeros(rows, "u1")  # LargeArrays
        self._any_limit = False

    def load(self, rows: Rows, cells: npt.NDArray[np.void]) -> Rows:
        """Settings of some rows from the channel table (dtype SETTINGS); the rows that have other ones now."""
        as_text, large = cells["as_text"] != 0, cells["large_arrays"]
        most = np.where(large == LargeArrays.STORE, 0, cells["max_elements"])
        changed = (self.as_text[rows] != as_text) | (self.most[rows] != most) | (self._large[rows] != large)
        self.as_text[rows], self.most[rows], self._large[rows] = as_text, most, large
        self._any_limit = bool(self.most.any())
        found: Rows = rows[changed]
        return found

    def apply(self, updates: Updates) -> npt.NDArray[np.intp]:
        """Put statistics in place of arrays that are too long for their channel; indices of those that it does not take at all."""
        if not self._any_limit:
            return np.empty(0, np.intp)
        arrays = np.flatnonzero(updates.kind == Kind.ARRAY)
        most = self.most[updates.row[arrays]]
        long = arrays[(most > 0) & (updates.count[arrays] > most)]
        refused = self._large[updates.row[long]] == LargeArrays.REFUSE
        for at in long[~refused].tolist():
            elements = np.frombuffer(updates.blobs[updates.blob[at]], ELEMENT_DTYPE[Dbr(int(updates.dbr[at]))])
            updates.blobs[updates.blob[at]] = ArrayStatistics.of(elements).pack()
            updates.flags[at] |= SampleFlag.STATISTICS
        beyond: npt.NDArray[np.intp] = long[refused]
        return beyond
