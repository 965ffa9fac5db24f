"""The tables of `state.db`, and how a database of an earlier version becomes one of this version."""

from __future__ import annotations

import sqlite3

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
    deadband REAL NOT NULL DEFAULT 0, deadband_pct REAL NOT NULL DEFAULT 0, max_interval REAL NOT NULL DEFAULT 0,
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


_FROM_1_TO_2 = """
BEGIN;
ALTER TABLE channel ADD COLUMN deadband REAL NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN deadband_pct REAL NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN max_interval REAL NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN mask INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 2;
COMMIT;
"""

_FROM_2_TO_3 = """
BEGIN;
ALTER TABLE channel ADD COLUMN quota REAL NOT NULL DEFAULT 1000;
ALTER TABLE channel ADD COLUMN clock INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN max_elements INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN large_arrays INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN as_text INTEGER NOT NULL DEFAULT 0;
ALTER TABLE channel ADD COLUMN own TEXT NOT NULL DEFAULT '[]';
ALTER TABLE meta ADD COLUMN groups_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
"""

_GROUPS_OF_2 = """
INSERT INTO channel_group (name, in_file, enable, condition, description, given)
    SELECT DISTINCT channel_group, 1, 1, '', '', '[]' FROM channel WHERE channel_group != '';
PRAGMA user_version = 3;
COMMIT;
"""

_FROM_3_TO_4 = f"""
BEGIN;
{_ALIAS_TABLE}
PRAGMA user_version = 4;
COMMIT;
"""

_FROM_4_TO_5 = """
BEGIN;
ALTER TABLE channel ADD COLUMN moves_to INTEGER NOT NULL DEFAULT -1;
ALTER TABLE channel ADD COLUMN leaves_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE removed_row ADD COLUMN moved_to TEXT NOT NULL DEFAULT '';
PRAGMA user_version = 5;
COMMIT;
"""

_FROM_5_TO_6 = """
BEGIN;
ALTER TABLE channel ADD COLUMN added_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE removed_row ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE removed_row ADD COLUMN added INTEGER NOT NULL DEFAULT 0;
ALTER TABLE removed_row ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 6;
COMMIT;
"""

_FROM_6_TO_7 = f"""
BEGIN;
{_REFUSED_TABLE}
PRAGMA user_version = 7;
COMMIT;
"""

MIGRATIONS = {
    1: _FROM_1_TO_2,
    2: _FROM_2_TO_3 + _GROUP_TABLES + _LIMIT_TABLE + _GROUPS_OF_2,
    3: _FROM_3_TO_4,
    4: _FROM_4_TO_5,
    5: _FROM_5_TO_6,
    6: _FROM_6_TO_7,
}
"""Scripts that bring a database one version further, by the version that it has."""
