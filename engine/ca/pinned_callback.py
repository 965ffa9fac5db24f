"""The event callback in pure Python: a ctypes function whose thread state is pinned.

CPython makes and destroys a thread state for every call that comes from a foreign thread, which
costs ten times what the call itself does. The first call on each of libca's threads takes the
thread state once more and never gives it back, so it stays.

User argument of a subscription, 64 bits: generation << 32 | ARRAY << 31 | row. It is never 0,
since generations start at 1 (ctypes would hand 0 over as None).
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
from archioc.engine.ca.ring import BODY_AT, BODY_STAMPED, IN_BULK, LARGE, OF_ARRAY, SLOT, EventKind, EventRing

ARRAY = 1 << 31
ROW_MASK = ARRAY - 1
ECA_NORMAL, ECA_TOLARGE = 1, 72
"""Codes of `caerr.h`."""
TYPES = 7

_ARGS = struct.Struct("PPllPi")
"""`EventHandlerArgs`, read in one go."""
_HEAD = struct.Struct("<qIIHBBI")
_NUMBER = struct.Struct("<qQHBBI24s")
"""A slot with the DBR_TIME_x of a number; row and generation lie in it as they do in the user argument."""
_BULK = struct.Struct("<IQ")
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
_CTRL_SIZE = (44, 30, 52, 424, 22, 48, 88)
"""Bytes of DBR_CTRL_x with one element; a string has only DBR_STS_STRING."""


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

    def user_argument(self, row: int, generation: int, array: bool) -> ctypes.c_void_p:
        """What to subscribe with, so that events name their channel."""
        return ctypes.c_void_p(generation << 32 | (ARRAY if array else 0) | row)

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
            number_at = number_type(kind)
            if number_at is None or count != 1 or usr & ARRAY or not source or status != ECA_NORMAL:
                self._on_other(now, usr, kind, count, source, status)
                return
            write = cursors[0]
            if write - cursors[1] >= n_slots:
                self._overflow(usr & ROW_MASK)
                return
            write_number(slots, write % n_slots * slot_size, now, usr, kind, update, 0, 1, number_at(source).raw)
            cursors[0] = write + 1

        return on_event

    def _on_other(self, now: int, usr: int, kind: int, count: int, source: int, status: int) -> None:
        """An event that is not the update of a number."""
        row, generation = usr & ROW_MASK, usr >> 32
        native = kind - DBR_TIME_OFFSET
        if status != ECA_NORMAL or not source or not (0 <= native < TYPES or 0 <= kind - DBR_CTRL_OFFSET < TYPES):
            self._put(now, row, generation, kind, EventKind.REFUSED, status, 0, 0, 0, 0)
        elif native >= TYPES:
            self._put(now, row, generation, kind, EventKind.META, count, 0, 0, source, _CTRL_SIZE[kind - DBR_CTRL_OFFSET])
        else:
            value_at, size = _VALUE_AT[native], _SIZE[native] * count
            if usr & ARRAY:
                self._put(now, row, generation, kind, EventKind.UPDATE, count, source, BODY_STAMPED, source + value_at, size, OF_ARRAY)
            elif native == 0:
                self._put(now, row, generation, kind, EventKind.UPDATE, count, source, BODY_STAMPED, source + value_at, size)
            else:
                self._put(now, row, generation, kind, EventKind.UPDATE, count, source, value_at + size, 0, 0)

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
        if bulk:
            begin = cursors[2]
            room = (n_bulk + 7) & ~7
            limit = self._for_arrays if n_bulk > LARGE else self._n_bulk
            if n_bulk > self._largest:  # it can never be taken: a slot tells of it, so that it is not just lost again and again
                elements = count.to_bytes(4, "little")
                self._slots[at + BODY_AT : at + SLOT.itemsize] = elements.ljust(SLOT.itemsize - BODY_AT, b"\0")
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
