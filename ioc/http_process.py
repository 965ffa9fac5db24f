"""Whether the http process runs; it has no block in the channel table."""

from __future__ import annotations

from pathlib import Path

import orjson

from archioc.core.config import Config
from archioc.core.directories import Directories
from archioc.core.table import ProcessState

_MODULE = b"retrieval"
"""In its command line; else the process with this number is another one, of an earlier run perhaps."""


def http_state(config: Config) -> ProcessState:
    """Running once it listens; Starting before, and while it is to be started again; Stopped where it is not wanted."""
    if not config.http.enabled:
        return ProcessState.STOPPED
    try:
        pid = int(orjson.loads(Directories(config.archiver.state_dir).http_address.read_bytes())["pid"])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ProcessState.STARTING
    return ProcessState.RUNNING if _MODULE in command.split(b"\0") else ProcessState.STARTING
