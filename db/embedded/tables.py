"""The tables of the embedded store's files, and how a file of an earlier version gets those it lacks."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

FORMAT = 2
"""Version of the files: since 2 each file knows its archive, and a day file the names of its channels."""

CATALOG = "catalog"
"""The file with what is not of one day: metadata, events, audit, and an index of the names."""

Tables = Mapping[str, Mapping[str, str]]
"""Table -> column -> type, with `not null` where there is always a value."""

Lacking = list[tuple[str, str]]
"""Table and column of what a file does not have."""

_ARCHIVE = {"id": "varchar not null", "format": "uinteger not null"}
_CHANNEL = {"id": "uinteger not null", "name": "varchar not null"}

CATALOG_TABLES: Tables = {
    "archive": _ARCHIVE | {"numbered": "uinteger not null", "batch": "ubigint not null"},
    "channel": _CHANNEL,
    "day": {"name": "varchar not null"},
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
DAY_TABLES: Tables = {
    "archive": _ARCHIVE,
    "channel": _CHANNEL,
    "batch": {"id": "ubigint not null"},
    "sample": _OF_ANY_SAMPLE | {"value": "double", "text": "varchar"},
    "array_sample": _OF_ANY_SAMPLE | {"dbr": "utinyint not null", "data": "blob"} | _STATISTICS,
    "alarm": _ALARM,
}

_NOT_NEEDED = {CATALOG: {"archive", "day"}}
_NOT_NEEDED_OF_A_DAY = {"archive", "channel"}


def tables_of(name: str) -> Tables:
    """What a file has, by its name without the suffix."""
    return CATALOG_TABLES if name == CATALOG else DAY_TABLES


def lacking(cursor: duckdb.DuckDBPyConnection, name: str) -> Lacking:
    """What an attached file does not have: everything for a new one, something for one of an older version."""
    present = set(cursor.execute("select table_name, column_name from duckdb_columns() where database_name = ?", [name]).fetchall())
    return [(table, column) for table, columns in tables_of(name).items() for column in columns if (table, column) not in present]


def needed(name: str, missing: Lacking) -> Lacking:
    """Without which of this a file of an older version cannot be read as it is: not the tables by which it knows itself."""
    unneeded = _NOT_NEEDED.get(name, _NOT_NEEDED_OF_A_DAY)
    return [(table, column) for table, column in missing if table not in unneeded]


def complete(cursor: duckdb.DuckDBPyConnection, name: str, missing: Lacking) -> None:
    """Make tables that are missing, and add columns: 0, an empty text or NULL in the lines that are there."""
    tables, incomplete = tables_of(name), {table for table, _ in missing}
    for table, columns in tables.items():
        if table in incomplete:
            declared = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            cursor.execute(f"create table if not exists {table} ({declared})")
    for table, column in missing:
        kind, _, always = tables[table][column].partition(" ")
        default = f" default {_EMPTY.get(kind, 0)}" if always else ""
        cursor.execute(f'alter table {table} add column if not exists "{column}" {kind}{default}')


_EMPTY = {"varchar": "''"}
