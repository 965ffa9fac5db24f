"""The one way in which the spool, and the journals that go with it, reach a disk.

Everything that can fail or be lost goes through `Disk`, so that tests can put a disk in its place that
loses what was not fsynced, dies at any call, is full, read-only or broken.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol


class FileStat(NamedTuple):
    """size: bytes. modified_ns: time of the last write (ns since 1970)."""

    size: int
    modified_ns: int


class Disk(Protocol):
    """What the spool asks of a file system. Every method may raise OSError.

    What is relied upon: a rename is atomic, also between two directories and through a power cut; what
    `sync` and `sync_directory` have returned from survives one; of the rest nothing, some or all may.
    """

    def make_directory(self, path: Path) -> None:
        """Make a directory and those above it; one that is there is left as it is."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Make durable which names a directory holds."""
        ...

    def names(self, directory: Path) -> list[str]:
        """Names in a directory, in any order."""
        ...

    def stat(self, path: Path) -> FileStat:
        """Size and age of a file."""
        ...

    def read(self, path: Path, at_most: int = -1) -> bytes:
        """The beginning of a file; all of it when `at_most` is negative."""
        ...

    def create(self, path: Path) -> int:
        """Open a new, empty file for writing, in place of one of that name; its descriptor."""
        ...

    def write(self, descriptor: int, data: memoryview) -> int:
        """Append; how many bytes were taken."""
        ...

    def sync(self, descriptor: int) -> None:
        """Make the content of a file durable; its name is another matter."""
        ...

    def close(self, descriptor: int) -> None:
        """Let go of a descriptor."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Move a file, in place of one of the new name."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file."""
        ...

    def free_bytes(self, path: Path) -> int:
        """Free space for this user on the file system of a directory."""
        ...


class OsDisk:
    """The disk of this machine."""

    def make_directory(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def names(self, directory: Path) -> list[str]:
        return os.listdir(directory)  # noqa: PTH208 - names of a long spool, twice a second: no Path for each

    def stat(self, path: Path) -> FileStat:
        found = path.stat()
        return FileStat(found.st_size, found.st_mtime_ns)

    def read(self, path: Path, at_most: int = -1) -> bytes:
        with path.open("rb") as file:
            return file.read(at_most)

    def create(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)

    def write(self, descriptor: int, data: memoryview) -> int:
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def free_bytes(self, path: Path) -> int:
        space = os.statvfs(path)
        return space.f_bavail * space.f_frsize


def write_file(disk: Disk, path: Path, parts: Iterable[bytes | memoryview], *, durable: bool) -> None:
    """Write a whole file of these bytes; durable: its content is on the disk when this returns (its name not yet)."""
    descriptor = disk.create(path)
    try:
        for part in parts:
            left = memoryview(part)
            while left:
                left = left[disk.write(descriptor, left) :]
        if durable:
            disk.sync(descriptor)
    finally:
        disk.close(descriptor)
