"""Starts a CA repeater if none runs; libca needs it to notice restarted IOCs quickly.

Without a repeater libca starts the program `caRepeater`. Where that is not installed libca complains on standard error, and finds an
IOC again only when its own search comes round. `python -m archioc.engine.ca.repeater PARENT` runs the repeater of caproto until SIGTERM
or the end of PARENT.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from archioc.core.machine.python_module import python_module
from archioc.core.process import stop_with_parent

_log = structlog.get_logger()

DEFAULT_PORT = 5065
START_S = 10.0
STOP_S = 5.0
_POLL_S = 0.02


@contextmanager
def repeater_at_hand() -> Iterator[None]:
    """Meanwhile there is a CA repeater on port EPICS_CA_REPEATER_PORT: one that runs already, one that libca starts, or one of ours."""
    port = os.environ.get("EPICS_CA_REPEATER_PORT", "").strip()
    number = int(port) if port.isdecimal() else DEFAULT_PORT
    if _taken(number) or shutil.which("caRepeater") is not None:
        yield
        return
    command = python_module("archioc.engine.ca.repeater", str(os.getpid()))
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(child, number)
        yield
    finally:
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(STOP_S)


def _wait(child: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_S
    while not _taken(port):
        if child.poll() is not None or time.monotonic() > deadline:
            _log.warning("no_ca_repeater", port=port)
            return
        time.sleep(_POLL_S)
    _log.info("ca_repeater_started", port=port)


def _taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return True
    return False


def main(parent: int) -> None:
    """Repeat beacons."""
    from caproto.sync.repeater import run  # noqa: PLC0415 - the engine itself does not need caproto

    stop_with_parent(parent)
    run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
