from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from archioc.cli.check.check import check, restore_registry
from archioc.core.directories import Directories, lock_state_dir
from archioc.core.errors import RegistryError, StateDirInUse
from archioc.ioc.registry import writer as registry_module
from archioc.ioc.registry.backup import KEPT_BACKUPS, back_up, backups, check_registry
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.writer import Registry

MS = 1_000_000


@pytest.fixture
def directories(tmp_path: Path) -> Directories:
    state = tmp_path / "state"
    state.mkdir()
    return Directories(state)


@pytest.fixture
def registry(directories: Directories) -> Iterator[Registry]:
    made = Registry(directories.registry)
    yield made
    made.close()


@pytest.fixture
def config(tmp_path: Path, directories: Directories) -> Path:
    path = tmp_path / "site.yml"
    path.write_text(f"archiver: {{state_dir: {directories.state}}}\nspool: {{min_free: 1kB}}\n")
    return path


def change(registry: Registry) -> None:
    registry.commit(Change(fingerprint=f"{registry.revision}"), (), registry.revision + 1)
    registry.accept(Change(fingerprint=f"{registry.revision}"), registry.revision + 1)


def damage(path: Path) -> None:
    """Overwrite the pages of tables, as a bad disk does; the header stays."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


def test_newest_copies_are_kept_and_each_is_whole(directories: Directories, registry: Registry) -> None:
    """Each start with a changed registry makes a copy that holds what is committed by then, one without a change none; the newest stay."""
    for number in range(KEPT_BACKUPS + 2):
        change(registry)
        assert back_up(directories.registry, directories.backups, (1000 + number) * MS) is not None
        assert back_up(directories.registry, directories.backups, (5000 + number) * MS) is None
    found = backups(directories.backups)
    assert [check_registry(path).revision for path in found] == list(range(3, KEPT_BACKUPS + 3))
    assert sorted(directories.backups.iterdir()) == found, "nothing else is left there"


def test_damaged_registry_is_told_and_restored(
    directories: Directories, registry: Registry, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged registry refuses to start and names the way back; check finds it; after that way the state of the copy is there."""
    change(registry)
    back_up(directories.registry, directories.backups)
    registry.close()
    damage(directories.registry)
    with pytest.raises(RegistryError, match="archioc check CONFIG --restore newest"):
        Registry(directories.registry)
    assert not check(config)
    assert f"registry FAULT: {directories.registry}: " in capsys.readouterr().out
    restore_registry(config, "newest")
    assert "restored from" in capsys.readouterr().out
    again = Registry(directories.registry)
    assert again.revision == 1
    again.close()
    assert check(config)
    assert list(directories.state.glob("state.db.aside-*")), "the damaged one is kept for a person to look at"


def test_bad_copy_and_running_archiver_change_nothing(directories: Directories, registry: Registry, config: Path, tmp_path: Path) -> None:
    """A copy that is damaged, missing or no database is refused, and so is a restore under a running archiver; the registry stays."""
    change(registry)
    made = back_up(directories.registry, directories.backups)
    assert made is not None
    registry.close()
    before = directories.registry.read_bytes()
    with lock_state_dir(directories), pytest.raises(StateDirInUse):
        restore_registry(config, "newest")
    damage(made)
    (tmp_path / "text").write_text("no database " * 1000)
    for wanted in ("newest", str(tmp_path / "none"), str(tmp_path / "text")):
        with pytest.raises(RegistryError):
            restore_registry(config, wanted)
    assert directories.registry.read_bytes() == before


def test_locked_registry_is_told(directories: Directories, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that another program holds is told as that, not as damage."""
    registry.close()
    monkeypatch.setattr(registry_module, "BUSY_TIMEOUT_S", 0.1)
    with closing(sqlite3.connect(directories.registry, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE meta SET revision = revision")
        with pytest.raises(RegistryError, match="another program holds it"):
            Registry(directories.registry)


def test_check_of_what_has_never_run(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the first start a valid configuration has no fault; a line for each thing is written."""
    (tmp_path / "state").mkdir(exist_ok=True)
    assert check(config)
    names = [line.partition(" ")[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["configuration", "registry", "spool", "disk", "store", "incidents"]
