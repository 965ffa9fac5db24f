"""What it means when DuckDB cannot open a file: damage, another process, or something that may pass."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from typing import NoReturn

import duckdb

from archioc.core.errors import StoreUnavailable
from archioc.db.embedded.damage import damage_in

_FLOCK = struct.Struct("hhqqi4x")
"""struct flock of fcntl(2) on 64 bits: type, whence, start, length, process."""


def raise_unavailable(path: Path, error: duckdb.Error) -> NoReturn:
    """Raises Damage, or StoreUnavailable."""
    if isinstance(error, duckdb.IOException) and _locked_elsewhere(path):
        raise StoreUnavailable(f"{path.parent}: another process has this embedded store open") from None
    if (found := damage_in(error)) is not None:
        raise found from None
    raise StoreUnavailable(f"{path}: cannot be opened: {' '.join(str(error).split())}") from None


def identity_of(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file, None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _locked_elsewhere(path: Path) -> bool:
    """Whether another process has the lock that DuckDB takes on an open file.

    DuckDB must not have the file open here: the system drops the locks of a process when it closes any descriptor of the file.
    """
    try:
        with path.open("rb") as file:
            found = fcntl.fcntl(file, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError:
        return False
    return int(_FLOCK.unpack(found)[0]) != fcntl.F_UNLCK
