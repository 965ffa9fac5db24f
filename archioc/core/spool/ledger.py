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
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import structlog

from archioc.core.spool.disk import Disk, OsDisk, write_file
from archioc.core.table.mapped_file import MappedFile
from archioc.core.table.table import Rows
from archioc.core.void_view import as_void

_log = structlog.get_logger()

_HEAD = struct.Struct("<8sqqqQ")
"""Magic, batch id, number of rows, bytes of the head, CRC-32 of head and row numbers. The cells are too many for a CRC of each commit."""

_MAGIC = b"ArchJrn2"


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
        head, rows = booking.head.tobytes(), np.ascontiguousarray(booking.rows, dtype="<i8").view("u1").data
        content = (
            _HEAD.pack(_MAGIC, booking.batch_id, len(booking.rows), len(head), zlib.crc32(rows, zlib.crc32(head))),
            head,
            rows,
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
        """What the journal announces, None when there is no journal, or none that can be right. Raises OSError.

        Without it, what was done last may be done once more: a store takes the same samples twice without harm.
        """
        try:
            raw = self._disk.read(self._journal)
        except FileNotFoundError:
            return None
        try:
            booking = self._parse(raw)
        except (ValueError, struct.error):
            booking = None
        if booking is None:
            _log.error("journal_damaged", file=str(self._journal), bytes=len(raw))
        return booking

    def _parse(self, raw: bytes) -> Booking | None:
        """None, ValueError and struct.error stand for a journal that is damaged."""
        magic, batch_id, n_rows, n_head, crc = _HEAD.unpack_from(raw)
        at = _HEAD.size
        promised = at + n_head + n_rows * (8 + self._block.cells.dtype.itemsize)
        if magic != _MAGIC or n_head != self._block.head.dtype.itemsize or n_rows < 0 or len(raw) != promised:
            return None
        if zlib.crc32(raw[at : at + n_head + 8 * n_rows]) != crc:
            return None
        head = np.frombuffer(raw, self._block.head.dtype, 1, at)
        at += n_head
        rows = np.frombuffer(raw, "<i8", n_rows, at)
        at += 8 * n_rows
        cells = np.frombuffer(raw, self._block.cells.dtype, n_rows, at)
        return Booking(batch_id, rows, cells, head)
