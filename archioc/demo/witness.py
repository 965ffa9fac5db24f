"""`python -m archioc.demo.witness PARENT NAMES OUTPUT [log|value]`: an independent CA client that writes down every update.

NAMES is a file with a channel on each line; OUTPUT gets a line for each update (`archioc.demo.updates`). The mask is that of
an archiver (DBE_LOG | DBE_ALARM) or, with `value`, DBE_VALUE | DBE_ALARM. It shares no code with the engine that it is to witness: own
subscription, own decoding of what libca hands over, exact nanoseconds and the raw numbers of severity and status.
It runs until SIGTERM, SIGINT or the end of the process PARENT, and then has written all that libca delivered before.
"""

from __future__ import annotations

import ctypes
import signal
import struct
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any, ClassVar, TextIO

import numpy as np
from epics import ca

from archioc.core.process import stop_with_parent
from archioc.demo.updates import Update

_EPICS_EPOCH_S = 631_152_000
_DBE = {"value": 1 | 4, "log": 2 | 4}
_ECA_NORMAL = 1
_DRAIN_S = 0.05

_HEADER = struct.Struct("<hhII")
"""status, severity, seconds since 1990, nanoseconds: how each DBR_TIME_* structure begins."""

_TIME_TYPES: dict[int, tuple[str, int, np.dtype[Any]]] = {
    14: ("DBR_TIME_STRING", 12, np.dtype("S40")),
    15: ("DBR_TIME_SHORT", 14, np.dtype("<i2")),
    16: ("DBR_TIME_FLOAT", 12, np.dtype("<f4")),
    17: ("DBR_TIME_ENUM", 14, np.dtype("<u2")),
    18: ("DBR_TIME_CHAR", 15, np.dtype("u1")),
    19: ("DBR_TIME_LONG", 12, np.dtype("<i4")),
    20: ("DBR_TIME_DOUBLE", 16, np.dtype("<f8")),
}
"""Name, offset of the value and type of an element (db_access.h)."""


class _EventHandlerArgs(ctypes.Structure):
    _fields_: ClassVar = [
        ("usr", ctypes.c_void_p),
        ("chid", ctypes.c_void_p),
        ("type", ctypes.c_long),
        ("count", ctypes.c_long),
        ("dbr", ctypes.c_void_p),
        ("status", ctypes.c_int),
    ]


class Witness:
    """Subscribes to channels as they connect, and writes their updates."""

    def __init__(self, names: list[str], mask: int, output: TextIO) -> None:
        self._names, self._mask, self._output = names, mask, output
        self._events: deque[tuple[int, int, int, int, bytes]] = deque()
        self._connected: deque[int] = deque()
        self._wanted: dict[int, tuple[int, int]] = {}  # DBR type and most elements, by row
        self._subscribed: dict[int, tuple[tuple[int, int], ctypes.c_void_p]] = {}
        self._callback = ctypes.CFUNCTYPE(None, _EventHandlerArgs)(self._on_event)
        self._chids = [
            ca.create_channel(name, callback=lambda row=row, conn=False, **_: self._on_connection(row, conn))
            for row, name in enumerate(names)
        ]
        ca.flush_io()

    def work(self) -> None:
        """Subscribe to what has connected and write what has arrived."""
        while self._connected:
            self._subscribe(self._connected.popleft())
        while self._events:
            self._output.write(self._decode(*self._events.popleft()).to_line())
        self._output.flush()

    def close(self) -> None:
        """End the subscriptions; after this nothing more arrives."""
        for _, subscription in self._subscribed.values():
            ca.libca.ca_clear_subscription(subscription)
        ca.flush_io()
        ca.finalize_libca()
        self._connected.clear()
        self.work()

    def _on_connection(self, row: int, connected: bool) -> None:
        if connected:
            self._connected.append(row)

    def _on_event(self, args: _EventHandlerArgs) -> None:
        received_ns = time.time_ns()
        if args.status == _ECA_NORMAL and args.dbr and self._asked_for(args):
            _, offset, element = _TIME_TYPES[args.type]
            body = ctypes.string_at(args.dbr, offset + args.count * element.itemsize)
            self._events.append((args.usr - 1, args.type, args.count, received_ns, body))

    def _asked_for(self, args: _EventHandlerArgs) -> bool:
        """Whether a value has the type that was subscribed to, and no more elements than the channel."""
        dbr, most = self._wanted[args.usr - 1]
        return bool(args.type == dbr and 0 <= args.count <= most)

    def _subscribe(self, row: int) -> None:
        """Subscribe once; anew when the channel has come back with another type or size (libca keeps the old one)."""
        chid = ctypes.c_void_p(getattr(self._chids[row], "value", self._chids[row]))
        kind = (ca.field_type(self._chids[row]), ca.element_count(self._chids[row]))
        if row in self._subscribed:
            known, old = self._subscribed[row]
            if known == kind:
                return
            ca.libca.ca_clear_subscription(old)
        subscription = ctypes.c_void_p()
        # User arguments begin at 1, since ctypes hands 0 over as None. Count 0 of an array asks for its present length.
        count = 1 if kind[1] == 1 else 0
        self._wanted[row] = (kind[0] + 14, kind[1])
        status = ca.libca.ca_create_subscription(
            kind[0] + 14,
            ctypes.c_ulong(count),
            chid,
            ctypes.c_long(self._mask),
            self._callback,
            ctypes.c_void_p(row + 1),
            ctypes.byref(subscription),
        )
        if status != _ECA_NORMAL:
            raise OSError(f"{self._names[row]}: ca_create_subscription gave {ca.message(status)}")
        ca.flush_io()
        self._subscribed[row] = (kind, subscription)

    def _decode(self, row: int, time_type: int, count: int, received_ns: int, body: bytes) -> Update:
        name, offset, element = _TIME_TYPES[time_type]
        status, severity, seconds, nanoseconds = _HEADER.unpack_from(body)
        values = [_plain(one) for one in np.frombuffer(body, element, count, offset).tolist()]
        is_scalar = self._subscribed[row][0][1] == 1
        return Update(
            channel=self._names[row],
            dbr_type=name,
            time_ns=(seconds + _EPICS_EPOCH_S) * 1_000_000_000 + nanoseconds,
            value=values[0] if is_scalar else values,
            severity=severity,
            status=status,
            received_ns=received_ns,
        )


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.partition(b"\0")[0].decode(errors="surrogateescape")
    return value


def main(parent: int, names_file: str, output_file: str, mask: str = "log") -> None:
    stop = False

    def on_signal(*_: object) -> None:
        nonlocal stop
        stop = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    stop_with_parent(parent)
    names = Path(names_file).read_text().split()
    with Path(output_file).open("w") as output:
        witness = Witness(names, _DBE[mask], output)
        print(f"watching {len(names)} channels", flush=True)  # noqa: T201 - tells the parent that it may go on
        while not stop:
            witness.work()
            time.sleep(_DRAIN_S)
        witness.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:5])
