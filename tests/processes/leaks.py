"""What a test may not leave behind: processes, open files, sockets."""

from __future__ import annotations

import gc
import os
import time
from dataclasses import dataclass

import psutil

SESSION_VARIABLE = "ARCHIOC_TEST_SESSION"
"""Every process started by this test session inherits it, so that orphans are found as well as children."""

_GRACE_S = 15.0


@dataclass(frozen=True, slots=True)
class Holdings:
    """What this test process holds: processes by pid and command, files and sockets by descriptor."""

    processes: frozenset[tuple[int, str]]
    files: frozenset[tuple[int, str]]
    sockets: frozenset[tuple[int, str]]

    def beyond(self, before: Holdings, session_processes: set[int]) -> list[str]:
        """What is held now and was not before, in words."""
        new_processes = {one for one in self.processes - before.processes if one[0] not in session_processes}
        return [
            *(f"process {pid}: {command}" for pid, command in sorted(new_processes)),
            *(f"open file {number}: {path}" for number, path in sorted(self.files - before.files)),
            *(f"socket {number}: {text}" for number, text in sorted(self.sockets - before.sockets)),
        ]


def holdings() -> Holdings:
    """What this process holds now."""
    own = psutil.Process()
    return Holdings(
        frozenset(_processes(own)),
        frozenset((one.fd, one.path) for one in own.open_files()),
        frozenset((one.fd, f"{one.laddr} {one.raddr} {one.status}") for one in own.net_connections("all")),
    )


def leaks_since(before: Holdings, session_processes: set[int]) -> list[str]:
    """What is still held beyond `before` after a moment of grace for what is just ending."""
    deadline = time.monotonic() + _GRACE_S
    while True:
        found = holdings().beyond(before, session_processes)
        if not found or time.monotonic() > deadline:
            return found
        gc.collect()  # an expected exception's frames may hold what is open, in a cycle
        time.sleep(0.05)


def _processes(own: psutil.Process) -> set[tuple[int, str]]:
    session = os.environ[SESSION_VARIABLE]
    descendants = {child.pid for child in own.children(recursive=True)}
    found = set()
    for process in psutil.process_iter():
        if process.pid == own.pid:
            continue
        try:
            ours = process.pid in descendants or process.environ().get(SESSION_VARIABLE) == session
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.add((process.pid, " ".join(process.cmdline())[:200]))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
