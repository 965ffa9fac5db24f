from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from archioc.demo.errors import DemoRunning


@dataclass(frozen=True, slots=True)
class DemoLock:
    """A lock that is held; a process that inherits its descriptor holds it as well.

    So a new demo does not clear away the files of an archiver that is left over from a demo that was killed.
    """

    descriptor: int

    def name_holder(self, pid: int) -> None:
        """Tell who asks in vain that this process holds the lock."""
        os.write(self.descriptor, f"{pid}\n".encode())


@contextmanager
def demo_lock(directory: Path) -> Iterator[DemoLock]:
    """Hold the directory against a second demo. Raises DemoRunning, which names the processes, when the lock is taken."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holders = ", ".join(file.read().split())
            raise DemoRunning(f"a demo is running in {directory} already (processes {holders}); stop it first") from None
        file.truncate(0)
        lock = DemoLock(file.fileno())
        lock.name_holder(os.getpid())
        yield lock
