"""One DuckDB instance and the cursors on it, so that it can be closed while others are at work."""

from __future__ import annotations

import contextlib
import mmap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from archioc.core.errors import StoreUnavailable

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    "memory_limit": "1GB",
    "preserve_insertion_order": True,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}

NEEDED_BYTES = 2**29
"""Address space that DuckDB and its threads need. With less, glibc ends the process in the middle of the start of a thread."""

CLOSE_S = 10.0
"""How long statements that were interrupted may take to end."""
_STEP_S = 0.01


class Instance:
    """Raises StoreUnavailable when DuckDB cannot be had, as with too little memory."""

    def __init__(self, temporary: Path) -> None:
        _reserve()
        try:
            self._connection = duckdb.connect(config={**_SETTINGS, "temp_directory": str(temporary)})
        except (duckdb.Error, MemoryError, RuntimeError) as error:
            raise StoreUnavailable(f"DuckDB cannot be started: {' '.join(str(error).split())}") from None
        self._lock = threading.Lock()
        self._cursors: set[duckdb.DuckDBPyConnection] = set()
        self._ending = False

    @contextlib.contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor; refused once the instance is to be closed."""
        with self._lock:
            if self._ending:
                raise StoreUnavailable("the embedded store is being closed")
            cursor = self._connection.cursor()
            self._cursors.add(cursor)
        try:
            yield cursor
        finally:
            cursor.close()
            with self._lock:
                self._cursors.discard(cursor)

    def interrupt(self) -> None:
        """End what runs; nothing begins any more."""
        with self._lock:
            self._ending = True
            for cursor in self._cursors:
                cursor.interrupt()

    def close(self) -> bool:
        """Close it when all cursors have gone; False when one has not in CLOSE_S."""
        until = time.monotonic() + CLOSE_S
        self.interrupt()
        while self._cursors and time.monotonic() < until:
            self.interrupt()  # a statement that was about to begin
            time.sleep(_STEP_S)
        if self._cursors:
            return False
        with contextlib.suppress(duckdb.Error):  # after a fatal error of its own it says so once more
            self._connection.close()
        return True


def _reserve() -> None:
    """Raises StoreUnavailable when the limit on this process leaves DuckDB too little memory."""
    try:
        mmap.mmap(-1, NEEDED_BYTES).close()
    except (OSError, MemoryError, ValueError) as error:
        raise StoreUnavailable(
            f"DuckDB cannot be started: it needs {NEEDED_BYTES >> 20} MB of address space ({error}); raise the limit (ulimit -v, LimitAS)"
        ) from None
