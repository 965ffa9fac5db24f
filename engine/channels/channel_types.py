"""The native type and size of each channel, and what is to be done when it comes back with another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.core.dbr import Dbr
from archioc.core.spool.batch import NO_BLOB, Kind
from archioc.engine.sampling.updates import Updates

Rows = npt.NDArray[np.integer]
UNKNOWN = -1


class ChannelTypes:
    """dbr: native type; elements: number of elements that the IOC named; UNKNOWN where the channel has not connected yet."""

    def __init__(self, rows: int) -> None:
        self.dbr = np.full(rows, UNKNOWN, "i2")
        self.elements = np.full(rows, UNKNOWN, "i8")
        self._changed: set[int] = set()

    def forget(self, rows: Rows) -> None:
        """New channels are in these rows."""
        self.dbr[rows] = self.elements[rows] = UNKNOWN
        self._changed.difference_update(rows.tolist())

    def connect(self, row: int, dbr: int, elements: int) -> str | None:
        """A channel has connected like this; what has changed since it did the last time, in words."""
        before, its_elements = int(self.dbr[row]), int(self.elements[row])
        self.dbr[row], self.elements[row] = dbr, elements
        if before == UNKNOWN or (before == dbr and its_elements in (UNKNOWN, elements)):
            return None
        self._changed.add(row)
        return f"{_in_words(before, its_elements)} became {_in_words(dbr, elements)}"

    def foreign(self, updates: Updates) -> npt.NDArray[np.bool_] | None:
        """Which updates came through a subscription of an earlier type, None if none can be.

        libca renews a subscription with its old type when a channel comes back, so the IOC converts its
        values until there is a new subscription, whose first value is the present one.
        """
        if not self._changed:
            return None
        watched = np.isin(updates.row, np.array(list(self._changed)))
        is_array = np.where(updates.dbr == Dbr.STRING, updates.kind == Kind.ARRAY, updates.blob != NO_BLOB)
        present = (updates.dbr == self.dbr[updates.row]) & (is_array == (self.elements[updates.row] != 1))
        self._changed.difference_update(updates.row[watched & present].tolist())
        found: npt.NDArray[np.bool_] = watched & ~present
        return found


def _in_words(dbr: int, elements: int) -> str:
    name = Dbr(dbr).name
    return name if elements in (1, UNKNOWN) else f"{name}[{elements}]"
