"""The writer of `state.db`: channels, groups, policies, operators' overrides, rows to be reused, and the audit of puts.

Every change is one transaction that is on disk (WAL, synchronous=FULL) before `commit` returns.
"""

from __future__ import annotations

import errno
import sqlite3
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import structlog

from archioc.core.aliases import Aliases
from archioc.core.audit import AuditRecord
from archioc.core.config.setting_precedence import SettingPrecedence
from archioc.core.directories import Directories
from archioc.core.errors import ArchiocError, RegistryError
from archioc.core.registry import BUSY_TIMEOUT_S, SCHEMA_VERSION, check_version
from archioc.core.shard import ALONE, Shard
from archioc.ioc.registry.archived import ArchivedChannel
from archioc.ioc.registry.archived_group import ArchivedGroup
from archioc.ioc.registry.audit import AuditEntry, trim
from archioc.ioc.registry.audit_log import AUDIT_LOG, AuditLog
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.content import (
    INSERT_CHANNEL,
    UPDATE_CHANNEL,
    Content,
    channel_columns,
    group_columns,
    layers_of,
    load_content,
    write_given,
)
from archioc.ioc.registry.earlier_runs import WAY_OUT, refuse_nothing, refuse_older
from archioc.ioc.registry.hand_over import NO_SHARING, Sharing
from archioc.ioc.registry.refused_puts import RefusedPuts, write_refused
from archioc.ioc.registry.schema import bring_along, make_tables

_LAST_CHANGES = "SELECT time_ns, user, host, peer, pv, old, new, outcome FROM audit WHERE outcome = 'done' ORDER BY rowid DESC LIMIT ?"

_INSERT_REMOVED = "INSERT INTO removed_row SELECT row, generation, ?, name, revision, ? FROM channel WHERE name = ?"

PENDING_NOTES = 1000
"""Audit entries of puts that changed nothing here and wait for the next write; a flood of them pushes the oldest out."""

_log = structlog.get_logger()


