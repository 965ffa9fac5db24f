"""The writer of `state.db`: channels, operators' overrides, rows to be reused, and the audit of puts.

Every change is one transaction that is on disk (WAL, synchronous=FULL) before `commit` returns.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archioc.core.channel import SETTING_NAMES, ChannelSettings, Clock, LargeArrays, Mask, Mode, Setting
from archioc.core.errors import ArchiocError, RegistryError
from archioc.core.registry import BUSY_TIMEOUT_S, SCHEMA_VERSION, check_version
from ioc.archived import ArchivedChannel, Override, effective
from ioc.audit import KEPT_ENTRIES, AuditEntry

PENDING_NOTES = 1000
"""Audit entries of refused puts that wait for the next write; a flood of them pushes the oldest out."""

_SCHEMA = """
BEGIN;
CREATE TABLE meta (revision INTEGER NOT NULL);
INSERT INTO meta VALUES (0);
CREATE TABLE channel (
    name TEXT PRIMARY KEY, row INTEGER NOT NULL UNIQUE, generation INTEGER NOT NULL, revision INTEGER NOT NULL,
    enable INTEGER NOT NULL, mode INTEGER NOT NULL, rate REAL NOT NULL, description TEXT NOT NULL,
    in_file INTEGER NOT NULL, channel_group TEXT NOT NULL,
    deadband REAL NOT NULL DEFAULT 0, deadband_pct REAL NOT NULL DEFAULT 0, max_interval REAL NOT NULL DEFAULT 0,
    mask INTEGER NOT NULL DEFAULT 0, quota REAL NOT NULL DEFAULT 1000, clock INTEGER NOT NULL DEFAULT 0,
    max_elements INTEGER NOT NULL DEFAULT 0, large_arrays INTEGER NOT NULL DEFAULT 0, as_text INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX channel_revision ON channel (revision);
CREATE TABLE override (
    channel TEXT NOT NULL, setting TEXT NOT NULL, value TEXT NOT NULL, file_value TEXT NOT NULL,
    PRIMARY KEY (channel, setting)) WITHOUT ROWID;
CREATE TABLE removed_row (row INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
CREATE TABLE audit (
    time_ns INTEGER NOT NULL, user TEXT NOT NULL, host TEXT NOT NULL, peer TEXT NOT NULL,
    pv TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, outcome TEXT NOT NULL);
"""

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
PRAGMA user_version = 3;
COMMIT;
"""

_MIGRATIONS = {1: _FROM_1_TO_2, 2: _FROM_2_TO_3}
"""By the version that they bring one further."""

_FROM_COLUMN: dict[str, Callable[[Any], Setting]] = {
    "enable": bool,
    "mode": Mode,
    "mask": Mask,
    "clock": Clock,
    "large_arrays": LargeArrays,
    "as_text": bool,
}
"""Settings that SQLite keeps as another type."""

_DECLARED = tuple("channel_group" if name == "group" else name for name in SETTING_NAMES)
"""Columns of what the file declares, in the order of SETTING_NAMES."""

_SELECT_CHANNELS = f"SELECT name, row, generation, in_file, {', '.join(_DECLARED)} FROM channel"  # noqa: S608 - constants
_INSERT_CHANNEL = (
    f"INSERT INTO channel (name, row, generation, revision, in_file, {', '.join(_DECLARED)}) VALUES (?, ?, ?, ?, ?{', ?' * len(_DECLARED)})"  # noqa: S608 - constants
)
_UPDATE_CHANNEL = f"UPDATE channel SET {', '.join(f'{column} = ?' for column in ('in_file', *_DECLARED))} WHERE name = ?"  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction does to the channels."""

    added: tuple[ArchivedChannel, ...] = ()
    changed: tuple[ArchivedChannel, ...] = ()
    removed: tuple[ArchivedChannel, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


class Registry:
    """The channels of the archive, in memory and in `state.db`. Raises RegistryError when the file cannot be used.

    channels: by name.
    removed_rows: rows of removed channels that have not been given to another yet, with their generation.
    revision: grows with every change.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._notes: deque[AuditEntry] = deque(maxlen=PENDING_NOTES)
        try:
            # Commits run in a worker thread, one at a time.
            self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise RegistryError(f"{path}: cannot be opened: {error}") from None
        try:
            self._prepare()
            self.channels = self._load()
            self.removed_rows: dict[int, int] = dict(self._connection.execute("SELECT row, generation FROM removed_row"))
            (self.revision,) = self._connection.execute("SELECT revision FROM meta").fetchone()
        except (sqlite3.Error, ArchiocError) as error:
            self._connection.close()
            raise RegistryError(f"{path}: cannot be used: {error}; put it aside or restore a copy, then start again") from None

    def _prepare(self) -> None:
        connection = self._connection
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            connection.executescript(f"{_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        else:
            while (version := connection.execute("PRAGMA user_version").fetchone()[0]) in _MIGRATIONS:
                connection.executescript(_MIGRATIONS[version])
        check_version(connection, self._path)
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise RegistryError(f"it is damaged ({verdict})")
        connection.execute(
            "DELETE FROM audit WHERE rowid <= (SELECT coalesce(max(rowid), 0) FROM audit) - ?",
            (KEPT_ENTRIES,),
        )

    def _load(self) -> dict[str, ArchivedChannel]:
        overrides: defaultdict[str, list[Override]] = defaultdict(list)
        for channel, *columns in self._connection.execute("SELECT channel, setting, value, file_value FROM override"):
            overrides[channel].append(Override(*columns))
        shared: dict[tuple[Any, ...], ChannelSettings] = {}
        channels = {}
        for name, row, generation, in_file, *columns in self._connection.execute(_SELECT_CHANNELS):
            key = tuple(columns)
            declared = shared.get(key)
            if declared is None:
                declared = shared[key] = _settings(key)
            over = tuple(overrides.get(name, ()))
            channels[name] = ArchivedChannel(name, row, generation, declared, effective(declared, over), over, bool(in_file))
        return channels

    def note(self, entry: AuditEntry) -> None:
        """Audit a put that was refused; it is written with the next change or by `write_notes`."""
        self._notes.append(entry)

    @property
    def has_notes(self) -> bool:
        """Whether refused puts wait to be written."""
        return bool(self._notes)

    def write_notes(self) -> None:
        """Write the audit of refused puts. Raises RegistryError."""
        self.commit(Change(), (), self.revision)

    def commit(self, change: Change, audit: Iterable[AuditEntry], revision: int) -> None:
        """Write a change, all of it or nothing, to disk; `accept` then makes it known here. Raises RegistryError.

        Only one thread at a time may be here.
        """
        notes = [self._notes.popleft() for _ in range(len(self._notes))]
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._write(change, revision)
                connection.executemany("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [entry.columns() for entry in (*notes, *audit)])
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._notes.extendleft(reversed(notes))
            raise RegistryError(f"{self._path}: cannot be written: {error}") from None

    def _write(self, change: Change, revision: int) -> None:
        connection = self._connection
        connection.executemany(
            _INSERT_CHANNEL,
            ((c.name, c.row, c.generation, revision, *_declared_columns(c)) for c in change.added),
        )
        connection.executemany("DELETE FROM removed_row WHERE row = ?", ((c.row,) for c in change.added))
        connection.executemany(
            _UPDATE_CHANNEL,
            ((*_declared_columns(c), c.name) for c in change.changed),
        )
        connection.executemany("DELETE FROM channel WHERE name = ?", ((c.name,) for c in change.removed))
        connection.executemany("DELETE FROM override WHERE channel = ?", ((c.name,) for c in (*change.changed, *change.removed)))
        connection.executemany(
            "INSERT INTO override VALUES (?, ?, ?, ?)",
            ((c.name, o.setting, o.value, o.file_value) for c in (*change.added, *change.changed) for o in c.overrides),
        )
        connection.executemany("INSERT INTO removed_row VALUES (?, ?)", ((c.row, c.generation) for c in change.removed))
        connection.execute("UPDATE meta SET revision = ?", (revision,))

    def accept(self, change: Change, revision: int) -> None:
        """Make a committed change known here."""
        for channel in (*change.added, *change.changed):
            self.channels[channel.name] = channel
        for channel in change.added:
            self.removed_rows.pop(channel.row, None)
        for channel in change.removed:
            del self.channels[channel.name]
            self.removed_rows[channel.row] = channel.generation
        self.revision = revision

    def close(self) -> None:
        """Write what waits and close the database. Raises RegistryError."""
        if self._notes:
            self.write_notes()
        self._connection.close()


def _declared_columns(channel: ArchivedChannel) -> tuple[Setting, ...]:
    """`in_file`, then the columns _DECLARED; SQLite takes a bool and an enum as the number that it is."""
    return (channel.in_file, *(getattr(channel.declared, name) for name in SETTING_NAMES))


def _settings(columns: tuple[Any, ...]) -> ChannelSettings:
    """Settings from the columns _DECLARED. Raises SettingError."""
    given: dict[str, Any] = dict(zip(SETTING_NAMES, columns, strict=True))
    for name, read in _FROM_COLUMN.items():
        given[name] = read(given[name])
    return ChannelSettings(**given)
