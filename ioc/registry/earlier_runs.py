"""What shows that an archiver has run on a state directory before: then a registry that is missing, empty or older is damage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from archioc.core.alive import AliveDamaged, read_alive
from archioc.core.directories import Directories
from archioc.core.errors import RegistryError
from archioc.ioc.registry.audit_log import AUDIT_LOG

WAY_OUT = "`archioc check CONFIG --restore newest` goes back to the last copy of it"
BEGIN_ANEW = "`archioc check CONFIG --restore empty` begins anew with the channels of the file"


def refuse_nothing(registry: Path) -> None:
    """Raise RegistryError for a registry without content where an archiver has run before: that is damage, not a first start."""
    signs = list(_signs(Directories(registry.parent)))
    if signs:
        raise RegistryError(f"it holds nothing, but an archiver has run here before: there is {', '.join(signs)}; {BEGIN_ANEW}")


def refuse_older(registry: Path, revision: int) -> None:
    """Raise RegistryError for a registry that has gone back behind what was collected."""
    try:
        collected = _collected(Directories(registry.parent))
    except AliveDamaged:  # the engine says so, and begins its gap where the spool ends
        return
    if revision < collected:
        raise RegistryError(f"it is at revision {revision}, but revision {collected} was collected already: later changes are gone")


def _signs(directories: Directories) -> Iterator[str]:
    """The catalog of the store is none: the db process makes it beside the first registry."""
    for word, place, patterns in (
        ("backup/", directories.backups, ("*.db",)),
        (AUDIT_LOG, directories.state, (AUDIT_LOG, f"{AUDIT_LOG}.*")),
        ("store/", directories.store, ("????-??-??.duckdb", "late.duckdb")),
        ("spool/", directories.spool, ("new/*.batch", "sending/*.batch")),
        ("open_gaps", directories.state, ("open_gaps", "audit_sent")),
    ):
        if any(True for pattern in patterns for _ in place.glob(pattern)):
            yield word
    try:
        if revision := _collected(directories):
            yield f"alive (revision {revision})"
    except AliveDamaged:
        yield "alive"


def _collected(directories: Directories) -> int:
    """The newest revision that was collected, 0 where none was. Raises AliveDamaged, RegistryError."""
    try:
        found = read_alive(directories.alive)
    except OSError as error:
        raise RegistryError(f"{directories.alive}: cannot be read: {error.strerror}") from None
    return found.revision if found else 0
