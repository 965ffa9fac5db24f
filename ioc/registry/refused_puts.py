"""Refused puts: an entry for each address, PV and minute, with the number of puts that it stands for.

They have a table of their own, with a limit of its own: whoever may not put can neither push out what was done, nor fill a disk.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from archioc.core.registry import MINUTE_NS
from archioc.ioc.peer import Peer
from archioc.ioc.registry.audit import AuditEntry

MOST_OF_ADDRESS, MOST = 100, 200
"""Entries of a minute: of one address, of all. What is beyond counts in one entry for other PVs of the address, or of other addresses."""

KEPT_REFUSED = 20_000
"""Newest entries that `state.db` keeps: some 12 MB of the longest ones."""

MAX_REFUSED_TEXT = 200
"""Characters kept of the value and of the reason."""

OTHER_PVS, OTHER_ADDRESSES = "(other PVs)", "(other addresses)"

_UPSERT = """
INSERT INTO refused_put (minute, address, time_ns, user, host, peer, pv, new, outcome, puts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (minute, address, pv) DO UPDATE SET puts = puts + excluded.puts
"""

_TRIM = "DELETE FROM refused_put WHERE rowid <= (SELECT coalesce(max(rowid), 0) FROM refused_put) - ?"

_Key = tuple[int, str, str]
"""Minute, address, PV."""


@dataclass(slots=True)
class Refused:
    """An entry. first: the first put that it stands for. unwritten: puts that are not in `state.db` yet."""

    minute: int
    address: str
    first: AuditEntry
    unwritten: int

    def columns(self) -> tuple[int | str, ...]:
        """In the order of the table."""
        time_ns, user, host, peer, pv, _, new, outcome = self.first.columns()
        return (self.minute, self.address, time_ns, user, host, peer, pv, new, outcome, self.unwritten)


class RefusedPuts:
    """Those of the present minute, and those that are not written yet."""

    def __init__(self) -> None:
        self._minute = 0
        self._entries: dict[_Key, Refused] = {}
        self._of_address: Counter[str] = Counter()

    def add(self, entry: AuditEntry) -> bool:
        """Count a refused put; whether it is the first that its entry stands for."""
        minute = entry.time_ns // MINUTE_NS
        if minute != self._minute:
            self._begin(minute)
        address, pv = entry.peer.address, entry.pv
        key = minute, address, pv
        if key not in self._entries and self._of_address[address] >= MOST_OF_ADDRESS:
            key, entry = (minute, address, OTHER_PVS), replace(entry, pv=OTHER_PVS)
        if key not in self._entries and self._of_address.total() >= MOST:
            key, entry = (minute, OTHER_ADDRESSES, OTHER_PVS), replace(entry, pv=OTHER_PVS, peer=Peer(OTHER_ADDRESSES, 0))
        found = self._entries.get(key)
        if found is not None:
            found.unwritten += 1
            return False
        first = replace(entry, old="", new=entry.new[:MAX_REFUSED_TEXT], outcome=entry.outcome[:MAX_REFUSED_TEXT])
        self._entries[key] = Refused(minute, key[1], first, 1)
        self._of_address[key[1]] += 1
        return True

    def _begin(self, minute: int) -> None:
        self._minute = minute
        self._entries = {key: one for key, one in self._entries.items() if one.unwritten}
        self._of_address.clear()

    @property
    def waiting(self) -> bool:
        """Whether some are to be written."""
        return any(one.unwritten for one in self._entries.values())

    def take(self) -> list[Refused]:
        """What is to be written now; give it back to `put_back` where that fails."""
        taken = [replace(one) for one in self._entries.values() if one.unwritten]
        for one in self._entries.values():
            one.unwritten = 0
        return taken

    def put_back(self, taken: Iterable[Refused]) -> None:
        """It could not be written. Of earlier minutes no more than MOST entries are kept."""
        earlier = 0
        for one in taken:
            key = one.minute, one.address, one.first.pv
            found = self._entries.get(key)
            if found is not None:
                found.unwritten += one.unwritten
            elif earlier < MOST:
                self._entries[key] = one
                earlier += 1


def write_refused(connection: sqlite3.Connection, taken: Iterable[Refused]) -> None:
    """Write entries into the table `refused_put`, and remove all but the newest KEPT_REFUSED. Raises sqlite3.Error."""
    connection.executemany(_UPSERT, [one.columns() for one in taken])
    connection.execute(_TRIM, (KEPT_REFUSED,))
