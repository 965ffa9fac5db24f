"""What libca would deliver: DBR_TIME_x and DBR_CTRL_x in memory, handed to the callback through ctypes."""

from __future__ import annotations

import ctypes
import struct
import threading
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from archioc.core.dbr import DBR_TIME_OFFSET, ELEMENT_DTYPE, EPICS_EPOCH_S, Dbr
from archioc.engine.ca.channel_access import EventCallback
from archioc.engine.ca.libca import CONNECTION_UP, ConnectionHandlerArgs
from archioc.engine.ca.pinned_callback import ECA_NORMAL, EventHandlerArgs
from archioc.engine.ca.user_argument import user_argument

PADDING = {Dbr.STRING: 0, Dbr.SHORT: 2, Dbr.FLOAT: 0, Dbr.ENUM: 2, Dbr.CHAR: 3, Dbr.LONG: 0, Dbr.DOUBLE: 4}
"""Bytes between the time stamp and the value (`db_access.h`)."""

_FUNCTION = ctypes.CFUNCTYPE(None, EventHandlerArgs)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One update as libca delivers it. elements: the value, little endian, one element after the other."""

    row: int
    native: Dbr
    array: bool
    elements: bytes
    stamp: int = EPICS_EPOCH_S * 1_000_000_000
    severity: int = 0
    status: int = 0
    generation: int = 1

    @property
    def count(self) -> int:
        """Number of elements."""
        return len(self.elements) // ELEMENT_DTYPE[self.native].itemsize

    @property
    def memory(self) -> bytes:
        """The DBR_TIME_x."""
        seconds, nanoseconds = divmod(self.stamp, 1_000_000_000)
        head = struct.pack("<hhII", self.status, self.severity, seconds - EPICS_EPOCH_S, nanoseconds)
        return head + bytes(PADDING[self.native]) + self.elements

    @property
    def number(self) -> float:
        """The value of a numeric scalar."""
        return float(np.frombuffer(self.elements, ELEMENT_DTYPE[self.native])[0])


def hand_over(callback: EventCallback, one: Delivery) -> None:
    """Call the C function for this update."""
    call(callback, one.row, one.generation, one.array, one.native + DBR_TIME_OFFSET, one.count, one.memory)


def call(
    callback: EventCallback,
    row: int,
    generation: int,
    array: bool,
    dbr: int,
    count: int,
    memory: bytes | None,
    status: int = ECA_NORMAL,
    subscribed: int | None = None,
) -> None:
    """Call the C function with these arguments. subscribed: the DBR type that was subscribed to, where that is another one."""
    buffer = ctypes.create_string_buffer(memory, len(memory)) if memory is not None else None
    address = ctypes.addressof(buffer) if buffer is not None else None
    user = user_argument(row, generation, array, dbr if subscribed is None else subscribed)
    call_at(callback, user, dbr, count, address, status)


def call_at(callback: EventCallback, user: ctypes.c_void_p, dbr: int, count: int, address: int | None, status: int = ECA_NORMAL) -> None:
    """Call the C function with this user argument, for a message at an address."""
    function = ctypes.cast(callback.function, ctypes.c_void_p).value
    assert function is not None
    _FUNCTION(function)(EventHandlerArgs(user.value, None, dbr, count, address, status))


def connect(callback: EventCallback, row: int, generation: int, up: bool, dbr: int = 0, count: int = 0) -> None:
    """Tell that a channel came, with this native type and number of elements, or went."""
    libca = _OneChannel(user_argument(row, generation, array=False, dbr=0).value, dbr, count)
    keep = callback.connection_function(libca)
    function = ctypes.cast(keep, ctypes.c_void_p).value
    assert function is not None
    ctypes.CFUNCTYPE(None, ConnectionHandlerArgs)(function)(ConnectionHandlerArgs(None, CONNECTION_UP if up else CONNECTION_UP + 1))


class _OneChannel:
    """C functions that answer for this channel."""

    def __init__(self, user: int | None, dbr: int, count: int) -> None:
        self.ca_puser = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: user)
        self.ca_field_type = ctypes.CFUNCTYPE(ctypes.c_short, ctypes.c_void_p)(lambda _: dbr)
        self.ca_element_count = ctypes.CFUNCTYPE(ctypes.c_ulong, ctypes.c_void_p)(lambda _: count)


def hand_all_over(callback: EventCallback, deliveries: list[Delivery]) -> None:
    """Hand all over from this thread."""
    for one in deliveries:
        hand_over(callback, one)


def in_a_thread(callback: EventCallback, deliveries: list[Delivery]) -> None:
    """Hand all over from one foreign thread, as libca does."""
    thread = threading.Thread(target=hand_all_over, args=(callback, deliveries))
    thread.start()
    thread.join(10.0)
    assert not thread.is_alive()


@st.composite
def deliveries(draw: st.DrawFn, rows: int = 4, most_elements: int = 30) -> Delivery:
    """Any update of any type, scalar or array."""
    native, array = draw(st.sampled_from(Dbr)), draw(st.booleans())
    count = draw(st.integers(0, most_elements)) if array else 1
    size = count * ELEMENT_DTYPE[native].itemsize
    return Delivery(
        row=draw(st.integers(0, rows - 1)),
        native=native,
        array=array,
        elements=draw(st.binary(min_size=size, max_size=size)),
        stamp=draw(st.integers(EPICS_EPOCH_S * 1_000_000_000, (EPICS_EPOCH_S + 2**32 - 1) * 1_000_000_000)),
        severity=draw(st.integers(0, 3)),
        status=draw(st.integers(0, 21)),
        generation=draw(st.integers(1, 2**32 - 1)),
    )
