"""Ports for servers, also while other test sessions of the same machine start theirs."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections import deque
from pathlib import Path

from archioc.demo import ports

_claims = Path(tempfile.gettempdir(), f"archioc-test-ports-{os.getuid()}").open("wb")  # noqa: SIM115 - until this process ends
_given: deque[int] = deque(maxlen=3000)


def free_ports(count: int) -> list[int]:
    """As `archioc.demo.ports.free_ports`, and no other test session, or test of this one, is given the same.

    Between the choice of a port and the start of its server, and while a server is away for a while, the port is nobody's.
    """
    found: list[int] = []
    while len(found) < count:
        found += [port for port in ports.free_ports(count - len(found)) if _claim(port)]
    return found


def _claim(port: int) -> bool:
    if port in _given:
        return False
    try:
        fcntl.lockf(_claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    _given.append(port)
    return True
