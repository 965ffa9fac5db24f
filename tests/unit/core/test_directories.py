from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archioc.core import directories as directories_module
from archioc.core.directories import Directories, is_locked, lock_state_dir, make_run_dir
from archioc.core.errors import RunDirError, StateDirInUse


@pytest.fixture
def directories(tmp_path: Path) -> Directories:
    made = Directories(tmp_path / "state")
    made.state.mkdir()
    return made


@pytest.fixture
def shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that stands for /dev/shm."""
    place = tmp_path / "shm"
    place.mkdir()
    monkeypatch.setattr(directories_module, "SHARED_MEMORY", place)
    return place


@pytest.fixture
def other_process(directories: Directories) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock."""
    program = (
        "import sys, pathlib; from archioc.core.directories import *;"
        "held = lock_state_dir(Directories(pathlib.Path(sys.argv[1]))); print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", program, directories.state], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate(timeout=10)


def test_everything_lies_below_the_state_directory(directories: Directories) -> None:
    """All paths are in the state directory; ring and query socket in the run directory."""
    state = directories.state
    kept = (directories.registry, directories.spool, directories.store, directories.run, directories.lock, directories.alive)
    assert {path.parent for path in kept} == {state}
    assert {path.parent for path in (directories.ring, directories.query_socket)} == {directories.run}


def test_a_lock_makes_the_directory(tmp_path: Path) -> None:
    """Locking a state directory that is not there makes it, and the lock names this process."""
    directories = Directories(tmp_path / "deep" / "state")
    with lock_state_dir(directories):
        assert directories.lock.read_text() == f"{os.getpid()}\n"
        assert is_locked(directories)
    assert not is_locked(directories)


def test_a_second_archiver_is_refused(directories: Directories, other_process: subprocess.Popen[str]) -> None:
    """While another process has the lock, taking it fails and says which process that is; the lock file stays as it is."""
    with pytest.raises(StateDirInUse, match=rf"state: another archiver runs on it \(process {other_process.pid}\)"):
        lock_state_dir(directories)
    assert is_locked(directories)
    assert directories.lock.read_text() == f"{other_process.pid}\n"


def test_a_killed_archiver_leaves_no_lock(directories: Directories, other_process: subprocess.Popen[str]) -> None:
    """After kill -9 of the holder the lock is free, whatever its file says."""
    other_process.kill()
    other_process.wait(10)
    assert not is_locked(directories)
    lock_state_dir(directories).close()


def test_no_lock_file_no_lock(directories: Directories) -> None:
    """A state directory that no archiver has used is not locked, and asking makes no file."""
    assert not is_locked(directories)
    assert not directories.lock.exists()


def test_the_run_directory_is_in_shared_memory(directories: Directories, shared_memory: Path) -> None:
    """Where shared memory has room the run directory is made there, and `state/run` leads to it; the next start finds the same."""
    place = make_run_dir(directories, None, 1000)
    assert place.parent == shared_memory
    assert directories.run.is_symlink()
    assert directories.run.resolve() == place
    (place / "ring").touch()
    assert make_run_dir(directories, None, 1 << 60) == place  # it is there already: its room is taken
    assert directories.ring.exists()


def test_two_archivers_do_not_share_a_run_directory(tmp_path: Path, shared_memory: Path) -> None:
    """Each state directory has its own place in shared memory, whichever path leads to it."""
    places = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        places.append(make_run_dir(Directories(tmp_path / name), None, 1))
    assert places[0] != places[1]
    (tmp_path / "link").symlink_to(tmp_path / "one")
    assert make_run_dir(Directories(tmp_path / "link"), None, 1) == places[0]
    assert len(list(shared_memory.iterdir())) == 2


def test_without_room_the_state_directory_serves(directories: Directories, shared_memory: Path) -> None:
    """Where shared memory is too small, or is not there, `state/run` is a directory itself."""
    assert make_run_dir(directories, None, 1 << 60) == directories.run
    assert directories.run.is_dir()
    assert not directories.run.is_symlink()
    shared_memory.rmdir()
    assert make_run_dir(directories, None, 1) == directories.run


def test_a_configured_place_is_taken(directories: Directories, tmp_path: Path) -> None:
    """A configured run directory is made with its parents, and `state/run` leads there, also when it moves."""
    for name in ("first", "second"):
        wanted = tmp_path / "run" / name
        assert make_run_dir(directories, wanted, 1) == wanted
        assert directories.run.resolve() == wanted


def test_a_run_directory_that_moves_out_of_the_state_directory(directories: Directories, shared_memory: Path, tmp_path: Path) -> None:
    """A directory `state/run` gives way to a link when the place is another one."""
    make_run_dir(directories, None, 1 << 60)
    (directories.run / "ring").touch()
    make_run_dir(directories, tmp_path / "elsewhere", 1)
    assert directories.run.is_symlink()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_run_directory_that_moves_back(directories: Directories, shared_memory: Path) -> None:
    """When shared memory was emptied and has no room any more, the link gives way to a directory."""
    place = make_run_dir(directories, None, 1)
    shutil.rmtree(place)
    assert make_run_dir(directories, None, 1 << 60) == directories.run
    assert directories.run.is_dir()
    assert not directories.run.is_symlink()


def test_a_place_that_cannot_be_a_directory(directories: Directories, tmp_path: Path) -> None:
    """A place that is a file is refused with its path and the system's reason."""
    (tmp_path / "file").touch()
    with pytest.raises(RunDirError, match=rf"file: cannot be the run directory: {os.strerror(errno.EEXIST)}"):
        make_run_dir(directories, tmp_path / "file", 1)
    with pytest.raises(RunDirError, match=rf"below: cannot be the run directory: {os.strerror(errno.ENOTDIR)}"):
        make_run_dir(directories, tmp_path / "file" / "below", 1)
