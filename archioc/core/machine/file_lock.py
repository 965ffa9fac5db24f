"""A lock file that one process holds, and who that is.

The lock is flock(2). Processes that inherit the descriptor hold it as well, until the last of them ends. The file has mode 0600: whoever
can open a file can lock it, and nobody but the owner shall keep an archiver from starting.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

LOCKS = Path("/proc/locks")
"""All file locks of the machine, readable for everybody (proc_locks(5))."""


class LockHeld(Exception):
    """Another process holds the lock. holder: its process number, None where it cannot be known."""

    def __init__(self, holder: int | None) -> None:
        super().__init__(f"process {holder}" if holder else "somebody")
        self.holder = holder


def hold(path: Path) -> IO[str]:
    """Lock a file, which is made if it does not exist, and write this process's number into it; keep the returned file open as long.

    Raises LockHeld, and OSError where the file is a link or belongs to somebody else.
    """
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+")
    try:
        if os.fstat(file.fileno()).st_uid == os.geteuid():
            os.fchmod(file.fileno(), 0o600)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(path, file.read())
        file.close()
        raise LockHeld(holder) from None
    except OSError:
        file.close()
        raise
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def is_held(path: Path) -> bool:
    """Whether a process holds the lock. Needs no right to open the file: a member of the group may ask as well."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return False
    except PermissionError:
        return bool(_lockers(path))
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who ask at the same time do not disturb each other
        except BlockingIOError:
            return True
        return False


def _holder(path: Path, content: str) -> int | None:
    """The process that took the lock, where it is still alive and the machine's list of locks agrees."""
    named = int(content) if content.strip().isdecimal() else 0
    return named if named in _lockers(path) and Path(f"/proc/{named}").exists() else None


def _lockers(path: Path) -> set[int]:
    """Numbers of the processes that have taken a flock on a file; a process may have ended since and left it to its children."""
    inode = str(path.stat().st_ino)
    found = set()
    for line in LOCKS.read_text().splitlines():
        words = line.split()  # number, kind, advisory or mandatory, access, process, device:inode, start, end
        if len(words) >= 6 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode:
            found.add(int(words[4]))
    return found
