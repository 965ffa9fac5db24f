"""Which state directory a run directory belongs to: both carry the same id.

A state directory that was removed, or replaced by another one, leaves its run directory behind in shared memory; its counters, its
ring and its channel table say nothing about the new one.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import structlog

from archioc.core.spool.disk import OsDisk, write_file

_log = structlog.get_logger()

ID_FILE = "id"
"""Its name in both directories."""

_ID = re.compile(r"[0-9a-f]{32}\n")


def new_id() -> str:
    """An id that nothing else has: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def state_id(state: Path) -> str:
    """The id of a state directory, made when it has none, or none that can be read. Raises OSError."""
    found = read_id(state)
    if found:
        return found
    if (state / ID_FILE).exists():
        _log.warning("id_damaged", file=str(state / ID_FILE), consequence="the run directory is made anew")
    made = new_id()
    write_id(state, made)
    return made


def read_id(directory: Path) -> str:
    """The id that a directory carries; empty when it has none, or none that can be read. Raises OSError."""
    try:
        content = (directory / ID_FILE).read_bytes().decode("ascii", "replace")
    except FileNotFoundError:
        return ""
    return content.strip() if _ID.fullmatch(content) else ""


def write_id(directory: Path, identity: str) -> None:
    """Have a directory carry this id, durably. Raises OSError."""
    disk, scratch = OsDisk(), directory / f"{ID_FILE}.new"
    write_file(disk, scratch, (f"{identity}\n".encode(),), durable=True)
    disk.rename(scratch, directory / ID_FILE)
    disk.sync_directory(directory)
