"""Ring slots as columns: one row an update, no Python per update for numeric scalars."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.batch import NO_BLOB, Kind
from archioc.core.dbr import DBR_TIME_OFFSET, EPICS_EPOCH_S, Dbr
from engine.ring import IN_BULK, OF_ARRAY, EventRing

_SCALAR_AT = {
    Dbr.SHORT: (14, "<i2"),
    Dbr.FLOAT: (12, "<f4"),
    Dbr.ENUM: (14, "<u2"),
    Dbr.CHAR: (15, "u1"),
    Dbr.LONG: (12, "<i4"),
    Dbr.DOUBLE: (16, "<f8"),
}
"""Where the value of a DBR_TIME_x begins and its type, by native type."""

I8 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Updates:
    """What channels sent, in the order of arrival; all columns have shape (n,).

    row: row of the channel table. received: receive time, stamp: IOC time (ns since 1970 UTC).
    value: number or enum index, NaN for text and arrays. bits: equal for equal values, bit for bit
    (texts and arrays: length and CRC). blob: index into blobs, NO_BLOB for numbers.
    alarm: severity << 8 | status. dbr: native type. kind: batch.Kind. count: elements.
    """

    row: npt.NDArray[np.uint32]
    received: I8
    stamp: I8
    value: npt.NDArray[np.float64]
    bits: npt.NDArray[np.uint64]
    alarm: npt.NDArray[np.uint16]
    dbr: npt.NDArray[np.uint8]
    kind: npt.NDArray[np.uint8]
    count: npt.NDArray[np.uint32]
    blob: npt.NDArray[np.int32]
    blobs: list[bytes]

    def __len__(self) -> int:
        return len(self.row)

    def take(self, where: npt.NDArray[np.integer]) -> Updates:
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
            blobs=self.blobs,
        )


def decode_updates(slots: npt.NDArray[np.void], ring: EventRing) -> Updates:
    """Columns of slots that are all of kind UPDATE."""
    n = len(slots)
    body = np.ascontiguousarray(slots["body"]).view("u1").reshape(n, 24)
    dbr = (slots["dbr"] - DBR_TIME_OFFSET).astype("u1")
    head = body[:, :12].copy()
    alarms, seconds = head[:, :4].copy().view("<u2"), head[:, 4:].copy().view("<u4").astype("i8")
    in_bulk = (slots["flags"] & IN_BULK) != 0
    of_array = (slots["flags"] & OF_ARRAY) != 0
    value = np.full(n, np.nan)
    for native, (at, dtype) in _SCALAR_AT.items():
        where = np.flatnonzero((dbr == native) & ~in_bulk)
        if len(where):
            with np.errstate(invalid="ignore"):  # a signalling NaN of a float is NaN
                value[where] = body[where, at : at + np.dtype(dtype).itemsize].copy().view(dtype)[:, 0]
    bits = value.view("u8").copy()
    kind = np.where(dbr == Dbr.ENUM, Kind.ENUM, Kind.NUMBER).astype("u1")
    blob = np.full(n, NO_BLOB, "i4")
    blobs: list[bytes] = []
    for at in np.flatnonzero(in_bulk).tolist():
        raw = ring.piece(int(body[at, 16:24].copy().view("<u8")[0]), int(body[at, 12:16].copy().view("<u4")[0]))
        is_text = not of_array[at]
        if is_text:
            raw = raw.split(b"\0", 1)[0]
        kind[at] = Kind.TEXT if is_text else Kind.ARRAY
        bits[at] = len(raw) << 32 | zlib.crc32(raw)
        blob[at] = len(blobs)
        blobs.append(raw)
    return Updates(
        row=slots["row"].copy(),
        received=slots["received"].copy(),
        stamp=(seconds[:, 0] + EPICS_EPOCH_S) * 1_000_000_000 + seconds[:, 1],
        value=value,
        bits=bits,
        alarm=(alarms[:, 1] << 8 | alarms[:, 0] & 0xFF).astype("u2"),
        dbr=dbr,
        kind=kind,
        count=slots["count"].copy(),
        blob=blob,
        blobs=blobs,
    )
