"""`python -m tests.processes.raw_witness_program PARENT NAMES OUTPUT CAPACITY`: every update of counters, as libca hands it over.

For rates at which the witness of the demo is too slow: a ctypes callback whose thread state is pinned puts 40 bytes for each update into a
mapped file (`RECORD` of `tests.processes.raw_witness`) and does nothing else. It runs until SIGTERM or the end of the process PARENT.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from epics import ca

from archioc.core.process import StopSignal, stop_with_parent

_DBR_TIME_DOUBLE, _BYTES = 20, 24
_DBE_LOG_ALARM = 2 | 4
_ECA_NORMAL = 1
_CS_CONN = 2
_CONNECT_S = 60.0
_RECORD = struct.Struct("<qQ24s")


class _EventHandlerArgs(ctypes.Structure):
    _fields_: ClassVar = [
        ("usr", ctypes.c_void_p),
        ("chid", ctypes.c_void_p),
        ("type", ctypes.c_long),
        ("count", ctypes.c_long),
        ("dbr", ctypes.c_void_p),
        ("status", ctypes.c_int),
    ]


def main(parent: int, names_file: str, output_file: str, capacity: int) -> None:
    stop = StopSignal()
    stop.install()
    stop_with_parent(parent)
    sys.setswitchinterval(0.0005)
    names = Path(names_file).read_text().split()
    with Path(output_file).open("w+b") as output:
        output.truncate(capacity * _RECORD.size)
        room = mmap.mmap(output.fileno(), 0)
        position = [0]
        callback = ctypes.CFUNCTYPE(None, _EventHandlerArgs)(_recorder(room, position))
        ca.AUTO_CLEANUP = False
        _subscribe(_connected(names), callback)
        print(f"watching {len(names)} channels", flush=True)
        while not stop.wait(0.1):
            pass
        ca.finalize_libca()
        room.close()
        output.truncate(position[0])


def _recorder(room: mmap.mmap, position: list[int]) -> Callable[[Any], None]:
    pinned: set[int] = set()

    def on_event(args: Any) -> None:
        now = time.time_ns()
        if threading.get_ident() not in pinned:
            pinned.add(threading.get_ident())
            ctypes.pythonapi.PyGILState_Ensure()
        if args.status == _ECA_NORMAL and args.dbr:
            at = position[0]
            _RECORD.pack_into(room, at, now, args.usr - 1, ctypes.string_at(args.dbr, _BYTES))
            position[0] = at + _RECORD.size

    return on_event


def _connected(names: list[str]) -> list[ctypes.c_void_p]:
    channels = [ctypes.c_void_p(ca.create_channel(name, connect=False, auto_cb=False).value) for name in names]
    ca.flush_io()
    deadline = time.monotonic() + _CONNECT_S
    while not all(ca.libca.ca_state(channel) == _CS_CONN for channel in channels):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all of {len(names)} channels are connected after {_CONNECT_S:g} s")
        time.sleep(0.05)
    return channels


def _subscribe(channels: list[ctypes.c_void_p], callback: Any) -> None:
    for row, channel in enumerate(channels):
        handle, user = ctypes.c_void_p(), ctypes.c_void_p(row + 1)  # ctypes hands 0 over as None
        status = ca.libca.ca_create_subscription(
            _DBR_TIME_DOUBLE, ctypes.c_ulong(1), channel, ctypes.c_long(_DBE_LOG_ALARM), callback, user, ctypes.byref(handle)
        )
        assert status == _ECA_NORMAL, ca.message(status)
    ca.flush_io()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
