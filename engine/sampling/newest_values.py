"""The newest value of each channel that is to be written again when `max_interval` has passed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.core.spool.batch import NO_BLOB, SAMPLE, SampleFlag, Samples
from archioc.core.void_view import as_void
from archioc.engine.sampling.updates import Updates

LARGE_BYTES = 1024
"""Of a value that is not written again by default."""

Rows = npt.NDArray[np.integer]


class NewestValues:
    """Kept in the engine's memory only: after a restart the IOC sends the current value anyway.

    known: rows that have one.
    """

    def __init__(self, rows: int) -> None:
        self.known = np.zeros(rows, bool)
        self._cells = np.zeros(rows, SAMPLE)
        self._blobs: dict[int, bytes] = {}

    def remember(self, updates: Updates, small_only: npt.NDArray[np.bool_]) -> None:
        """Keep updates, at most one of each row.

        small_only: of all rows, shape (rows,); of these a blob of more than LARGE_BYTES is not kept.
        """
        updates = self._without_large(updates, small_only)
        rows = updates.row
        self.known[rows] = True
        cells = np.zeros(len(rows), SAMPLE)
        cells["row"], cells["value"], cells["src_time"] = rows, updates.value, updates.stamp
        cells["severity"], cells["status"] = updates.alarm >> 8, updates.alarm & 0xFF
        cells["kind"], cells["dbr"], cells["blob"], cells["flags"] = updates.kind, updates.dbr, updates.blob, updates.flags
        as_void(self._cells)[rows] = as_void(cells)
        for at in np.flatnonzero(updates.blob != NO_BLOB).tolist():
            self._blobs[int(rows[at])] = updates.blobs[updates.blob[at]]

    def _without_large(self, updates: Updates, small_only: npt.NDArray[np.bool_]) -> Updates:
        with_blob = np.flatnonzero((updates.blob != NO_BLOB) & small_only[updates.row])
        large = [at for at in with_blob.tolist() if len(updates.blobs[updates.blob[at]]) > LARGE_BYTES]
        if not large:
            return updates
        self.forget(updates.row[large])
        keep = np.ones(len(updates.row), bool)
        keep[large] = False
        return updates.select(np.flatnonzero(keep))

    def forget(self, rows: Rows) -> None:
        """These rows are not to be written again any more."""
        for row in rows[self.known[rows]].tolist():
            self.known[row] = False
            self._blobs.pop(row, None)

    def samples(self, rows: Rows, now: int) -> tuple[Samples, list[bytes]]:
        """Their values as generated samples at a time (ns)."""
        out: Samples = self._cells[rows]
        out["time"], out["flags"] = now, out["flags"] | SampleFlag.GENERATED
        blobs: list[bytes] = []
        for at in np.flatnonzero(out["blob"] != NO_BLOB).tolist():
            out["blob"][at] = len(blobs)
            blobs.append(self._blobs[int(rows[at])])
        return out, blobs