class Registry:
    """What the archive holds, in memory and in `state.db`. Raises RegistryError when the file cannot be used.

    audit_log: the audit as a file beside it. shard: which of the channels of the file are for this archiver.
    """

    def __init__(self, path: Path, shard: Shard = ALONE) -> None:
        self._path = path
        self.audit_log = AuditLog(path.with_name(AUDIT_LOG))
        self._notes_lost = 0
        self._notes: deque[AuditEntry] = deque(maxlen=PENDING_NOTES)
        self._refused = RefusedPuts()
        self._names_version = 0
        self._sharing, self._counted_at = NO_SHARING, -1
        try:
            # Commits run in a worker thread, one at a time.
            self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise RegistryError(f"{path}: cannot be opened: {error}") from None
        try:
            self._prepare()
            self._content = load_content(self._connection)
            refuse_older(path, self._content.revision)
            self._content.shard = shard
            status = path.stat()
            self._identity = status.st_dev, status.st_ino
        except (sqlite3.Error, ArchiocError, ValueError, OSError) as error:
            self._connection.close()
            raise RegistryError(f"{path}: cannot be used: {error}; {_way_out(error)}") from None

    @property
    def content(self) -> Content:
        """Everything that has been committed and accepted."""
        return self._content

    @property
    def channels(self) -> dict[str, ArchivedChannel]:
        """By name."""
        return self._content.channels

    @property
    def groups(self) -> dict[str, ArchivedGroup]:
        """By name."""
        return self._content.groups

    @property
    def layers(self) -> SettingPrecedence:
        """Policies and settings of the groups."""
        return self._content.layers

    @property
    def aliases(self) -> Aliases:
        """Earlier names that still stand for a channel."""
        return self._content.aliases

    @property
    def removed_rows(self) -> dict[int, int]:
        """Rows of removed channels that have not been given to another yet, with their generation."""
        return self._content.removed_rows

    @property
    def sharing(self) -> Sharing:
        """How this archiver stands among the shards, as of the newest revision."""
        if self._counted_at != self._content.revision:
            self._counted_at = self._content.revision
            self._sharing = Sharing.of(self._content.shard, self._content.handed_over.values())
        return self._sharing

    @property
    def revision(self) -> int:
        """Grows with every change."""
        return self._content.revision

    @property
    def names_version(self) -> int:
        """Grows when a channel comes, goes or gets another row."""
        return self._names_version

    def _prepare(self) -> None:
        connection = self._connection
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            refuse_nothing(self._path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            make_tables(connection)
        elif 0 < (version := connection.execute("PRAGMA user_version").fetchone()[0]) < SCHEMA_VERSION:
            try:
                bring_along(connection)
            except (sqlite3.Error, RegistryError) as error:
                kept = Directories(self._path.parent).backups / f"schema-{version}.db"
                raise RegistryError(
                    f"it is of version {version}, cannot be brought along and was left as it is ({error}); {kept} is a copy"
                ) from None
        check_version(connection, self._path)
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise RegistryError(f"it is damaged ({verdict})")
        trim(connection)

    def _refuse_lost_file(self) -> None:
        """Raise OSError when the path does not lead to the open database any more: SQLite would go on in a file without a name."""
        status = self._path.stat()
        if (status.st_dev, status.st_ino) != self._identity:
            raise FileNotFoundError(errno.ENOENT, "another file has taken its place; restart the archiver", str(self._path))

    def note(self, entry: AuditEntry) -> None:
        """Audit a put that changed nothing here; it is written with the next change or by `write_notes`."""
        self._notes_lost += len(self._notes) == PENDING_NOTES
        self._notes.append(entry)

    def refuse(self, entry: AuditEntry) -> bool:
        """Count a refused put; whether it is the first of its address, PV and minute. Written as a note is."""
        return self._refused.add(entry)

    @property
    def has_notes(self) -> bool:
        """Whether entries wait to be written."""
        return bool(self._notes) or self._refused.waiting

    @property
    def notes_pile_up(self) -> bool:
        """Whether half of the room for them is taken."""
        return len(self._notes) > PENDING_NOTES // 2

    def write_notes(self) -> None:
        """Write the entries that wait. Raises RegistryError."""
        self.commit(Change(), (), self.revision)

    def commit(self, change: Change, audit: Iterable[AuditEntry], revision: int) -> None:
        """Write a change, all of it or nothing, to disk; `accept` then makes it known here. Raises RegistryError.

        Only one thread at a time may be here.
        """
        notes = [self._notes.popleft() for _ in range(len(self._notes))]
        entries, refused = [*notes, *audit], self._refused.take()
        connection = self._connection
        try:
            self._refuse_lost_file()
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._write_aliases(change)
                self._write_channels(change, revision)
                self._write_groups(change, revision)
                connection.executemany("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [entry.columns() for entry in entries])
                trim(connection)
                write_refused(connection, refused)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._notes.extendleft(reversed(notes))
            self._refused.put_back(refused)
            raise RegistryError(f"{self._path}: cannot be written: {error}") from None
        self.audit_log.write(entries)
        if self._notes_lost:
            _log.warning("audit_entries_lost", entries=self._notes_lost)
            self._notes_lost = 0

    def last_changes(self, count: int) -> list[AuditRecord]:
        """The newest puts that were carried out, newest first. Raises RegistryError."""
        try:
            return [AuditRecord(*row) for row in self._connection.execute(_LAST_CHANGES, (count,))]
        except sqlite3.Error as error:
            raise RegistryError(f"{self._path}: cannot be read: {error}") from None

    def _write_channels(self, change: Change, revision: int) -> None:
        connection = self._connection
        now_ns, since = time.time_ns(), self._added_of_renamed(change)
        connection.executemany(_INSERT_REMOVED, ((self._moved_to(c), revision, c.name) for c in change.removed))
        connection.executemany("DELETE FROM channel WHERE name = ?", ((c.name,) for c in change.removed))
        connection.executemany(
            INSERT_CHANNEL,
            ((c.name, c.row, c.generation, revision, since.get(c.name, now_ns), *channel_columns(c)) for c in change.added),
        )
        connection.executemany("DELETE FROM removed_row WHERE row = ?", ((c.row,) for c in change.added))
        connection.executemany(UPDATE_CHANNEL, ((*channel_columns(c), c.name) for c in change.changed))
        connection.executemany("DELETE FROM override WHERE channel = ?", ((c.name,) for c in (*change.changed, *change.removed)))
        connection.executemany(
            "INSERT INTO override VALUES (?, ?, ?, ?)",
            ((c.name, o.setting, o.value, o.file_value) for c in (*change.added, *change.changed) for o in c.overrides),
        )
        connection.execute("UPDATE meta SET revision = ?", (revision,))

    def _added_of_renamed(self, change: Change) -> dict[str, int]:
        """When channels that get another name were added, by that name (ns)."""
        query = "SELECT added_ns FROM channel WHERE name = ?"
        found = ((alias.new, self._connection.execute(query, (alias.old,)).fetchone()) for alias in change.renamed)
        return {name: row[0] for name, row in found if row}

    def _moved_to(self, channel: ArchivedChannel) -> str:
        """The shard that archives a removed channel now, for people; empty where none does."""
        return self._content.shard.describe(channel.handover.to) if channel.handover and channel.handover.leaves else ""

    def _write_aliases(self, change: Change) -> None:
        """A name that a channel gets ceases to stand for another one."""
        now_ns = change.renamed[0].until_ns if change.renamed else self._content.aliases.next_ns(time.time_ns())
        taken = [(now_ns, channel.name) for channel in change.added if channel.name in self._content.aliases]
        self._connection.executemany("UPDATE alias SET ended_ns = ? WHERE old = ? AND ended_ns IS NULL", taken)
        rows = ((alias.old, alias.new, alias.until_ns, alias.ended_ns) for alias in change.renamed)
        self._connection.executemany("INSERT INTO alias VALUES (?, ?, ?, ?)", rows)

    def _write_groups(self, change: Change, revision: int) -> None:
        connection = self._connection
        names = [(group.name,) for group in (*change.groups, *change.removed_groups)]
        if names:
            connection.executemany("DELETE FROM channel_group WHERE name = ?", names)
            connection.executemany("DELETE FROM group_override WHERE name = ?", names)
            connection.executemany("INSERT INTO channel_group VALUES (?, ?, ?, ?, ?, ?, ?)", map(group_columns, change.groups))
            connection.executemany(
                "INSERT INTO group_override VALUES (?, ?, ?, ?)",
                ((group.name, o.setting, o.value, o.file_value) for group in change.groups for o in group.overrides),
            )
            connection.execute("UPDATE meta SET groups_revision = ?", (revision,))
        if change.policies is not None:
            connection.execute("DELETE FROM policy")
            rows = ((position, policy.match, write_given(policy.given)) for position, policy in enumerate(change.policies))
            connection.executemany("INSERT INTO policy VALUES (?, ?, ?)", rows)
        if change.fingerprint is not None:
            connection.execute("UPDATE meta SET fingerprint = ?", (change.fingerprint,))

    def accept(self, change: Change, revision: int) -> None:
        """Make a committed change known here."""
        self.accept_first(change)
        self.accept_channels(change)
        self.accept_rest(change, revision)

    def accept_channels(self, change: Change) -> None:
        """Make the channels of a committed change, or of a part of it, known here."""
        content = self._content
        self._names_version += bool(change.added or change.removed)
        for channel in (*change.added, *change.changed):
            content.channels[channel.name] = channel
            if channel.handover:
                content.handed_over[channel.name] = channel.handover
            else:
                content.handed_over.pop(channel.name, None)
        for channel in change.added:
            content.removed_rows.pop(channel.row, None)
            content.aliases.end(channel.name)
        for channel in change.removed:
            del content.channels[channel.name]
            content.handed_over.pop(channel.name, None)
            content.removed_rows[channel.row] = channel.generation

    def accept_first(self, change: Change) -> None:
        """Make known here what goes before the channels: groups that come or change, and which names stand for others."""
        for alias in change.renamed:
            self._content.aliases.rename(alias)
        for group in change.groups:
            self._content.groups[group.name] = group

    def accept_rest(self, change: Change, revision: int) -> None:
        """Make what goes with a committed change known here, once its channels are."""
        content = self._content
        for group in change.removed_groups:
            del content.groups[group.name]
        policies = content.layers.policies if change.policies is None else change.policies
        if change.touches_groups or change.policies is not None:
            content.layers = layers_of(policies, content.groups)
        if change.fingerprint is not None:
            content.fingerprint = change.fingerprint
        if change.shard is not None:
            content.shard = change.shard
        content.revision = revision

    def close(self) -> None:
        """Write what waits and close the database. Raises RegistryError."""
        if self.has_notes:
            self.write_notes()
        self._connection.close()


def _way_out(error: Exception) -> str:
    """What a person can do about a registry that cannot be used."""
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return "another program holds it; end that program, then start again"
    return WAY_OUT
