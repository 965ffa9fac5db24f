"""Whether the http process runs; it has no block in the channel table."""

from __future__ import annotations

from pathlib import Path

import orjson

from archioc.core.config.config import Config
from archioc.core.directories import Directories
from archioc.core.machine.python_module import module_of
from archioc.core.table.table import ProcessState

_MODULE = "archioc.retrieval"
"""A process with the number of the http process that runs another module is not ours: the number has been given away again."""


def http_state(config: Config) -> ProcessState:
    """Running once it listens; Starting before, and while it is to be started again; Stopped where it is not wanted."""
    if not config.http.enabled:
        return ProcessState.STOPPED
    try:
        pid = int(orjson.loads(Directories(config.archiver.state_dir).http_address.read_bytes())["pid"])
        command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except (OSError, ValueError, KeyError, TypeError):  # not there, or not to be read now
        return ProcessState.STARTING
    return ProcessState.RUNNING if module_of(command) == _MODULE else ProcessState.STARTING
