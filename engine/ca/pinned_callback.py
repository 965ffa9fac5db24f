"""The event callback in pure Python: a ctypes function whose thread state is pinned.

CPython makes and destroys a thread state for every call that comes from a foreign thread, which
costs ten times what the call itself does. The first call on each of libca's threads takes the
thread state once more and never gives it back, so it stays.

Every size follows from the type and the shape in the user argument, never from the message; a message
of another type or another number of elements becomes a MISFIT, and none of its bytes is read.
"""

from __future__ import annotations

import ctypes
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from archioc.core.dbr import DBR_CTRL_OFFSET, DBR_TIME_OFFSET, Dbr
from archioc.engine.ca.libca import CONNECTION_UP, ChannelQueries, ConnectionHandlerArgs
from archioc.engine.ca.metadata import CTRL_BYTES
from archioc.engine.ca.ring import BODY_AT, BODY_STAMPED, IN_BULK, LARGE, OF_ARRAY, SLOT, EventKind, EventRing
from archioc.engine.ca.user_argument import ARRAY, ROW_MASK, SHAPE_MASK, TYPE_AT, TYPE_MASK

ECA_NORMAL, ECA_TOLARGE, ECA_BADTYPE = 1, 72, 114
"""Codes of `caerr.h`."""
TYPES = 7

_MOST_ELEMENTS = 0xFFFFFFFF
_CHANNEL_MASK = 0xFFFFFFFF << 32 | ROW_MASK
"""Generation and row of a user argument, as they lie in a slot."""

_ARGS = struct.Struct("PPllPi")
"""`EventHandlerArgs`, read in one go."""
_HEAD = struct.Struct("<qIIHBBI")
_NUMBER = struct.Struct("<qQHBBI24s")
"""A slot with the DBR_TIME_x of a number; row and generation are one number, as in the user argument."""
_BULK = struct.Struct("<IQ")
_EMPTY_BODY = bytes(SLOT.itemsize - BODY_AT)
_SIZE = (40, 2, 4, 2, 1, 4, 8)
"""Bytes of an element, by native DBR type."""
_VALUE_AT = (12, 14, 12, 14, 15, 12, 16)
"""Where the value begins in DBR_TIME_x, by native DBR type (`db_access.h`)."""
_NUMBER_AT = {
    native + DBR_TIME_OFFSET: (ctypes.c_char * (value_at + size)).from_address
    for native, value_at, size in zip(Dbr, _VALUE_AT, _SIZE, strict=True)
    if native is not Dbr.STRING
}
"""A whole DBR_TIME_x with one number at an address, by its DBR type; to read it so takes a quarter of the time of a call of memmove."""


class EventHandlerArgs(ctypes.Structure):
    """`struct event_handler_args` of `cadef.h`."""

    _fields_ = [
        ("usr", ctypes.c_void_p),
        ("chid", ctypes.c_void_p),
        ("type", ctypes.c_long),
        ("count", ctypes.c_long),
        ("dbr", ctypes.c_void_p),
        ("status", ctypes.c_int),
    ]


