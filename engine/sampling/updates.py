"""Ring slots as columns: one row an update, no Python per update for numeric scalars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

from archioc.core.dbr import DBR_TIME_OFFSET, EPICS_EPOCH_S, Dbr
from archioc.core.spool.batch import NO_BLOB, Kind
from archioc.core.void_view import as_void
from archioc.engine.ca.ring import BODY_AT, IN_BULK, OF_ARRAY, SLOT, STAMPED, EventRing


def _slot_with(dtype: str, at: int) -> np.dtype[np.void]:
    return np.dtype({"names": ["value"], "formats": [dtype], "offsets": [BODY_AT + at], "itemsize": SLOT.itemsize})


_SLOT_OF = {
    Dbr.SHORT: _slot_with("<i2", 14),
    Dbr.FLOAT: _slot_with("<f4", 12),
    Dbr.ENUM: _slot_with("<u2", 14),
    Dbr.CHAR: _slot_with("u1", 15),
    Dbr.LONG: _slot_with("<i4", 12),
    Dbr.DOUBLE: _slot_with("<f8", 16),
}
"""A slot seen as the value of the DBR_TIME_x in it, by native type (`db_access.h`)."""

_KIND_OF = np.full(len(Dbr), Kind.NUMBER, "u1")
_KIND_OF[Dbr.ENUM] = Kind.ENUM

I8 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Updates:
    """What channels sent, in the order of arrival; all columns have shape (n,).

    row: row of the channel table (intp: numpy picks fastest by it). received: receive time, stamp: IOC time (ns since 1970 UTC).
    value: number or enum index, NaN for text and arrays. bits: equal for equal values, bit for bit
    (texts and arrays: length and CRC). blob: index into blobs, NO_BLOB for numbers. flags: batch.SampleFlag of what becomes of it.
    alarm: severity << 8 | status. dbr: native type. kind: batch.Kind. count: elements.
    """

    row: npt.NDArray[Any]
    received: I8
    stamp: I8
    value: npt.NDArray[np.float64]
    bits: npt.NDArray[np.uint64]
    alarm: npt.NDArray[np.uint16]
    dbr: npt.NDArray[np.uint8]
    kind: npt.NDArray[np.uint8]
    count: npt.NDArray[np.uint32]
    blob: npt.NDArray[np.int32]
    flags: npt.NDArray[np.uint8]
    blobs: list[bytes]

    def __len__(self) -> int:
        return len(self.row)

    def select(self, where: npt.NDArray[np.integer]) -> Updates:
        """Some of them, in the order of `where`."""
        return Updates(
            row=self.row[where],
            received=self.received[where],
            stamp=self.stamp[where],
            value=self.value[where],
            bits=self.bits[where],
            alarm=self.alarm[where],
            dbr=self.dbr[where],
            kind=self.kind[where],
            count=self.count[where],
            blob=self.blob[where],
            flags=self.flags[where],
            blobs=self.blobs,
        )


def newest_of_rows(row: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
    """Index of the last one of each row, in any order of rows."""
    from_end: npt.NDArray[np.intp] = np.unique(row[::-1], return_index=True)[1]
    return len(row) - 1 - from_end


def by_row(slots: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Slots sorted by row, and within a row in the order of arrival."""
    row = slots["row"].astype(np.intp)
    if (row[1:] >= row[:-1]).all():
        return slots
    return as_void(slots)[np.argsort(row, kind="stable")].view(SLOT)


def decode_updates(slots: npt.NDArray[np.void], ring: EventRing, as_text: npt.NDArray[np.bool_] | None = None) -> Updates:
    """Columns of slots that are all of kind UPDATE.

    as_text: of all rows, shape (rows,): whose arrays of characters are texts; none where it is left out.
    """
    stamped = slots.view(STAMPED)
    dbr = (slots["dbr"] - DBR_TIME_OFFSET).astype("u1")
    stamp = stamped["seconds"].astype("i8")
    stamp += EPICS_EPOCH_S
    stamp *= 1_000_000_000
    stamp += stamped["nanoseconds"]
    value = _scalars(slots, dbr)
    updates = Updates(
        row=slots["row"].astype(np.intp),
        received=slots["received"].copy(),
        stamp=stamp,
        value=value,
        bits=value.view("u8").copy(),
        alarm=(stamped["severity"] << 8 | stamped["status"] & 0xFF).astype("u2"),
        dbr=dbr,
        kind=_KIND_OF[dbr],
        count=slots["count"].copy(),
        blob=np.full(len(slots), NO_BLOB, "i4"),
        flags=np.zeros(len(slots), "u1"),
        blobs=[],
    )
    if slots["flags"].any():
        in_bulk = np.flatnonzero(slots["flags"] & IN_BULK)
        texts = (slots["flags"][in_bulk] & OF_ARRAY) == 0
        if as_text is not None:
            texts |= (dbr[in_bulk] == Dbr.CHAR) & as_text[updates.row[in_bulk]]
        _take_blobs(updates, slots, in_bulk, texts, ring)
    return updates


def _scalars(slots: npt.NDArray[np.void], dbr: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The numbers in the slots; NaN for strings, anything for what lies in the bulk area."""
    if (dbr == Dbr.DOUBLE).all():
        numbers: npt.NDArray[np.float64] = slots.view(_SLOT_OF[Dbr.DOUBLE])["value"].copy()
        return numbers
    value = np.full(len(slots), np.nan)
    with np.errstate(invalid="ignore"):  # a signalling NaN of a float is NaN
        for native in np.flatnonzero(np.bincount(dbr)).tolist():
            if native in _SLOT_OF:
                np.copyto(value, slots.view(_SLOT_OF[Dbr(native)])["value"], where=dbr == native)
    return value


def _take_blobs(
    updates: Updates, slots: npt.NDArray[np.void], in_bulk: npt.NDArray[np.intp], texts: npt.NDArray[np.bool_], ring: EventRing
) -> None:
    """Give the updates at these indices what lies in the bulk area. texts: which of them are texts; the others are arrays."""
    stamped = slots.view(STAMPED)[in_bulk]
    updates.value[in_bulk] = np.nan
    updates.kind[in_bulk] = np.where(texts, Kind.TEXT, Kind.ARRAY)
    updates.blob[in_bulk] = np.arange(len(in_bulk))
    pieces = zip(stamped["cursor"].tolist(), stamped["length"].tolist(), texts.tolist(), strict=True)
    for cursor, length, is_text in pieces:
        raw = ring.piece(cursor, length)
        updates.blobs.append(raw.split(b"\0", 1)[0] if is_text else raw)
    updates.bits[in_bulk] = [len(raw) << 32 | isal_zlib.crc32(raw) for raw in updates.blobs]
