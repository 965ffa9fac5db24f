from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from archioc.cli.check.check import check, restore_registry
from archioc.core.directories import Directories
from archioc.core.errors import RegistryError
from archioc.core.spool.spool import SpoolDirectory
from archioc.engine.channels.last_run import AliveFile
from archioc.ioc.registry.backup import back_up
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.writer import Registry

Sign = Callable[[Directories], None]


@pytest.fixture
def directories(tmp_path: Path) -> Directories:
    state = tmp_path / "state"
    state.mkdir()
    return Directories(state)


@pytest.fixture
def config(tmp_path: Path, directories: Directories) -> Path:
    path = tmp_path / "site.yml"
    path.write_text(f"archiver: {{state_dir: {directories.state}}}\nspool: {{min_free: 1kB}}\n")
    return path


def written(directories: Directories, revision: int) -> None:
    """A registry of this revision, closed."""
    registry = Registry(directories.registry)
    registry.commit(Change(fingerprint=f"{revision}"), (), revision)
    registry.close()


def touched(name: str) -> Sign:
    def touch(directories: Directories) -> None:
        path = directories.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    return touch


def a_copy(directories: Directories) -> None:
    written(directories, 1)
    back_up(directories.registry, directories.backups)


def a_batch(directories: Directories) -> None:
    SpoolDirectory(directories.spool).create()
    touched("spool/new/00000000000000000001-1.batch")(directories)


SIGNS: dict[str, Sign] = {
    "a copy": a_copy,
    "an audit": touched("audit.jsonl"),
    "an older audit": touched("audit.jsonl.3"),
    "samples": touched("store/2026-01-31.duckdb"),
    "a batch": a_batch,
    "open gaps": touched("open_gaps"),
    "what was collected": lambda directories: AliveFile(directories.alive).write(1, 4),
    "what was collected, lost": touched("alive"),
}


@pytest.mark.parametrize("lost", ["empty", "missing", "without a table"])
@pytest.mark.parametrize("sign", SIGNS)
def test_a_registry_that_is_lost_is_no_first_start(
    directories: Directories, config: Path, capsys: pytest.CaptureFixture[str], sign: str, lost: str
) -> None:
    """Where an archiver has run, a registry without content is refused at the start and by `check`, with the way out."""
    SIGNS[sign](directories)
    for file in directories.state.glob("state.db*"):
        file.unlink()
    if lost == "empty":
        directories.registry.touch()
    elif lost == "without a table":
        with closing(sqlite3.connect(directories.registry)) as made:
            made.execute("PRAGMA journal_mode = WAL")
    for _ in range(2):  # the refusal leaves nothing behind that would be taken for a registry
        with pytest.raises(RegistryError, match=r"an archiver has run here before.*--restore newest"):
            Registry(directories.registry)
    assert not check(config)
    assert f"registry FAULT: {directories.registry}: " in capsys.readouterr().out


def test_a_first_start_is_none_of_this(directories: Directories) -> None:
    """Empty directories, and the catalog that the db process may make first, are no sign of an earlier run."""
    for part in ("backup", "import"):
        (directories.state / part).mkdir()
    SpoolDirectory(directories.spool).create()
    touched("store/catalog.duckdb")(directories)
    Registry(directories.registry).close()


def test_a_registry_that_went_back_is_refused(directories: Directories, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A registry that is older than what was collected, as without its log, is refused; a copy that a person puts there is taken."""
    written(directories, 3)
    back_up(directories.registry, directories.backups)
    AliveFile(directories.alive).write(1, 5)
    with pytest.raises(RegistryError, match="at revision 3, but revision 5 was collected"):
        Registry(directories.registry)
    assert not check(config)
    assert "revision 5 was collected" in capsys.readouterr().out
    restore_registry(config, "newest")
    Registry(directories.registry).close()


def test_beginning_anew(directories: Directories, config: Path) -> None:
    """`--restore empty` puts a registry without channels in place of what cannot be used, and keeps that."""
    written(directories, 3)
    directories.registry.write_bytes(b"")
    AliveFile(directories.alive).write(1, 5)
    restore_registry(config, "empty")
    registry = Registry(directories.registry)
    assert (registry.channels, registry.revision) == ({}, 0)
    registry.close()
    assert list(directories.state.glob("state.db.aside-*"))
