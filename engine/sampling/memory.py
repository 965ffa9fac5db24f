"""What the engine must remember of each channel to go on sampling where it, or the one before it, was.

The same fields as a row of the ledger (`archioc.core.table.columns.LEDGER`), each as an array over all rows.
The engine changes these; a commit copies the touched rows into the ledger. What becomes of samples in
the spool (`archioc.engine.commit.spool_account`) is booked there and not known here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from archioc.core.table.columns import LEDGER, LEDGER_TOTALS
from archioc.core.table.table import Rows
from archioc.core.void_view import as_void

Column = npt.NDArray[Any]

_DENSE = (
    *("generation", "withheld", "seen", "last_stamp", "last_bits", "last_alarm", "last_time", "ring_lost"),
    *("alarm_told", "bad_stamp", "quota_base", "quota_lag"),
    *LEDGER_TOTALS,
)
"""Fields that each update reads, or that are searched as a whole: packed, so that a cache line holds eight rows of them or more.

The others lie together by row, so that a commit copies them in one go.
"""


class SamplerMemory:
    """One array of shape (rows,) for each field of LEDGER, and which rows changed since the last commit.

    used: rows that have, or had, a channel lie below this.
    untold: something may have been dropped of which no event has told yet.
    """

    generation: Column
    gap: Column
    withheld: Column
    seen: Column
    labelled: Column
    gap_start: Column
    received: Column
    generated: Column
    filtered: Column
    committed: Column
    dropped_overflow: Column
    dropped_spool_full: Column
    dropped_quota: Column
    late: Column
    bad_time: Column
    last_stamp: Column
    last_bits: Column
    last_alarm: Column
    w_severity: Column
    w_status: Column
    last_label: Column
    last_time: Column
    due: Column
    due_time: Column
    w_time: Column
    w_src_time: Column
    w_value: Column
    w_received: Column
    w_text: Column
    w_kind: Column
    w_dbr: Column
    w_flags: Column
    w_lost: Column
    band_value: Column
    band_alarm: Column
    band_known: Column
    alarm_told: Column
    bad_stamp: Column
    bad_told_at: Column
    quota_base: Column
    quota_lag: Column
    told_overflow: Column
    told_spool_full: Column
    told_quota: Column
    archived_at: Column
    ring_lost: Column

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.used = 0
        self._cells = np.zeros(rows, LEDGER)
        for name in LEDGER.names or ():
            if name != "pad":
                setattr(self, name, np.zeros(rows, LEDGER[name]) if name in _DENSE else self._cells[name])
        self.touched = np.zeros(rows, bool)
        self.untold = True
        self._departed = dict.fromkeys(LEDGER_TOTALS, 0)

    def use(self, rows: Rows) -> None:
        """These rows have channels from now on."""
        self.used = max(self.used, int(rows.max(initial=-1)) + 1)

    def load(self, cells: npt.NDArray[np.void], head: npt.NDArray[np.void]) -> None:
        """Take rows and totals over from the ledger. cells: its first rows, at least those in use."""
        self.used = len(cells)
        as_void(self._cells)[: self.used] = as_void(cells)
        for name in _DENSE:
            getattr(self, name)[: self.used] = cells[name]
        for name in LEDGER_TOTALS:
            self._departed[name] = int(head[name][0]) - int(getattr(self, name).sum())

    def count_dropped(self, name: str, rows: Rows, count: npt.NDArray[np.integer] | int) -> None:
        """Count so many as dropped. name: one of DROPS. rows: each once."""
        getattr(self, name)[rows] += count
        self.touched[rows] = True
        self.untold = True

    def total(self, name: str) -> int:
        """Sum of a counter over all channels there are and were."""
        return int(getattr(self, name)[: self.used].sum()) + self._departed[name]

    def forget(self, rows: Rows, generations: npt.NDArray[np.integer]) -> None:
        """Begin channels of these generations in these rows, with everything at zero."""
        for name in LEDGER_TOTALS:
            self._departed[name] += int(getattr(self, name)[rows].sum())
        self._cells[rows] = np.zeros((), LEDGER)
        for name in _DENSE:
            if name != "ring_lost":  # the ring counts for the row, whoever has it
                getattr(self, name)[rows] = 0
        self.generation[rows] = generations
        self.touched[rows] = True
        self.use(rows)

    def cells(self, rows: Rows) -> npt.NDArray[np.void]:
        """Ledger rows with the present content."""
        out: npt.NDArray[np.void] = as_void(self._cells)[rows].view(LEDGER)
        for name in _DENSE:
            out[name] = getattr(self, name)[rows]
        return out

    def pop_touched(self) -> Rows:
        """The rows changed since this was last called."""
        rows = np.flatnonzero(self.touched)
        self.touched[rows] = False
        return rows
