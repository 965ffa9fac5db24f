"""The tables of `state.db`, and how a database of an earlier version becomes one of this version."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from archioc.core.errors import RegistryError
from archioc.core.registry import SCHEMA_VERSION

_GROUP_TABLES = """
CREATE TABLE channel_group (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, in_file INTEGER NOT NULL, enable INTEGER NOT NULL,
    condition TEXT NOT NULL, description TEXT NOT NULL, given TEXT NOT NULL);
CREATE TABLE group_override (
    name TEXT NOT NULL, setting TEXT NOT NULL, value TEXT NOT NULL, file_value TEXT NOT NULL,
    PRIMARY KEY (name, setting)) WITHOUT ROWID;
CREATE TABLE policy (position INTEGER PRIMARY KEY, match TEXT NOT NULL, given TEXT NOT NULL);
"""

_LIMIT_TABLE = """
CREATE TABLE alarm_limit (pv TEXT NOT NULL, field TEXT NOT NULL, value REAL, PRIMARY KEY (pv, field)) WITHOUT ROWID;
"""

_ALIAS_TABLE = """
CREATE TABLE alias (
    old TEXT NOT NULL, new TEXT NOT NULL, until_ns INTEGER NOT NULL, ended_ns INTEGER, PRIMARY KEY (old, until_ns)) WITHOUT ROWID;
"""

_CHANNEL_TABLES = """
BEGIN;
CREATE TABLE meta (revision INTEGER NOT NULL, groups_revision INTEGER NOT NULL DEFAULT 0, fingerprint TEXT NOT NULL DEFAULT '');
INSERT INTO meta (revision) VALUES (0);
CREATE TABLE channel (
    name TEXT PRIMARY KEY, row INTEGER NOT NULL UNIQUE, generation INTEGER NOT NULL, revision INTEGER NOT NULL,
    enable INTEGER NOT NULL, mode INTEGER NOT NULL, rate REAL NOT NULL, description TEXT NOT NULL,
    in_file INTEGER NOT NULL, channel_group TEXT NOT NULL,
    deadband REAL NOT NULL DEFAULT 0, deadband_pct REAL NOT NULL DEFAULT 0, max_interval REAL NOT NULL DEFAULT 3600,
    mask INTEGER NOT NULL DEFAULT 0, quota REAL NOT NULL DEFAULT 1000, clock INTEGER NOT NULL DEFAULT 0,
    max_elements INTEGER NOT NULL DEFAULT 0, large_arrays INTEGER NOT NULL DEFAULT 0, as_text INTEGER NOT NULL DEFAULT 0,
    own TEXT NOT NULL DEFAULT '[]', moves_to INTEGER NOT NULL DEFAULT -1, leaves_ns INTEGER NOT NULL DEFAULT 0,
    added_ns INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX channel_revision ON channel (revision);
CREATE TABLE override (
    channel TEXT NOT NULL, setting TEXT NOT NULL, value TEXT NOT NULL, file_value TEXT NOT NULL,
    PRIMARY KEY (channel, setting)) WITHOUT ROWID;
CREATE TABLE removed_row (
    row INTEGER PRIMARY KEY, generation INTEGER NOT NULL, moved_to TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL DEFAULT '', added INTEGER NOT NULL DEFAULT 0, removed INTEGER NOT NULL DEFAULT 0);
CREATE TABLE audit (
    time_ns INTEGER NOT NULL, user TEXT NOT NULL, host TEXT NOT NULL, peer TEXT NOT NULL,
    pv TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, outcome TEXT NOT NULL);
"""

_REFUSED_TABLE = """
CREATE TABLE refused_put (
    minute INTEGER NOT NULL, address TEXT NOT NULL, time_ns INTEGER NOT NULL, user TEXT NOT NULL, host TEXT NOT NULL, peer TEXT NOT NULL,
    pv TEXT NOT NULL, new TEXT NOT NULL, outcome TEXT NOT NULL, puts INTEGER NOT NULL, UNIQUE (minute, address, pv));
"""

SCHEMA = _CHANNEL_TABLES + _GROUP_TABLES + _LIMIT_TABLE + _ALIAS_TABLE + _REFUSED_TABLE
"""Makes an empty database, in a transaction that is still open at its end."""


def make_tables(connection: sqlite3.Connection) -> None:
    """Make an empty database a registry of this version. Raises sqlite3.Error."""
    connection.executescript(f"{SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def bring_along(connection: sqlite3.Connection) -> None:
    """Give the database of an earlier version the tables and columns that it lacks, all or nothing. Raises RegistryError, sqlite3.Error.

    What it lacks is seen from its content, not from its version alone: between two releases the content of a version has changed.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as wanted:
        make_tables(wanted)
        connection.execute("BEGIN IMMEDIATE")
        try:
            _make_missing(connection, wanted)
            connection.execute(_GROUPS_OF_CHANNELS)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


_GROUPS_OF_CHANNELS = """
INSERT OR IGNORE INTO channel_group (name, in_file, enable, condition, description, given)
    SELECT DISTINCT channel_group, 1, 1, '', '', '[]' FROM channel WHERE channel_group != '';
"""


def _make_missing(connection: sqlite3.Connection, wanted: sqlite3.Connection) -> None:
    there = _made_by(connection)
    for name, statement in _made_by(wanted).items():
        if name not in there:
            connection.execute(statement)
        elif statement.startswith("CREATE TABLE"):
            _add_missing(connection, name, _columns(connection, name), _columns(wanted, name))


def _add_missing(connection: sqlite3.Connection, table: str, found: dict[str, str], wanted: dict[str, str]) -> None:
    if strange := [column for column in found if column not in wanted]:
        raise RegistryError(f"table {table} has columns that this version does not know: {', '.join(strange)}")
    for column, declared in wanted.items():
        if column not in found:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {declared}")


def _made_by(connection: sqlite3.Connection) -> dict[str, str]:
    """The statement that makes each table and index."""
    return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC"))


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """How each column is declared."""
    lines = connection.execute(f"PRAGMA table_info({table})")
    return {name: f"{kind}{' NOT NULL' * never_null} DEFAULT {default or 'NULL'}" for _, name, kind, never_null, default, _ in lines}
