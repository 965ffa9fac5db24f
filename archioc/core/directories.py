"""Where an archiver keeps what: the state directory (kept) and the run directory (gone at reboot)."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import structlog

from archioc.core.errors import RunDirError, StateDirError, StateDirInUse
from archioc.core.machine.file_lock import LockHeld, hold, is_held
from archioc.core.machine.private_files import PRIVATE, FileAccess, user_name

_log = structlog.get_logger()

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
    def archive_record(self) -> Path:
        """Which archives have been written to, and when they were last signed."""
        return self.state / "archive.json"

    @property
    def incidents(self) -> Path:
        """What happened to the store and nobody has acknowledged yet."""
        return self.state / "incidents"

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


def lock_state_dir(directories: Directories, access: FileAccess = PRIVATE) -> IO[str]:
    """Lock the state directory for this process, and make it if it does not exist; keep the returned file open as long.

    access: who may read it. Raises StateDirInUse when another archiver has it, StateDirError when it cannot be used.
    """
    try:
        access.make(directories.state, follow=True)
        return hold(directories.lock)
    except LockHeld as held:
        raise StateDirInUse(f"{directories.state}: another archiver runs on it ({held})", held.holder) from None
    except OSError as error:
        advice = f"make it and give it to this user: install -d -o {user_name(os.geteuid())} {directories.state}"
        raise StateDirError(f"{error.filename or directories.state}: cannot be used: {error.strerror or error}; {advice}") from None


def is_locked(directories: Directories) -> bool:
    """Whether an archiver runs on this state directory. Raises OSError where this user may not look into it."""
    return is_held(directories.lock)


def make_run_dir(directories: Directories, configured: Path | None, needed: int, access: FileAccess = PRIVATE) -> Path:
    """Make the run directory, for nobody but us, and have `state/run` lead to it; the path it really has.

    configured: `archiver.run_dir`, None to choose: the directory that systemd made (RuntimeDirectory=), else shared memory, where
        it has `needed` bytes free, otherwise the state directory itself. Raises RunDirError.
    """
    try:
        place = configured or _default_place(directories, needed, access)
        if place == directories.run and place.is_symlink():
            place.unlink()  # it led to a place that is not in use any more
        access.make(place)
        if place != directories.run:
            _link(directories.run, place)
    except StateDirError as error:
        raise RunDirError(str(error)) from None
    except OSError as error:
        raise RunDirError(f"{configured or directories.run}: cannot be the run directory: {error.strerror}") from None
    return place


def _default_place(directories: Directories, needed: int, access: FileAccess) -> Path:
    memory = Path(os.environ["RUNTIME_DIRECTORY"].split(":")[0]) if os.environ.get("RUNTIME_DIRECTORY") else SHARED_MEMORY
    tag = hashlib.sha256(os.fsencode(directories.state.resolve())).hexdigest()[:12]
    name = f"archioc-{os.getuid()}-{tag}"
    former = directories.run.readlink() if directories.run.is_symlink() else None
    if former is not None and former.name.startswith(name) and former.parent == memory and former.is_dir() and _is_ours(former):
        return former
    if not (memory / name).is_dir() and not _has_room(memory, needed):
        return directories.run
    try:
        access.make(memory / name)
    except StateDirError as error:  # anybody can make a directory of this name in shared memory before us
        _log.warning("run_dir_refused", reason=str(error))
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=memory))
    return memory / name


def _is_ours(place: Path) -> bool:
    found = place.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _has_room(memory: Path, needed: int) -> bool:
    if not os.access(memory, os.W_OK):
        return False
    space = os.statvfs(memory)
    return space.f_bavail * space.f_frsize >= needed


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
