"""What the ledger says of batches: how many samples are committed, how many a full spool has dropped, how many of these are told.

These columns follow what becomes of spool files, so they are booked where files come and go, in the
commit thread; what the sampler's memory holds in them does not count.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.core.spool.batch import COUNTS
from archioc.core.spool.file import Tally
from archioc.core.spool.ledger import Booking
from archioc.core.table.columns import LEDGER, SPOOL_TOTALS
from archioc.core.table.mapped_file import MappedFile
from archioc.core.table.table import LedgerAct, Rows
from archioc.core.void_view import as_void

SPOOL_COLUMNS = (*SPOOL_TOTALS, "told_spool_full")

Counts = npt.NDArray[np.void]
"""dtype COUNTS."""


class SpoolAccount:
    """Makes the bookings of commits and drops from the ledger block as it is."""

    def __init__(self, ledger: MappedFile) -> None:
        self._ledger = ledger

    def commit(self, booking: Booking, tally: Tally, *, with_file: bool) -> Booking:
        """The booking of a commit, completed; without a file its samples are dropped. Done again before it is applied it is the same."""
        draft = _Draft(self._ledger, booking, np.concatenate([tally.counts["row"], tally.losses["row"]]))
        if with_file:
            draft.add("committed", tally.counts)
            draft.add("told_spool_full", tally.losses)
        else:
            draft.add("dropped_spool_full", tally.counts)
        return draft.booking(booking.batch_id, LedgerAct.COMMIT_FILE if with_file else LedgerAct.COMMIT)

    def drop(self, batch_id: int, tally: Tally) -> Booking:
        """The booking of a batch taken out of the spool for good. The losses of which it told are untold again."""
        nothing = Booking(batch_id, np.zeros(0, np.int64), np.zeros(0, LEDGER), self._ledger.head.copy())
        draft = _Draft(self._ledger, nothing, np.concatenate([tally.counts["row"], tally.losses["row"]]))
        draft.adopt(tally.counts)
        draft.adopt(tally.losses)
        draft.add("committed", tally.counts, -1)
        draft.add("dropped_spool_full", tally.counts)
        draft.add("told_spool_full", tally.losses, -1)
        return draft.booking(batch_id, LedgerAct.DROP)

    def untold(self) -> Counts:
        """Samples that a full spool has dropped and no event in a committed batch tells of."""
        cells = self._ledger.cells
        missing = cells["dropped_spool_full"] - cells["told_spool_full"]
        rows = np.flatnonzero(missing > 0)
        found = np.zeros(len(rows), COUNTS)
        found["row"], found["generation"] = rows, cells["generation"][rows]
        found["samples"] = np.minimum(missing[rows], np.iinfo(np.uint32).max)
        return found


class _Draft:
    """Cells and head of a booking in the making."""

    def __init__(self, ledger: MappedFile, base: Booking, more_rows: Rows) -> None:
        self._ledger = ledger
        self._rows, self._cells = _with_rows(ledger, base, more_rows)
        self._head = base.head.copy()
        for name in SPOOL_TOTALS:
            self._head[name] = ledger.head[name]
        # a channel that is new in its row begins at zero
        kept = ledger.cells["generation"][self._rows] == self._cells["generation"]
        for name in SPOOL_COLUMNS:
            self._cells[name] = np.where(kept, ledger.cells[name][self._rows], 0)

    def adopt(self, counts: Counts) -> None:
        """Rows of which this boot has booked nothing yet speak of the channels of these counts."""
        at, there = self._find(counts)
        there = there[self._cells["generation"][at[there]] == 0]
        self._cells["generation"][at[there]] = counts["generation"][there]

    def add(self, column: str, counts: Counts, sign: int = 1) -> None:
        """Change a column by these counts; those of channels that have left are in the total only."""
        samples = counts["samples"].astype(np.int64) * sign
        if column in SPOOL_TOTALS:
            self._head[column] += samples.sum()
        at, there = self._find(counts)
        there = there[self._cells["generation"][at[there]] == counts["generation"][there]]
        self._cells[column][at[there]] += samples[there]

    def _find(self, counts: Counts) -> tuple[Rows, Rows]:
        """For each of the counts where its row is in the draft, and which of the counts have a row there."""
        if not len(self._rows):
            return np.zeros(len(counts), np.intp), np.zeros(0, np.intp)
        at = np.minimum(np.searchsorted(self._rows, counts["row"]), len(self._rows) - 1)
        return at, np.flatnonzero(self._rows[at] == counts["row"])

    def booking(self, batch_id: int, act: LedgerAct) -> Booking:
        self._head["act"] = act
        return Booking(batch_id, self._rows, self._cells, self._head)


def _with_rows(ledger: MappedFile, base: Booking, wanted: Rows) -> tuple[Rows, npt.NDArray[np.void]]:
    """Rows (sorted) and cells of a booking, with such of the ledger as it lacks."""
    wanted = wanted[wanted < len(ledger.cells)].astype(np.int64)
    at = np.minimum(np.searchsorted(base.rows, wanted), max(len(base.rows) - 1, 0))
    lacking = np.unique(wanted[base.rows[at] != wanted] if len(base.rows) else wanted)
    if not len(lacking):
        return base.rows, base.cells
    rows = np.concatenate([base.rows, lacking])
    order = np.argsort(rows)
    cells = np.concatenate([as_void(base.cells), as_void(ledger.cells)[lacking]])
    return rows[order], cells[order].view(LEDGER)
