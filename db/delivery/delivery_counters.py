"""The delivery block of the channel table: what has become of each channel's samples, counted once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.core.spool.disk import Disk
from archioc.core.spool.file import SpoolFile
from archioc.core.spool.ledger import Booking, Ledger
from archioc.core.table.mapped_file import MappedFile
from archioc.core.table.table import Rows

_HEAD_FIELDS = ("batch_id", "stored", "rejected", "batches")


class DeliveryCounters:
    """Books spool files as stored or rejected. To be called after the store has answered, before the file is let go.

    A row counts for one generation of it; samples of an earlier one (a channel that has been removed
    since) are in the totals only. Batches that were in the spool when the table was made are in no counter: the counters of what
    came in have begun at zero since.
    """

    def __init__(self, block: MappedFile, disk: Disk | None = None) -> None:
        self._block = block
        self._ledger = Ledger(block, disk)

    def count_delivered(self, file: SpoolFile, rejected: npt.NDArray[np.int64]) -> None:
        """Count a file; `rejected` has one number for each entry of its counts."""
        if self._is_older(file.batch_id):
            self._enter(self._nothing(file.batch_id, 0))
            return
        counts = file.counts
        stored = counts["samples"] - rejected
        newest = _newest_of_each_row(counts, len(self._block.cells))
        rows: Rows = counts["row"][newest].astype(np.int64)
        generation = counts["generation"][newest]
        cells = self._block.cells[rows]
        current = cells["generation"] <= generation
        rows, cells, newest, generation = rows[current], cells[current], newest[current], generation[current]
        reused = cells["generation"] < generation
        cells["stored"][reused] = cells["rejected"][reused] = 0
        cells["generation"] = generation
        cells["stored"] += stored[newest]
        cells["rejected"] += rejected[newest]
        self._enter(Booking(file.batch_id, rows, cells, self._head(file.batch_id, int(stored.sum()), int(rejected.sum()))))

    def rebook(self, booking_id: int, counts: npt.NDArray[np.void], stored: npt.NDArray[np.int64]) -> None:
        """Count samples as stored that have been counted as rejected before.

        stored: one number for each entry of `counts`. booking_id: negative, so never that of a batch.
        Counters that have begun anew since do not go below 0: what they never held is not moved.
        """
        rows: Rows = counts["row"].astype(np.int64)
        present = rows < len(self._block.cells)
        rows, generation, moved = rows[present], counts["generation"][present], stored[present]
        cells = self._block.cells[rows]
        here = cells["generation"] == generation
        rows, cells = rows[here], cells[here]
        moved = np.minimum(moved[here], cells["rejected"])
        cells["stored"] += moved
        cells["rejected"] -= moved
        head = self._block.head.copy()
        total = min(int(stored.sum()), int(head["rejected"][0]))
        head["stored"] += total
        head["rejected"] -= total
        self._enter(Booking(booking_id, rows, cells, head))

    def count_lost(self, batch_id: int, samples: int) -> None:
        """Count a file that cannot be read as rejected; it does not tell whose samples it held."""
        self._enter(self._nothing(batch_id, 0 if self._is_older(batch_id) else samples))

    def finish(self, batch_id: int) -> bool:
        """Complete the booking of a file that was interrupted; whether there was one."""
        booking = self._ledger.unfinished()
        if booking is None or booking.batch_id != batch_id:
            return False
        self._ledger.apply(booking, _HEAD_FIELDS)
        return True

    def _is_older(self, batch_id: int) -> bool:
        """Whether a batch was committed before the table was made."""
        return batch_id <= int(self._block.head["floor"][0])

    def _nothing(self, batch_id: int, rejected: int) -> Booking:
        """A booking that concerns no row."""
        return Booking(batch_id, np.zeros(0, np.int64), self._block.cells[:0], self._head(batch_id, 0, rejected))

    def _head(self, batch_id: int, stored: int, rejected: int) -> npt.NDArray[np.void]:
        head = self._block.head.copy()
        head["batch_id"] = np.maximum(head["batch_id"], batch_id)
        head["stored"] += stored
        head["rejected"] += rejected
        head["batches"] += 1
        return head

    def _enter(self, booking: Booking) -> None:
        self._ledger.announce(booking)
        self._ledger.apply(booking, _HEAD_FIELDS)


def _newest_of_each_row(counts: npt.NDArray[np.void], capacity: int) -> npt.NDArray[np.intp]:
    """Entries for rows that the table has; where a row is named twice, the one with the newest generation."""
    order = np.lexsort((counts["generation"], counts["row"]))
    order = order[counts["row"][order] < capacity]
    row = counts["row"][order]
    last = np.append(row[1:] != row[:-1], True)[: len(row)]
    found: npt.NDArray[np.intp] = order[last]
    return found
