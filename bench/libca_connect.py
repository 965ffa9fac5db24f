"""`python -m bench.libca_connect NAMES`: how long libca takes to find and connect all the channels that the file NAMES lists (s)."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path

from archioc.engine.ca.libca import Libca

TIMEOUT_S = 60.0
CS_CONN = 2


def main() -> int:
    """Exit code 1 when not all of them connected in time."""
    names = [name.encode() for name in Path(sys.argv[1]).read_text().split()]
    libca = Libca()
    channels = [ctypes.c_void_p() for _ in names]
    begun = time.monotonic()
    for name, channel in zip(names, channels, strict=True):
        libca.ca_create_channel(name, None, None, 0, ctypes.byref(channel))
    libca.ca_flush_io()
    waiting = channels
    while waiting:
        waiting = [channel for channel in waiting if libca.ca_state(channel) != CS_CONN]
        if time.monotonic() - begun > TIMEOUT_S:
            sys.stderr.write(f"{len(waiting)} of {len(names)} channels did not connect\n")
            return 1
        time.sleep(0.002)
    sys.stdout.write(f"{time.monotonic() - begun:.3f}\n")
    sys.stdout.flush()
    os._exit(0)  # the end of a context with many channels takes seconds, which nobody waits for


if __name__ == "__main__":
    sys.exit(main())
