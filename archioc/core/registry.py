"""The registry as others than the ioc process read it: which channel has which row of the channel table.

`state.db` is SQLite in WAL mode, so readers neither wait for the writer nor stop it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from archioc.core.aliases import Alias
from archioc.core.audit import AuditRecord
from archioc.core.errors import RegistryError

SCHEMA_VERSION = 7
"""`PRAGMA user_version` of the databases that this version understands."""

BUSY_TIMEOUT_S = 5.0

MINUTE_NS = 60 * 10**9

REFUSED_SETTLE_NS = 10 * 10**9
"""How long after its end a minute of refused puts has been written."""

MAX_GROUPS = 4095
"""Highest number of a group."""

_SELECT_GROUPS = """
SELECT number, name,
    coalesce((SELECT value FROM group_override AS o WHERE o.name = g.name AND setting = 'enable'), enable),
    coalesce((SELECT value FROM group_override AS o WHERE o.name = g.name AND setting = 'condition'), condition)
FROM channel_group AS g ORDER BY number
"""

_SELECT_REMOVED = "SELECT row, name, added, moved_to FROM removed_row WHERE removed > ? ORDER BY row"

_SELECT_AUDIT = "SELECT rowid, time_ns, user, host, peer, pv, old, new, outcome FROM audit WHERE rowid > ? ORDER BY rowid LIMIT ?"
_REFUSED_OUTCOME = "CASE puts WHEN 1 THEN outcome ELSE puts || ' times in a minute: ' || outcome END"
_REFUSED_COLUMNS = f"time_ns, user, host, peer, pv, '' AS old, new, {_REFUSED_OUTCOME} AS outcome"
_SELECT_REFUSED = f"SELECT rowid, {_REFUSED_COLUMNS} FROM refused_put WHERE rowid > ? AND minute < ? ORDER BY rowid LIMIT ?"  # noqa: S608 - constants
_SELECT_AUDIT_BETWEEN = f"""
SELECT time_ns, user, host, peer, pv, old, new, outcome FROM audit WHERE time_ns BETWEEN :start AND :end
UNION ALL SELECT {_REFUSED_COLUMNS} FROM refused_put WHERE time_ns BETWEEN :start AND :end ORDER BY 1
"""  # noqa: S608 - constants

_ALIASES_SINCE_VERSION = 4
_SELECT_ALIASES = "SELECT old, new, until_ns, ended_ns FROM alias ORDER BY until_ns"


@dataclass(frozen=True, slots=True)
class RegistryChannel:
    """A channel of the archive.

    row, generation: where it is in the channel table.
    revision: the revision of the registry that added it.
    added_ns: when that was (ns since 1970), 0 where it is not known.
    """

    row: int
    generation: int
    name: str
    revision: int
    added_ns: int = 0


@dataclass(frozen=True, slots=True)
class RemovedChannel:
    """A channel that is not archived any more, as long as no other one has its row.

    added: the revision of the registry that added it.
    moved_to: the shard that archives it now, for people; empty where none does.
    """

    row: int
    name: str
    added: int
    moved_to: str


@dataclass(frozen=True, slots=True)
class RegistryGroup:
    """A group as it holds now, with what operators have put over the file.

    number: what the settings block of the channel table calls it, 1 and up.
    condition: as `archioc.core.condition` reads it, empty for none.
    """

    number: int
    name: str
    enable: bool
    condition: str


def reason_of(path: Path, error: sqlite3.Error) -> str:
    """SQLite says the same of a file that does not exist and of one that this user may not open."""
    try:
        path.open("rb").close()
    except OSError as refused:
        return refused.strerror or str(refused)
    return str(error)


class RegistryReader:
    """Reads `state.db`. Raises RegistryError when it is missing, damaged or of another version."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            address = f"{path.absolute().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        except sqlite3.Error as error:
            raise RegistryError(f"{path}: cannot be read: {reason_of(path, error)}") from None
        try:
            check_version(self._connection, path)
        except RegistryError:
            self._connection.close()
            raise

    def channels_since(self, revision: int) -> tuple[list[RegistryChannel], int]:
        """Channels added, or added again, after `revision` (0: all), by row; and the newest revision.

        A channel that was removed is not among them; its row of the settings block says so. Raises RegistryError.
        """
        try:
            self._connection.execute("BEGIN")
            try:
                (newest,) = self._connection.execute("SELECT revision FROM meta").fetchone()
                rows = self._connection.execute(
                    "SELECT row, generation, name, revision, added_ns FROM channel WHERE revision > ? ORDER BY row", (revision,)
                ).fetchall()
            finally:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise RegistryError(f"{self._path}: cannot be read: {error}") from None
        return [RegistryChannel(*row) for row in rows], int(newest)

    def removed_since(self, revision: int) -> list[RemovedChannel]:
        """Channels removed after `revision`, by row. Raises RegistryError."""
        try:
            return [RemovedChannel(*row) for row in self._connection.execute(_SELECT_REMOVED, (revision,))]
        except sqlite3.Error as error:
            raise RegistryError(f"{self._path}: cannot be read: {error}") from None

    def groups_since(self, revision: int) -> list[RegistryGroup] | None:
        """All groups, by number, if any of them has changed after `revision`; else None. Raises RegistryError."""
        try:
            (changed,) = self._connection.execute("SELECT groups_revision FROM meta").fetchone()
            if changed <= revision:
                return None
            rows = self._connection.execute(_SELECT_GROUPS).fetchall()
        except sqlite3.Error as error:
            raise RegistryError(f"{self._path}: cannot be read: {error}") from None
        return [RegistryGroup(number, name, bool(int(enable)), condition) for number, name, enable, condition in rows]

    def audit_after(self, entry: int, most: int) -> tuple[list[AuditRecord], int]:
        """Puts that were carried out, of the audit with a number above `entry`, oldest first, and the number of the last.

        Where the numbers have begun anew (a copy of the registry was restored), from the first on. Raises RegistryError.
        """
        return self._numbered("audit", _SELECT_AUDIT, entry, (most,))

    def refused_after(self, entry: int, now_ns: int, most: int) -> tuple[list[AuditRecord], int]:
        """The same of refused puts, of the minutes that are over: an entry for each peer, PV and minute. Raises RegistryError."""
        return self._numbered("refused_put", _SELECT_REFUSED, entry, ((now_ns - REFUSED_SETTLE_NS) // MINUTE_NS, most))

    def _numbered(self, table: str, query: str, entry: int, rest: tuple[int, ...]) -> tuple[list[AuditRecord], int]:
        try:
            rows = self._connection.execute(query, (entry, *rest)).fetchall()
            highest = f"SELECT coalesce(max(rowid), 0) FROM {table}"  # noqa: S608 - one of two constants
            if not rows and entry > self._connection.execute(highest).fetchone()[0]:
                rows, entry = self._connection.execute(query, (0, *rest)).fetchall(), 0
        except sqlite3.Error as error:
            raise RegistryError(f"{self._path}: cannot be read: {error}") from None
        return [AuditRecord(*record) for _, *record in rows], rows[-1][0] if rows else entry

    def audit_between(self, start_ns: int, end_ns: int) -> list[AuditRecord]:
        """The audit that is kept here, refused puts too, of start <= time <= end. Raises RegistryError."""
        try:
            found = self._connection.execute(_SELECT_AUDIT_BETWEEN, {"start": start_ns, "end": end_ns})
            return [AuditRecord(*record) for record in found]
        except sqlite3.Error as error:
            raise RegistryError(f"{self._path}: cannot be read: {error}") from None

    def close(self) -> None:
        """Close the database."""
        self._connection.close()


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Raise RegistryError unless the database can be read and has the schema of this version."""
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise RegistryError(f"{path}: cannot be read: {error}") from None
    if version != SCHEMA_VERSION:
        raise RegistryError(f"{path}: has schema version {version}, this ArchIOC reads version {SCHEMA_VERSION}")


def load_aliases(connection: sqlite3.Connection) -> list[Alias]:
    """All renamings, the earliest first. Raises sqlite3.Error."""
    return [Alias(*row) for row in connection.execute(_SELECT_ALIASES)]


def read_aliases(path: Path) -> list[Alias]:
    """All renamings of an archiver, the earliest first; none where its registry is not there yet, or older than renamings.

    Raises RegistryError.
    """
    if not path.exists():
        return []
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            return load_aliases(connection) if version >= _ALIASES_SINCE_VERSION else []
    except sqlite3.Error as error:
        raise RegistryError(f"{path}: cannot be read: {error}") from None
