"""Where an archiver keeps what: the state directory (kept) and the run directory (gone at reboot)."""

from __future__ import annotations

import fcntl
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from archioc.core.errors import RunDirError, StateDirInUse

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of this user and archiver is made in it, never a guessable file


@dataclass(frozen=True, slots=True)
class Directories:
    """Paths below one state directory. `docs/reference/contract/files.md` lists them."""

    state: Path

    @property
    def registry(self) -> Path:
        """Channels, settings, overrides, audit (SQLite)."""
        return self.state / "state.db"

    @property
    def backups(self) -> Path:
        """Copies of the registry."""
        return self.state / "backup"

    @property
    def imports(self) -> Path:
        """Files that the command `ImportFile` may read."""
        return self.state / "import"

    @property
    def spool(self) -> Path:
        """Batches on their way to the store."""
        return self.state / "spool"

    @property
    def store(self) -> Path:
        """The embedded store, where it is used and not put elsewhere."""
        return self.state / "store"

    @property
    def run(self) -> Path:
        """Channel table, event ring, query socket: a directory, or a link to one in memory."""
        return self.state / "run"

    @property
    def lock(self) -> Path:
        """Held by the running archiver."""
        return self.state / "lock"

    @property
    def alive(self) -> Path:
        """Written while collecting: tells when collecting ended, should all else be lost."""
        return self.state / "alive"

    @property
    def open_gaps(self) -> Path:
        """Which gaps have begun and not ended, should all else be lost."""
        return self.state / "open_gaps"

    @property
    def audit_sent(self) -> Path:
        """Up to where the audit has gone to the spool."""
        return self.state / "audit_sent"

    @property
    def ring(self) -> Path:
        """Events between Channel Access and the sampler."""
        return self.run / "ring"

    @property
    def query_socket(self) -> Path:
        """Unix socket on which the db process answers queries."""
        return self.run / "query.sock"

    @property
    def http_address(self) -> Path:
        """Where the http process listens."""
        return self.run / "http.json"

    @property
    def http_heartbeat(self) -> Path:
        """Touched by the event loop of the http process every second."""
        return self.run / "http.alive"


def lock_state_dir(directories: Directories) -> IO[str]:
    """Take the state directory for this process; keep the returned file open as long.

    Raises StateDirInUse when another archiver has it.
    """
    directories.state.mkdir(parents=True, exist_ok=True)
    file = directories.lock.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise StateDirInUse(f"{directories.state}: another archiver runs on it (process {owner})") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def is_locked(directories: Directories) -> bool:
    """Whether an archiver runs on this state directory."""
    try:
        file = directories.lock.open("r+")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def make_run_dir(directories: Directories, wanted: Path | None, room: int) -> Path:
    """Make the run directory and have `state/run` lead to it; the path it really has.

    wanted: the configured place, None to choose: shared memory where it has `room` bytes free,
        otherwise the state directory itself. Raises RunDirError.
    """
    place = wanted or _default_place(directories, room)
    try:
        if place == directories.run and place.is_symlink():
            place.unlink()  # it led to a place that is not the one any more
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
        if place != directories.run:
            _link(directories.run, place)
    except OSError as error:
        raise RunDirError(f"{place}: cannot be the run directory: {error.strerror}") from None
    return place


def _default_place(directories: Directories, room: int) -> Path:
    tag = hashlib.sha256(os.fsencode(directories.state.resolve())).hexdigest()[:12]
    place = SHARED_MEMORY / f"archioc-{os.getuid()}-{tag}"
    if place.is_dir():
        return place
    if not os.access(SHARED_MEMORY, os.W_OK):
        return directories.run
    space = os.statvfs(SHARED_MEMORY)
    return place if space.f_bavail * space.f_frsize >= room else directories.run


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    if link.is_dir() and not link.is_symlink():
        for old in link.iterdir():
            old.unlink()
        link.rmdir()
    else:
        link.unlink(missing_ok=True)
    link.symlink_to(target)
