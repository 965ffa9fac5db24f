"""The event ring: what Channel Access delivered and no spool file holds yet.

Two mapped files: slots of fixed size, one an event, and a bulk area for what does not fit into a
slot (texts, arrays, metadata). One thread at a time writes (libca runs its callbacks one after the
other); one thread reads. Cursors count from the ring's creation and never go back:

    read (committed)  <=  drained (engine's memory only)  <=  write

A slot is given back only when the batch made from it is committed, so a killed engine's successor
finds every event that was not.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archioc.core.errors import RunDirError
from archioc.core.table.mapped_file import MappedFile
from archioc.core.void_view import as_void

VERSION = 2

HEAD = np.dtype(
    [
        ("write_slot", "<u8"),
        ("read_slot", "<u8"),
        ("write_bulk", "<u8"),
        ("read_bulk", "<u8"),
        ("lost", "<u8"),  # events that found the ring full
    ]
)
SLOT = np.dtype(
    [
        ("received", "<i8"),  # ns since 1970, when the callback ran
        ("row", "<u4"),
        ("generation", "<u4"),
        ("dbr", "<u2"),  # DBR type that was subscribed to; of CONNECTED the native type
        ("kind", "u1"),  # EventKind
        ("flags", "u1"),  # IN_BULK, OF_ARRAY
        ("count", "<u4"),  # elements, as the message named them; the ECA code of a REFUSED
        ("body", "V24"),  # DBR_TIME_x of a scalar; or its first 12 bytes, length u4, bulk cursor u8
    ]
)
"""One event; 48 bytes."""

BODY_AT = 24
BODY_STAMPED = 12
"""Bytes of a DBR_TIME_x before its value: status, severity, seconds, nanoseconds."""

STAMPED = np.dtype(
    {
        "names": ["status", "severity", "seconds", "nanoseconds", "length", "cursor"],
        "formats": ["<u2", "<u2", "<u4", "<u4", "<u4", "<u8"],
        "offsets": [BODY_AT, BODY_AT + 2, BODY_AT + 4, BODY_AT + 8, BODY_AT + 12, BODY_AT + 16],
        "itemsize": SLOT.itemsize,
    }
)
"""A slot seen as what its body begins with: alarm, time since the EPICS epoch; length and cursor of a value in the bulk area."""

MISFITTING = np.dtype({"names": ["sent"], "formats": ["<u2"], "offsets": [BODY_AT], "itemsize": SLOT.itemsize})
"""A slot of kind MISFIT: the DBR type that the message named. `dbr` of the slot is the type that was subscribed to."""

TOO_LARGE = np.dtype({"names": ["elements"], "formats": ["<u4"], "offsets": [BODY_AT], "itemsize": SLOT.itemsize})
"""A slot that tells of an array beyond what the ring can ever take: REFUSED with ECA_TOLARGE, and the array's number of elements."""

IN_BULK = 1
"""Slot flag: the value lies in the bulk area."""

OF_ARRAY = 2
"""Slot flag: the channel is an array, even if it has one element just now."""


LARGE = 1024
"""Bytes; what is longer leaves the last eighth of the bulk area to texts and metadata, so that arrays never crowd these out."""


class EventKind(IntEnum):
    """What a slot tells.

    REFUSED: there is no value, and an ECA code says why. MISFIT: a message has another type or another number of elements
    than was subscribed to, or fewer bytes than it says; none of them was read.
    """

    UPDATE = 0
    CONNECTED = 1
    DISCONNECTED = 2
    META = 3
    REFUSED = 4
    MISFIT = 5


def shape_of(ring_bytes: int) -> tuple[int, int]:
    """Slots (a power of two) and bulk bytes that share `ring_bytes` at about 4 to 1."""
    slots = 1 << max(10, int(ring_bytes * 0.8 / SLOT.itemsize).bit_length() - 1)
    return slots, max(1 << 18, ring_bytes - slots * SLOT.itemsize) // 8 * 8


