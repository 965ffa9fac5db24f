"""Who added or removed a channel, from the audit in `state.db`."""

from __future__ import annotations

import fnmatch
import time
from dataclasses import dataclass
from pathlib import Path

from archioc.core.registry import RegistryReader

COMMANDS = frozenset({"Add", "AddList", "Remove", "RemoveList"})


@dataclass(frozen=True, slots=True)
class Put:
    """A put that was done. command: the last part of the PV's name."""

    time_ns: int
    who: str
    command: str


def puts_about(registry: Path, channel: str) -> list[Put]:
    """Puts to Add, AddList, Remove and RemoveList that name a channel, or match it by a glob, oldest first. Raises RegistryError."""
    reader = RegistryReader(registry)
    try:
        records = reader.audit_between(0, time.time_ns())
    finally:
        reader.close()
    found = []
    for record in records:
        command = record.pv.rpartition(":")[2]
        words = record.new.replace(",", " ").split()
        if record.done and command in COMMANDS and any(word == channel or fnmatch.fnmatchcase(channel, word) for word in words):
            found.append(Put(record.time_ns, f"{record.peer} (user {record.user or 'unknown'})", command))
    return found
