"""Who added or removed a channel, from the audit in `state.db`."""

from __future__ import annotations

import fnmatch
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from archioc.core.errors import RegistryError
from archioc.core.registry import BUSY_TIMEOUT_S

_SELECT = (
    "SELECT time_ns, user, peer, pv, new FROM audit WHERE outcome = 'done' AND (pv LIKE '%Add%' OR pv LIKE '%Remove%') ORDER BY time_ns"
)


@dataclass(frozen=True, slots=True)
class Put:
    """A put that was done. command: the last part of the PV's name."""

    time_ns: int
    who: str
    command: str


def puts_about(registry: Path, channel: str) -> list[Put]:
    """Puts to Add, AddList, Remove and RemoveList that name a channel, or match it by a glob, oldest first. Raises RegistryError."""
    try:
        connection = sqlite3.connect(f"{registry.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
        try:
            rows = connection.execute(_SELECT).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise RegistryError(f"{registry}: cannot be read: {error}") from None
    return [
        Put(time_ns, f"{peer} (user {user or 'unknown'})", pv.rpartition(":")[2])
        for time_ns, user, peer, pv, new in rows
        if any(word == channel or fnmatch.fnmatchcase(channel, word) for word in new.replace(",", " ").split())
    ]
