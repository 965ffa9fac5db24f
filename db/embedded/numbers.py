"""Which number stands for which channel in each file: a file has numbers of its own, and the names beside them."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import duckdb

from archioc.db.embedded.tables import CATALOG

Numbers = dict[str, int]
"""Number in one file by the name of the channel."""

_OF_EARLIER = f'select id from "{CATALOG}".channel where name = ?'  # noqa: S608 - a constant
_NUMBERED = f' and id < (select coalesce(max(numbered), 0) from "{CATALOG}".archive)'  # noqa: S608 - a constant


class ChannelNumbers:
    """What is known of the files that are open. A number is never given to another channel of its file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[str, Numbers] = {}
        self._all: dict[str, Numbers] = {}

    def forget(self, file: str) -> None:
        """A file is not open any more."""
        with self._lock:
            self._asked.pop(file, None)
            self._all.pop(file, None)

    def clear(self) -> None:
        """No file is open any more."""
        with self._lock:
            self._asked.clear()
            self._all.clear()

    def of(self, cursor: duckdb.DuckDBPyConnection, file: str, channel: str) -> int | None:
        """The number of a channel in a file; None where the file has nothing of it."""
        known = self._asked.get(file, {}).get(channel)
        if known is None:
            try:
                found = cursor.execute("select id from channel where name = ?", [channel]).fetchone()
            except duckdb.CatalogException:  # a file of an earlier version, which is only read
                found = _of_earlier(cursor, channel)
            if found is None:
                return None
            known = int(found[0])
            with self._lock:
                self._asked.setdefault(file, {})[channel] = known
        return known

    def with_new(self, cursor: duckdb.DuckDBPyConnection, file: str, channels: Iterable[str]) -> tuple[Numbers, Numbers]:
        """All numbers of a file, and those that these channels get because they have none: to be added to the former once committed."""
        known = self._all.get(file)
        if known is None:
            known = dict(cursor.execute("select name, id from channel").fetchall())
            with self._lock:
                self._all[file] = known
        lacking = sorted(channel for channel in channels if channel not in known)
        first = max(known.values(), default=-1) + 1 if lacking else 0
        return known, {channel: first + at for at, channel in enumerate(lacking)}


def _of_earlier(cursor: duckdb.DuckDBPyConnection, channel: str) -> tuple[int] | None:
    """The number that the catalog of an earlier version has for a channel."""
    knows_itself = cursor.execute("select 1 from duckdb_tables() where database_name = ? and table_name = 'archive'", [CATALOG]).fetchone()
    return cursor.execute(_OF_EARLIER + (_NUMBERED if knows_itself else ""), [channel]).fetchone()