class PinnedCallback:
    """Writes what libca delivers into the ring.

    `function` is the C function to give to `ca_create_subscription` and `ca_array_get_callback`.
    """

    name = "pinned"

    def __init__(self, ring: EventRing) -> None:
        self._ring = ring
        self._pinned: set[int] = set()
        self._slots = ring.slots.view("u1").data
        self._slots_at = ring.slots.ctypes.data
        self._bulk_at = ring.bulk.ctypes.data
        self._cursors = ring.head.view("<u8").data
        self._lost = ring.lost.data
        self._n_slots, self._n_bulk = len(ring.slots), len(ring.bulk)
        self._for_arrays, self._largest = ring.free_for_arrays, ring.largest_array
        self.function: Any = ctypes.CFUNCTYPE(None, EventHandlerArgs)(self._event_function())

    def connection_function(self, queries: ChannelQueries) -> Any:
        """The C function for `ca_create_channel`. Whoever subscribes keeps what this returns."""

        def on_connection(args: ConnectionHandlerArgs) -> None:
            now = time.time_ns()
            if threading.get_ident() not in self._pinned:
                self._pin()
            user = queries.ca_puser(args.chid)
            if args.op == CONNECTION_UP:
                kind, dbr, count = EventKind.CONNECTED, queries.ca_field_type(args.chid), queries.ca_element_count(args.chid)
            else:
                kind, dbr, count = EventKind.DISCONNECTED, 0, 0
            self._put(now, user & ROW_MASK, user >> 32, dbr & 0xFFFF, kind, count & 0xFFFFFFFF, 0, 0, 0, 0)

        return ctypes.CFUNCTYPE(None, ConnectionHandlerArgs)(on_connection)

    def _event_function(self) -> Callable[[EventHandlerArgs], None]:
        """The callback. It writes numbers itself, with all names bound beforehand, because they are what comes most."""
        time_ns, get_ident, read_args, write_number, number_type = (
            time.time_ns, threading.get_ident, _ARGS.unpack_from, _NUMBER.pack_into, _NUMBER_AT.get,
        )  # fmt: skip
        pinned, cursors, slots, n_slots, slot_size = self._pinned, self._cursors, self._slots, self._n_slots, SLOT.itemsize
        update = int(EventKind.UPDATE)

        def on_event(args: EventHandlerArgs) -> None:
            now = time_ns()
            if get_ident() not in pinned:
                self._pin()
            usr, _, kind, count, source, status = read_args(args)
            shape = usr >> TYPE_AT & SHAPE_MASK
            number_at = number_type(shape)
            if number_at is None or kind != shape or count != 1 or not source or status != ECA_NORMAL:
                self._on_other(now, usr, kind, count, source, status)
                return
            write = cursors[0]
            if write - cursors[1] >= n_slots:
                self._overflow(usr & ROW_MASK)
                return
            write_number(slots, write % n_slots * slot_size, now, usr & _CHANNEL_MASK, kind, update, 0, 1, number_at(source).raw)
            cursors[0] = write + 1

        return on_event

    def _on_other(self, now: int, usr: int, kind: int, count: int, source: int, status: int) -> None:
        """An event that is not the update of a number."""
        row, generation, array = usr & ROW_MASK, usr >> 32, bool(usr & ARRAY)
        dbr = usr >> TYPE_AT & TYPE_MASK
        native = dbr - (DBR_CTRL_OFFSET if dbr >= DBR_CTRL_OFFSET else DBR_TIME_OFFSET)
        elements = count if 0 <= count <= _MOST_ELEMENTS else _MOST_ELEMENTS
        flags = OF_ARRAY if array else 0
        if not 0 <= native < TYPES:
            return  # nobody subscribes to such a type
        if not _fits(dbr, array, kind, count, source, status):
            sent = ctypes.c_uint16(kind & 0xFFFF)
            self._put(now, row, generation, dbr, EventKind.MISFIT, elements, ctypes.addressof(sent), 2, 0, 0, flags)
        elif status != ECA_NORMAL or not source:
            self._put(now, row, generation, dbr, EventKind.REFUSED, status & 0xFFFFFFFF, 0, 0, 0, 0)
        elif dbr >= DBR_CTRL_OFFSET:
            self._put(now, row, generation, dbr, EventKind.META, elements, 0, 0, source, CTRL_BYTES[native])
        else:  # an array or a string; the number of elements of an array is bounded by what the ring takes
            at, size = source + _VALUE_AT[native], _SIZE[native] * (elements if array else 1)
            self._put(now, row, generation, dbr, EventKind.UPDATE, elements, source, BODY_STAMPED, at, size, flags)

    def _pin(self) -> None:
        """Keep the thread state of the calling thread for good."""
        self._pinned.add(threading.get_ident())
        ctypes.pythonapi.PyGILState_Ensure()

    def _put(
        self,
        now: int,
        row: int,
        generation: int,
        dbr: int,
        kind: int,
        count: int,
        inline: int,
        n_inline: int,
        bulk: int,
        n_bulk: int,
        flags: int = 0,
    ) -> None:
        """One slot: `n_inline` bytes at address `inline` into its body, `n_bulk` bytes at `bulk` into the bulk area."""
        cursors = self._cursors
        write = cursors[0]
        if write - cursors[1] >= self._n_slots:
            self._overflow(row)
            return
        at = write % self._n_slots * SLOT.itemsize
        self._slots[at + BODY_AT : at + SLOT.itemsize] = _EMPTY_BODY
        if bulk:
            begin = cursors[2]
            room = (n_bulk + 7) & ~7
            limit = self._for_arrays if n_bulk > LARGE else self._n_bulk
            if n_bulk > self._largest:  # it can never be taken: a slot tells of it, so that it is not just lost again and again
                self._slots[at + BODY_AT : at + BODY_AT + 4] = count.to_bytes(4, "little")
                _HEAD.pack_into(self._slots, at, now, row, generation, dbr, EventKind.REFUSED, flags, ECA_TOLARGE)
                cursors[0] = write + 1
                return
            if begin + room - cursors[3] > limit:
                self._overflow(row)
                return
            first = min(n_bulk, self._n_bulk - begin % self._n_bulk)
            ctypes.memmove(self._bulk_at + begin % self._n_bulk, bulk, first)
            ctypes.memmove(self._bulk_at, bulk + first, n_bulk - first)
            flags |= IN_BULK
            cursors[2] = begin + room
            _BULK.pack_into(self._slots, at + BODY_AT + BODY_STAMPED, n_bulk, begin)
        if n_inline:
            ctypes.memmove(self._slots_at + at + BODY_AT, inline, n_inline)
        _HEAD.pack_into(self._slots, at, now, row, generation, dbr, kind, flags, count)
        cursors[0] = write + 1

    def _overflow(self, row: int) -> None:
        self._lost[row] = (self._lost[row] + 1) & 0xFFFFFFFF
        self._cursors[4] += 1


def _fits(dbr: int, array: bool, kind: int, count: int, source: int, status: int) -> bool:
    """Whether libca delivers what was subscribed to; messages that are too short for what they say come as ECA_BADTYPE."""
    if status == ECA_BADTYPE and kind != dbr:
        return False
    if status != ECA_NORMAL or not source:
        return True  # an answer without a value
    if kind != dbr:
        return False
    if dbr >= DBR_CTRL_OFFSET:
        return count in (0, 1)  # servers leave out the value of an empty array
    return array or count == 1
