"""The files of the embedded store: one for each UTC day, and a catalog beside them.

One DuckDB instance has them attached, a bounded number at a time; every use has a cursor of its own,
so that queries run beside the delivery.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import numpy as np

from archioc.core.errors import StoreUnavailable

DAY_NS = 86_400_000_000_000
MAX_ATTACHED = 8
"""Day files kept open when nobody uses them."""

CATALOG = "catalog"
_SUFFIX = ".duckdb"
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    "memory_limit": "1GB",
    "preserve_insertion_order": True,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}

_FLOCK = struct.Struct("hhqqi4x")
"""struct flock of fcntl(2) on 64 bits: type, whence, start, length, process."""

Tables = Mapping[str, Mapping[str, str]]
"""Table -> column -> type, with `not null` where there is always a value."""

_CATALOG_TABLES: Tables = {
    "channel": {"id": "uinteger not null", "name": "varchar not null"},
    "meta": {"channel": "varchar not null", "time": "bigint not null", "content": "varchar not null"},
    "event": {
        "channel": "varchar not null",
        "time": "bigint not null",
        "reason": "utinyint not null",
        "end_ns": "bigint",
        "count": "bigint not null",
        "text": "varchar not null",
    },
    "audit": {"time": "bigint not null"} | dict.fromkeys(("pv", "user", "host", "peer", "old", "new", "outcome"), "varchar not null"),
}
_ALARM = {"channel": "uinteger not null", "time": "bigint not null", "severity": "utinyint not null", "status": "utinyint not null"}
_OF_ANY_SAMPLE = _ALARM | {"flags": "utinyint not null", "src_time": "bigint not null"}
_STATISTICS = {"n": "bigint not null", "min": "double", "max": "double", "mean": "double", "std": "double"}
_DAY_TABLES: Tables = {
    "batch": {"id": "ubigint not null"},
    "sample": _OF_ANY_SAMPLE | {"value": "double", "text": "varchar"},
    "array_sample": _OF_ANY_SAMPLE | {"dbr": "utinyint not null", "data": "blob"} | _STATISTICS,
    "alarm": _ALARM,
}


def day_of(time_ns: int) -> str:
    """The UTC day of a time, as its file is called."""
    return str(np.datetime64(time_ns // DAY_NS, "D"))


class DayFiles:
    """Opens the files of one directory. Methods raise StoreUnavailable when a file cannot be used."""

    def __init__(self, directory: Path, *, read_only: bool) -> None:
        self._directory, self._read_only = directory, read_only
        self._lock = threading.Lock()
        self._users: OrderedDict[str, int] = OrderedDict()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def open(self) -> None:
        """Open the catalog; does nothing when it is open."""
        with self._lock:
            if self._connection is not None:
                return
            if self._read_only and not self._path(CATALOG).exists():
                raise StoreUnavailable(f"{self._directory}: there is no embedded store yet")
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreUnavailable(f"{self._directory}: cannot hold the embedded store: {error.strerror}") from None
            connection = duckdb.connect(config={**_SETTINGS, "temp_directory": str(self._directory / "tmp")})
            try:
                self._attach(connection, CATALOG, _CATALOG_TABLES)
            except StoreUnavailable:
                connection.close()
                raise
            self._connection = connection

    def days(self) -> list[str]:
        """Days for which there is a file, oldest first."""
        return sorted(path.stem for path in self._directory.glob(f"????-??-??{_SUFFIX}"))

    @contextlib.contextmanager
    def catalog(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor on the catalog."""
        with contextlib.closing(self._opened().cursor()) as cursor:
            cursor.execute(f'use "{CATALOG}"')
            yield cursor

    @contextlib.contextmanager
    def day(self, day: str) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor on the file of a day, which is made when it is not there (unless read-only)."""
        self._take(day)
        try:
            with contextlib.closing(self._opened().cursor()) as cursor:
                cursor.execute(f'use "{day}"')
                yield cursor
        finally:
            with self._lock:
                self._users[day] -= 1

    def remove(self, day: str) -> bool:
        """Delete the file of a day; False when a query is using it."""
        with self._lock:
            if self._users.get(day):
                return False
            if day in self._users:
                self._detach(day)
            # The file last: without it, a left-over log would be nobody's.
            for path in (self._path(day).with_name(f"{day}{_SUFFIX}.wal"), self._path(day)):
                path.unlink(missing_ok=True)
        return True

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
                self._users.clear()

    def _opened(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            raise StoreUnavailable(f"{self._directory}: the embedded store is not open")
        return self._connection

    def _take(self, day: str) -> None:
        with self._lock:
            if day not in self._users:
                self._attach(self._opened(), day, _DAY_TABLES)
                self._users[day] = 0
            self._users[day] += 1
            self._users.move_to_end(day)
            idle = [other for other, users in self._users.items() if not users]
            for other in idle[: max(0, len(self._users) - MAX_ATTACHED)]:
                self._detach(other)

    def _attach(self, connection: duckdb.DuckDBPyConnection, name: str, tables: Tables) -> None:
        path = str(self._path(name)).replace("'", "''")
        try:
            with contextlib.closing(connection.cursor()) as cursor:
                cursor.execute(f"attach '{path}' as \"{name}\"" + (" (read_only)" if self._read_only else ""))
                lacking = _lacking(cursor, name, tables)
                if lacking and self._read_only:
                    cursor.execute(f'detach "{name}"')
                    words = ", ".join(f"{table}.{column}" for table, column in lacking)
                    raise StoreUnavailable(f"{self._path(name)}: made by an older version, without {words}: start the archiver once")
                if lacking:
                    cursor.execute(f'use "{name}"')
                    _complete(cursor, lacking, tables)
        except duckdb.Error as error:
            if isinstance(error, duckdb.IOException) and _locked_elsewhere(self._path(name)):
                raise StoreUnavailable(f"{self._directory}: another process has this embedded store open") from None
            raise StoreUnavailable(f"{self._path(name)}: cannot be opened: {error}") from None

    def _detach(self, day: str) -> None:
        self._opened().execute(f'detach "{day}"')
        del self._users[day]

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}{_SUFFIX}"


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


def _lacking(cursor: duckdb.DuckDBPyConnection, name: str, tables: Tables) -> list[tuple[str, str]]:
    """Table and column of all that an attached file does not have: everything for a new one, something for one of an older version."""
    present = set(cursor.execute("select table_name, column_name from duckdb_columns() where database_name = ?", [name]).fetchall())
    return [(table, column) for table, columns in tables.items() for column in columns if (table, column) not in present]


def _complete(cursor: duckdb.DuckDBPyConnection, lacking: list[tuple[str, str]], tables: Tables) -> None:
    """Make tables that are missing, and add columns: 0, an empty text or NULL in the lines that are there."""
    incomplete = {table for table, _ in lacking}
    for table, columns in tables.items():
        if table in incomplete:
            declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
            cursor.execute(f"create table if not exists {table} ({declared})")
    for table, column in lacking:
        kind, _, always = tables[table][column].partition(" ")
        default = f" default {_EMPTY.get(kind, 0)}" if always else ""
        cursor.execute(f'alter table {table} add column if not exists "{column}" {kind}{default}')


_EMPTY = {"varchar": "''"}
