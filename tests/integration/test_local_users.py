"""What other users of the machine can do with the files of an archiver, and what a member of its group can read."""

from __future__ import annotations

import grp
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from archioc.core.directories import SHARED_MEMORY, Directories, lock_state_dir, make_run_dir
from archioc.core.errors import RunDirError, StateDirError
from archioc.core.machine.file_lock import is_held
from archioc.core.machine.private_files import FileAccess
from archioc.core.machine.python_module import python_module
from archioc.core.table.table import ChannelTable
from archioc.demo.ca_environment import with_variables
from tests.conftest import ArchiverFactory, SoftIocFactory
from tests.processes.archiver import Archiver
from tests.processes.waiting import wait_until

STRANGER = 65534
"""The user `nobody`."""
GROUP = "games"
"""A group that every Debian has."""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")

RECORD = 'record(calc, "{0}A") {{ field(SCAN, ".1 second") field(INPA, "{0}A") field(CALC, "A+1") }}\n'
READING = (
    ("status",), ("get", "*", "--start", "-1h"), ("audit",), ("explain", "{0}A", "now"), ("report", "never"), ("channels", "list"),
    ("spool", "ls"), ("quarantine", "list"),
)  # fmt: skip


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A directory that everybody can reach: pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="archioc-users-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


def as_stranger(*words: str, groups: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a program as another user."""
    return subprocess.run(
        words, user=STRANGER, group=STRANGER, extra_groups=groups, capture_output=True, text=True, timeout=60, check=False, cwd="/",
        env=with_variables({"HOME": "/"}),
    )  # fmt: skip


@pytest.fixture
def running(tmp_path: Path, softioc: SoftIocFactory, archiver: ArchiverFactory, prefix: str, request: pytest.FixtureRequest) -> Archiver:
    """An archiver with one channel; the parameter is its setting archiver.group."""
    ioc = softioc(RECORD.format(prefix))
    group = {"group": request.param} if request.param else {}
    made = archiver([f"{prefix}A"], [ioc.port], more={"archiver": group})
    made.start(connected=1)
    made.wait_for_samples(f"{prefix}A", 0)
    made.directories.state.parent.chmod(0o755)
    made.config.chmod(0o644)
    return made


def archioc_as_stranger(made: Archiver, *words: str, groups: tuple[int, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command of `archioc` as another user."""
    command = [sys.executable, "-m", "tests.processes.as_user_program", str(STRANGER), ",".join(map(str, groups)) or "-"]
    command += [*words, "--config", str(made.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=with_variables({}))


def files_of(made: Archiver) -> Iterator[Path]:
    for top in (made.directories.state, made.directories.run.resolve()):
        yield top
        yield from top.rglob("*")


@pytest.mark.parametrize("running", [None], indirect=True)
def test_others_can_do_nothing(running: Archiver, prefix: str) -> None:
    """Without a group nobody else can read, write or lock a file of the archiver, and each command says so in one line."""
    for path in files_of(running):
        if not path.is_symlink():
            assert path.lstat().st_mode & (stat.S_IRWXO | stat.S_IRWXG) == 0, path
    found = as_stranger("find", str(running.directories.state), "-name", "*")
    assert "state.db" not in found.stdout
    assert as_stranger("flock", "-n", str(running.directories.lock), "true").returncode != 0
    for words in READING:
        arguments = [word.format(prefix) for word in words]
        done = archioc_as_stranger(running, *arguments)
        assert (done.returncode, done.stdout) == (1, ""), (words, done)
        assert done.stderr.startswith("archioc: "), done.stderr
        assert "Permission denied" in done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("running", [GROUP], indirect=True)
def test_a_member_of_the_group_reads(running: Archiver, prefix: str) -> None:
    """With archiver.group a member reads by every command, and can neither write, replace nor lock a file; others get nothing."""
    number = grp.getgrnam(GROUP).gr_gid
    for path in files_of(running):
        mode = path.lstat().st_mode
        if not path.is_symlink():
            assert path.lstat().st_gid == number, path
            assert mode & stat.S_IRWXO == 0, path
            assert mode & stat.S_IWGRP == 0 or stat.S_ISSOCK(mode), path
    for words in READING:
        arguments = [word.format(prefix) for word in words]
        done = archioc_as_stranger(running, *arguments, groups=(number,))
        assert done.returncode == 0, (words, done.stderr)
        assert done.stderr == ""
    locked = as_stranger("flock", "-n", str(running.directories.lock), "true", groups=(number,))
    assert locked.returncode != 0
    status = archioc_as_stranger(running, "status", groups=(number,))
    assert "is running" in status.stdout


def test_a_run_directory_of_a_stranger(tmp_path: Path) -> None:
    """A directory that somebody else has made in shared memory under our name is not used, and nothing behind its links is written."""
    directories = Directories(tmp_path / "state")
    lock_state_dir(directories).close()
    place = make_run_dir(directories, None, 1)
    shutil.rmtree(place)
    directories.run.unlink()
    victim = tmp_path / "victim"
    victim.write_text("of the archiver's user")
    script = f"umask 0; mkdir {place} && ln -s {victim} {place}/settings.table.new"
    assert as_stranger("sh", "-c", script).returncode == 0
    try:
        ours = make_run_dir(directories, None, 1)
        assert ours != place
        assert stat.S_IMODE(ours.stat().st_mode) == 0o700
        table = ChannelTable(ours)
        table.create(10)
        table.close()
        assert victim.read_text() == "of the archiver's user"
        assert make_run_dir(directories, None, 1) == ours, "the next start uses the same"
    finally:
        shutil.rmtree(place)
        shutil.rmtree(ours)


def test_a_file_is_never_made_through_a_link(tmp_path: Path) -> None:
    """A link that lies where a table is to be made is removed, and what it leads to stays as it is."""
    victim = tmp_path / "victim"
    victim.write_text("stays")
    (tmp_path / "settings.table.new").symlink_to(victim)
    table = ChannelTable(tmp_path)
    table.create(10)
    table.close()
    assert victim.read_text() == "stays"
    (tmp_path / "settings.table").unlink()
    (tmp_path / "settings.table").symlink_to(victim)
    with pytest.raises(RunDirError, match=r"settings\.table: cannot be opened"):
        ChannelTable(tmp_path).open()


@pytest.mark.parametrize(("mode", "owner"), [(0o777, STRANGER), (0o700, STRANGER)])
def test_a_state_directory_of_a_stranger(tmp_path: Path, mode: int, owner: int) -> None:
    """A state directory that belongs to another user is refused with its path and owner."""
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, owner, owner)
    state.chmod(mode)
    with pytest.raises(StateDirError, match=rf"{state}: belongs to user nobody"):
        lock_state_dir(Directories(state))


def test_our_own_directory_is_closed(tmp_path: Path) -> None:
    """A state directory of ours that everybody could read is closed at the next start."""
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    lock_state_dir(Directories(state)).close()
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert stat.S_IMODE((state / "lock").stat().st_mode) == 0o600


def test_an_unknown_group() -> None:
    """A group that does not exist is refused by name."""
    with pytest.raises(StateDirError, match=r"archiver\.group: there is no group 'nobody-has-this'"):
        FileAccess.of("nobody-has-this")


_ORPHAN = """
import os, pathlib, sys, time
from archioc.core.directories import Directories, lock_state_dir
lock = lock_state_dir(Directories(pathlib.Path(sys.argv[1])))
if os.fork() == 0:
    print(os.getpid(), flush=True)
    os.close(1)
    time.sleep(60)
"""
"""Takes the lock, leaves it to a child, and ends."""


def test_sigterm_while_it_waits_for_orphans(tmp_path: Path) -> None:
    """An archiver that waits for the processes of a killed one ends with 0 at SIGTERM."""
    config = tmp_path / "site.yml"
    config.write_text("archiver: {state_dir: ./state}\nchannels: [A]\n")
    directories = Directories(tmp_path / "state")
    directories.state.mkdir()
    holder = subprocess.Popen([sys.executable, "-c", _ORPHAN, str(directories.state)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    orphan = int(holder.stdout.readline())
    holder.stdout.close()
    holder.wait(30)
    assert is_held(directories.lock)
    archiver = subprocess.Popen(python_module("archioc", "run", str(config)), stderr=subprocess.PIPE, text=True)
    assert archiver.stderr is not None
    assert "waits_for_orphans" in archiver.stderr.readline()
    archiver.terminate()
    assert archiver.wait(20) == 0
    archiver.stderr.close()
    os.kill(orphan, signal.SIGKILL)
    wait_until(lambda: not is_held(directories.lock), 10, "the orphan has ended")


def test_shared_memory_is_left_clean() -> None:
    """These tests leave no directory of the stranger behind."""
    assert [path for path in SHARED_MEMORY.iterdir() if path.stat().st_uid == STRANGER] == []
