"""Who put what: an entry for each put by a client that was carried out, kept in `state.db`."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from archioc.core.audit import AuditRecord
from archioc.core.printable import printable
from archioc.core.timestamp import format_utc
from archioc.ioc.peer import Peer

KEPT_ENTRIES = 100_000
"""Newest entries that `state.db` keeps."""

MAX_TEXT = 1000
"""Characters kept of an old or new value."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One put. outcome: `done`, or why it was refused."""

    time_ns: int
    peer: Peer
    pv: str
    old: str
    new: str
    outcome: str

    def columns(self) -> tuple[int, str, str, str, str, str, str, str]:
        """In the order of the table `audit`, as of AuditRecord."""
        peer = self.peer
        texts = (self.pv, self.old[:MAX_TEXT], self.new[:MAX_TEXT], self.outcome[:MAX_TEXT])
        return (self.time_ns, peer.user, peer.host, f"{peer.address}:{peer.port}", *texts)

    def record(self) -> AuditRecord:
        """As others keep it."""
        return AuditRecord(*self.columns())


def as_line(record: AuditRecord) -> str:
    """A put in a line, as the PV `LastChange` shows it."""
    change = f"{record.old} -> {record.new}" if record.old else record.new
    return printable(f"{format_utc(record.time_ns)} {record.user}@{record.peer} {record.pv} {' '.join(change.split())}")


def trim(connection: sqlite3.Connection) -> None:
    """Remove all but the newest KEPT_ENTRIES of the table `audit`. Raises sqlite3.Error."""
    connection.execute("DELETE FROM audit WHERE rowid <= (SELECT coalesce(max(rowid), 0) FROM audit) - ?", (KEPT_ENTRIES,))
