"""Bookkeeping that a kill at any moment neither loses nor doubles.

A block of the channel table (`ledger` of the engine, `delivery` of the writer) is changed only
through a journal: the new content of the touched rows and of the head goes into a file of the run
directory, then the act that it belongs to is done (a spool file is published, a store has
acknowledged), then the rows are written. Whoever takes up after a kill reads the journal and, when
the act was done, writes the rows again; they are absolute values, so twice is as good as once.

The journal guards against a killed process, and needs no fsync for that: after a reboot the table is
gone as a whole.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.spool.disk import Disk, OsDisk, write_file
from archioc.core.table.mapped_file import MappedFile
from archioc.core.table.table import Rows
from archioc.core.void_view import as_void

_HEAD = struct.Struct("<8sqqq")
_MAGIC = b"ArchJrn1"


@dataclass(frozen=True, slots=True, eq=False)
class Booking:
    """New content of a block, for the act named by `batch_id`.

    rows: row numbers, shape (n,); cells: their new content, shape (n,), dtype of the block;
    head: the block's new head fields, shape (1,).
    """

    batch_id: int
    rows: Rows
    cells: npt.NDArray[np.void]
    head: npt.NDArray[np.void]


class Ledger:
    """One journaled block of the table. One thread of one process owns it."""

    def __init__(self, block: MappedFile, disk: Disk | None = None) -> None:
        self._block = block
        self._disk: Disk = disk or OsDisk()
        self._journal = block.path.with_suffix(".journal")

    def announce(self, booking: Booking) -> None:
        """Write the journal, before the act. Raises OSError."""
        scratch = self._journal.with_suffix(".journal.new")
        content = (
            _HEAD.pack(_MAGIC, booking.batch_id, len(booking.rows), booking.head.itemsize),
            booking.head.tobytes(),
            np.ascontiguousarray(booking.rows, dtype="<i8").view("u1").data,
            np.ascontiguousarray(booking.cells).view("u1").data,
        )
        write_file(self._disk, scratch, content, durable=False)
        self._disk.rename(scratch, self._journal)

    def withdraw(self) -> None:
        """Forget what was announced: the act has not been done and will not be. Raises OSError."""
        self._disk.unlink(self._journal)

    def apply(self, booking: Booking, head_fields: tuple[str, ...]) -> None:
        """Write the rows and the named head fields, after the act."""
        as_void(self._block.cells)[booking.rows] = as_void(booking.cells)
        for name in head_fields:
            self._block.head[name] = booking.head[name]

    def unfinished(self) -> Booking | None:
        """What the journal announces, None when there is no journal. Raises OSError."""
        try:
            raw = self._disk.read(self._journal)
        except FileNotFoundError:
            return None
        _, batch_id, n_rows, n_head = _HEAD.unpack_from(raw)
        at = _HEAD.size
        head = np.frombuffer(raw, self._block.head.dtype, 1, at)
        at += n_head
        rows = np.frombuffer(raw, "<i8", n_rows, at)
        at += 8 * n_rows
        cells = np.frombuffer(raw, self._block.cells.dtype, n_rows, at)
        return Booking(batch_id, rows, cells, head)