class EventRing:
    """The ring in a run directory. See the module for who may call what."""

    def __init__(self, path: Path) -> None:
        self._slots = MappedFile(path, b"ArchRng", VERSION, HEAD, SLOT)
        self._bulk = MappedFile(path.with_name(path.name + ".bulk"), b"ArchBlk", VERSION, np.dtype([("unused", "u1")]), np.dtype("V8"))
        self._lost = MappedFile(path.with_name(path.name + ".lost"), b"ArchLst", VERSION, np.dtype([("unused", "u1")]), np.dtype("V4"))
        self.drained = 0
        self.largest: int | None = None
        """Bytes of the largest array that is wanted, for the callback made next; None: all that fit."""

    def create(self, ring_bytes: int, rows: int) -> None:
        """Make an empty ring, with memory behind every byte. Raises RunDirError when there is not enough."""
        slots, bulk = shape_of(ring_bytes)
        try:
            for file, cells in ((self._slots, slots), (self._bulk, bulk // 8), (self._lost, rows)):
                file.create(cells)
                file.reserve(cells)
        except OSError as error:
            raise RunDirError(f"{self._slots.path}: no room for a ring of {ring_bytes} bytes: {error.strerror}") from None
        self.open()

    def open(self) -> None:
        """Map an existing ring. Raises RunDirError."""
        for file in (self._slots, self._bulk, self._lost):
            file.open()
        self.drained = int(self._slots.head["read_slot"][0])

    def close(self) -> None:
        """Let go of the mappings."""
        for file in (self._slots, self._bulk, self._lost):
            file.close()

    # -- for the callback ----------------------------------------------------------------------

    @property
    def head(self) -> npt.NDArray[np.void]:
        """Cursors, shape (1,), dtype HEAD."""
        return self._slots.head

    @property
    def slots(self) -> npt.NDArray[np.void]:
        """All slots, dtype SLOT; cursor modulo length is the index."""
        return self._slots.cells

    @property
    def bulk(self) -> npt.NDArray[np.uint8]:
        """The bulk area as bytes; cursor modulo length is the index, and a piece goes on at the start where it meets the end."""
        return self._bulk.cells.view("u1")

    @property
    def free_for_arrays(self) -> int:
        """Bytes of the bulk area that pieces longer than LARGE may take together."""
        return len(self.bulk) - len(self.bulk) // 8

    @property
    def largest_array(self) -> int:
        """Bytes of the longest piece that is taken; a longer one is told as REFUSED with ECA_TOLARGE."""
        return min(self.free_for_arrays, self.largest or self.free_for_arrays)

    @property
    def lost(self) -> npt.NDArray[np.uint32]:
        """Per row: events that found the ring full; only ever counted up (modulo 2**32)."""
        return self._lost.cells.view("<u4")

    # -- for the reader ------------------------------------------------------------------------

    def drain(self, at_most: int) -> npt.NDArray[np.void]:
        """A copy of the next events (shape (n,), dtype SLOT), n <= at_most. They stay until `release`."""
        written = int(self.head["write_slot"][0])
        size = len(self.slots)
        count = min(written - self.drained, at_most)
        start = self.drained % size
        first = min(count, size - start)
        slots = as_void(self.slots)
        out = np.concatenate([slots[start : start + first], slots[: count - first]])
        self.drained += count
        return out.view(SLOT)

    def piece(self, cursor: int, length: int) -> bytes:
        """A copy of `length` bytes of the bulk area."""
        bulk = self.bulk
        start = cursor % len(bulk)
        found = bulk[start : start + length].tobytes()
        return found if len(found) == length else found + bulk[: length - len(found)].tobytes()

    def release(self, slot_cursor: int, bulk_cursor: int) -> None:
        """Give the space before these cursors back to the callback: it is committed."""
        self.head["read_bulk"] = bulk_cursor
        self.head["read_slot"] = slot_cursor

    def rewind(self, slot_cursor: int, bulk_cursor: int) -> None:
        """Start reading at what is not committed (after a restart)."""
        self.release(slot_cursor, bulk_cursor)
        self.drained = slot_cursor

    @property
    def crowded(self) -> bool:
        """Arrays and texts fill more than half of the bulk area: a commit would make room."""
        head = self.head[0]
        return 2 * (int(head["write_bulk"]) - int(head["read_bulk"])) > len(self.bulk)

    @property
    def fill(self) -> float:
        """Part of the slots in use, 0 to 1."""
        head = self.head[0]
        return float(int(head["write_slot"]) - int(head["read_slot"])) / len(self.slots)


def bulk_end(slots: npt.NDArray[np.void], before: int) -> int:
    """Bulk cursor behind the pieces of these slots; `before` when none of them has one."""
    flags = slots["flags"]
    if not flags.any():  # numbers only
        return before
    where = np.flatnonzero(flags & IN_BULK)
    if not len(where):
        return before
    last = slots.view(STAMPED)[where[-1]]
    return int(last["cursor"]) + (int(last["length"]) + 7) // 8 * 8
