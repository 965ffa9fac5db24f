"""Copies of `state.db`: one at each start, and the way back to one of them."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from archioc.core.errors import ArchiocError, RegistryError
from archioc.core.registry import BUSY_TIMEOUT_S, SCHEMA_VERSION
from archioc.ioc.registry.content import Content, read_content
from archioc.ioc.registry.schema import make_tables

KEPT_BACKUPS = 5

_SUFFIXES = ("", "-wal", "-shm")
"""The files of one database."""


def backups(directory: Path) -> list[Path]:
    """The copies there are, oldest first."""
    return sorted(directory.glob("state-*.db"))


def back_up(registry: Path, directory: Path, now_ns: int | None = None) -> Path | None:
    """Copy a healthy registry, as one state of it, and keep the newest KEPT_BACKUPS copies; None when the newest has this state.

    So starting again and again does not push the copies of earlier states out. Raises RegistryError.
    """
    now_ns = time.time_ns() if now_ns is None else now_ns
    known = backups(directory)
    try:
        directory.mkdir(exist_ok=True)
        if known and _revision(known[-1]) == _revision(registry):
            return None
        made = directory / f"state-{now_ns // 1_000_000:015d}.db"
        copy_registry(registry, made)
        for old in backups(directory)[:-KEPT_BACKUPS]:
            old.unlink()
    except (OSError, sqlite3.Error) as error:
        raise RegistryError(f"{directory}: no copy of {registry.name} could be made: {error}") from None
    return made


def back_up_earlier_version(registry: Path, directory: Path) -> Path | None:
    """Copy a registry that is about to be brought to the schema of this version, for the way back to the ArchIOC before it.

    None when it has the schema already, or is not there. Raises RegistryError.
    """
    if not registry.exists():
        return None
    try:
        with closing(_open(registry)) as connection:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if not 0 < version < SCHEMA_VERSION:
            return None
        directory.mkdir(exist_ok=True)
        made = directory / f"schema-{version}.db"
        copy_registry(registry, made)
    except (OSError, sqlite3.Error) as error:
        raise RegistryError(f"{directory}: no copy of {registry.name} could be made: {error}") from None
    return made


def restore(registry: Path, directory: Path, wanted: str) -> tuple[Path, Content, Path | None]:
    """Put a copy in the place of the registry of an archiver that does not run.

    wanted: `newest`, or the path of a copy. Returns the copy, what it holds, and where the registry that was there is now.
    Raises RegistryError, and then everything is as it was.
    """
    known = backups(directory)
    if wanted == "newest" and not known:
        raise RegistryError(f"{directory}: holds no copy of {registry.name}")
    source = known[-1] if wanted == "newest" else Path(wanted)
    content = check_registry(source)
    staged = registry.with_name(f"{registry.name}.part")
    try:
        copy_registry(source, staged)
        aside = _put_aside(registry)
        staged.rename(registry)
        _fsync_directory(registry.parent)
    except (OSError, sqlite3.Error) as error:
        raise RegistryError(f"{registry}: {source} could not be put here: {error}") from None
    return source, content, aside


def begin_anew(registry: Path) -> Path | None:
    """Put a registry without channels in the place of that of an archiver that does not run; where the one that was there is now.

    Raises RegistryError.
    """
    staged = registry.with_name(f"{registry.name}.part")
    try:
        staged.unlink(missing_ok=True)
        with closing(sqlite3.connect(staged, isolation_level=None)) as connection:
            make_tables(connection)
        aside = _put_aside(registry)
        staged.rename(registry)
        _fsync_directory(registry.parent)
    except (OSError, sqlite3.Error) as error:
        raise RegistryError(f"{registry}: cannot begin anew: {error}") from None
    return aside


def is_empty(path: Path) -> bool:
    """Whether a file is a database without any table, as a file without a byte is. Raises RegistryError."""
    try:
        with closing(_open(path)) as connection:
            return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,))
    except sqlite3.Error as error:
        raise RegistryError(f"{path}: cannot be read: {error}") from None


def check_registry(path: Path) -> Content:
    """What a registry holds, after a look at every page of it. Raises RegistryError."""
    if not path.is_file():
        raise RegistryError(f"{path}: is no file")
    try:
        with closing(_open(path)) as connection:
            verdict = "; ".join(text for (text,) in connection.execute("PRAGMA integrity_check(3)"))
        content = read_content(path) if verdict == "ok" else None
    except RegistryError:
        raise
    except (sqlite3.Error, ArchiocError, ValueError) as error:
        raise RegistryError(f"{path}: cannot be used: {error}") from None
    if content is None:
        raise RegistryError(f"{path}: is damaged: {' '.join(verdict.split())}")
    return content


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)


def _revision(path: Path) -> int:
    """-1, which no registry has, for a copy that cannot be read or is of another version."""
    try:
        with closing(_open(path)) as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
                return -1
            return int(connection.execute("SELECT revision FROM meta").fetchone()[0])
    except sqlite3.Error:
        return -1


def copy_registry(source: Path, target: Path) -> None:
    """A copy that is complete, and on disk, once it has its name."""
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    with closing(_open(source)) as connection, closing(sqlite3.connect(part)) as copy:
        connection.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    part.rename(target)
    _fsync_directory(target.parent)


def _put_aside(registry: Path) -> Path | None:
    """Give the files of a registry other names, for a person to look at; None when there is none."""
    stem = f"{registry.name}.aside-{time.time_ns() // 1_000_000}"
    for suffix in _SUFFIXES:
        file = registry.with_name(registry.name + suffix)
        if file.exists():
            file.rename(registry.with_name(stem + suffix))
    aside = registry.with_name(stem)
    return aside if aside.exists() else None


def _fsync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
