"""Copies of the embedded store's files while it is in use."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb

from archioc.core.errors import StoreUnavailable
from archioc.db.embedded.committed import FILE
from archioc.db.embedded.day_files import DayFiles
from archioc.db.embedded.days import LATE
from archioc.db.embedded.tables import CATALOG

COPY_S = 3600.0
"""Longest that the copy of one file may take."""


def copy_files(files: DayFiles, target: Path, lock: threading.Lock) -> Iterator[str]:
    """Copy each file into a directory, one after the other, and name it; lock: held by who writes. Raises StoreUnavailable.

    The note of what was committed goes first: it may say less than the files hold, never more. The catalog goes last: it knows all names.
    """
    with lock, contextlib.suppress(FileNotFoundError):
        (target / FILE).write_bytes((files.path(CATALOG).parent / FILE).read_bytes())
    for name in [*files.days(), *([LATE] if files.has_late else []), CATALOG]:
        with lock:
            if not files.path(name).exists():  # beyond the retention meanwhile
                continue
            _copy(files, name, target)
        yield name


def _copy(files: DayFiles, name: str, target: Path) -> None:
    """By a process of its own: if this one closed a descriptor of the file, the system would drop DuckDB's lock on it."""
    path = files.path(name)
    log = path.with_name(f"{path.name}.wal")
    if log.exists():
        with contextlib.suppress(duckdb.Error), files.catalog() if name == CATALOG else files.day(name) as cursor:
            cursor.execute(f'checkpoint "{name}"')  # what a query keeps from being written stays in the log, which is copied too
    there = [str(one) for one in (path, log) if one.exists()]
    try:
        subprocess.run(["cp", "--reflink=auto", "--", *there, str(target)], check=True, timeout=COPY_S, capture_output=True)  # noqa: S607
    except subprocess.CalledProcessError as error:
        raise StoreUnavailable(f"{path}: cannot be copied: {error.stderr.decode(errors='replace').strip()}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreUnavailable(f"{path}: cannot be copied: {error}") from None
