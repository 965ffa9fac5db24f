"""A disk in memory that forgets what was not fsynced when the power goes, dies at any call, and fails on demand."""

from __future__ import annotations

import errno
import os
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Concatenate, ParamSpec, TypeVar

from archioc.core.spool import disk as spool_disk
from archioc.core.spool.disk import FileStat

P = ParamSpec("P")
R = TypeVar("R")


class Killed(BaseException):
    """The process ends here; a BaseException, so that nothing handles it."""


@dataclass(slots=True, eq=False)
class _File:
    """places: every name it has had, None before it was made and after it was unlinked, each with a number that grows.

    settled: index of the newest of these that a power cut cannot undo. durable: content that it cannot take.
    """

    data: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    places: list[tuple[int, Path | None]] = field(default_factory=lambda: [(0, None)])
    settled: int = 0

    @property
    def place(self) -> Path | None:
        return self.places[-1][1]


def _call(*, modifies: bool) -> Callable[[Callable[Concatenate[ModelDisk, P], R]], Callable[Concatenate[ModelDisk, P], R]]:
    """A call of the seam: it may die before and after it, and fail."""

    def wrap(method: Callable[Concatenate[ModelDisk, P], R]) -> Callable[Concatenate[ModelDisk, P], R]:
        def act(self: ModelDisk, /, *args: P.args, **kwargs: P.kwargs) -> R:
            self._may_die()
            self._may_fail(modifies)
            result = method(self, *args, **kwargs)
            self._may_die()
            return result

        return act

    return wrap


class ModelDisk:
    """A `Disk`. `memory`: a directory that a power cut empties, as a tmpfs.

    A rename is atomic. What is not fsynced survives a power cut or does not, each name and each content by itself.
    """

    def __init__(self, kept: Path, memory: Path, removed_sync: tuple[str, int] | None = None) -> None:
        self._memory = memory
        self._directories: dict[Path, bool] = {kept: True, memory: True}
        """Directory: whether a power cut cannot undo it."""
        self._files: dict[Path, _File] = {}
        self._gone: list[_File] = []
        """Unlinked or replaced, which a power cut may undo."""
        self._open: dict[int, _File] = {}
        self._numbers = count(1)
        self._removed_sync = removed_sync
        self.capacity = 10**12
        self.full = self.read_only = False
        self.dies_in: int | None = None
        """Points of death to pass; there is one before and one after each call."""
        self.fails_in: int | None = None
        """Calls to come before one fails with EIO."""

    # -- faults --------------------------------------------------------------------------------

    def _may_die(self) -> None:
        if self.dies_in is not None:
            self.dies_in -= 1
            if self.dies_in < 0:
                self.dies_in = None
                raise Killed

    def _may_fail(self, modifies: bool) -> None:
        if self.fails_in is not None:
            self.fails_in -= 1
            if self.fails_in < 0:
                self.fails_in = None
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        if self.read_only and modifies:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def heal(self) -> None:
        """No fault from now on."""
        self.full = self.read_only = False
        self.dies_in = self.fails_in = None

    def kill(self) -> None:
        """The process is gone: what it wrote is in the page cache, its descriptors are closed."""
        self._open.clear()
        self.dies_in = None

    def lose_power(self, chance: random.Random, part: float) -> None:
        """Every process is gone, and what was not fsynced survives with this probability, each by itself."""
        self.kill()
        survivors: dict[Path, tuple[int, _File]] = {}
        for file in (*self._files.values(), *self._gone):
            at = file.settled
            while at < len(file.places) - 1 and chance.random() < part:
                at += 1
            number, place = file.places[at]
            if place is None or not self._survives(place.parent) or number < survivors.get(place, (0, file))[0]:
                continue
            if bytes(file.data) != file.durable and chance.random() >= part:
                file.data = bytearray(file.durable)
            survivors[place] = (number, file)
        self._directories = {path: True for path in self._directories if path == self._memory or self._survives(path)}
        self._files = {}
        self._gone = []
        for place, (number, file) in survivors.items():
            self._files[place] = _File(file.data, bytes(file.data), [(number, place)])

    def _survives(self, directory: Path) -> bool:
        above = [known for known in self._directories if directory.is_relative_to(known)]
        return directory != self._memory and all(self._directories[known] for known in above)

    # -- what the spool asks for ---------------------------------------------------------------

    @_call(modifies=True)
    def make_directory(self, path: Path) -> None:
        for part in (*reversed(path.parents), path):
            if part not in self._directories and any(part.is_relative_to(known) for known in self._directories):
                self._directories[part] = False

    @_call(modifies=False)
    def sync_directory(self, path: Path) -> None:
        if self._is_removed():
            return
        for directory in self._directories:
            if directory.parent == path:
                self._directories[directory] = True
        for file in (*self._files.values(), *self._gone):
            for at in range(len(file.places) - 1, file.settled, -1):
                if path in {place.parent for _, place in file.places[at - 1 : at + 1] if place is not None}:
                    file.settled = at
                    break

    @_call(modifies=False)
    def names(self, directory: Path) -> list[str]:
        if directory not in self._directories:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(directory))
        return [path.name for path in self._files if path.parent == directory]

    @_call(modifies=False)
    def stat(self, path: Path) -> FileStat:
        return FileStat(len(self._file(path).data), 1)

    @_call(modifies=False)
    def read(self, path: Path, at_most: int = -1) -> bytes:
        data = bytes(self._file(path).data)
        return data if at_most < 0 else data[:at_most]

    @_call(modifies=True)
    def create(self, path: Path) -> int:
        if path.parent not in self._directories:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = _File()
            file.places.append((next(self._numbers), path))
        file.data = bytearray()
        descriptor = next(self._numbers)
        self._open[descriptor] = file
        return descriptor

    @_call(modifies=True)
    def write(self, descriptor: int, data: memoryview) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = len(data) if len(data) < 300 else len(data) // 2
        self._open[descriptor].data += data[:taken]
        return taken

    @_call(modifies=True)
    def sync(self, descriptor: int) -> None:
        if not self._is_removed():
            self._open[descriptor].durable = bytes(self._open[descriptor].data)

    def close(self, descriptor: int) -> None:
        self._open.pop(descriptor, None)

    @_call(modifies=True)
    def rename(self, old: Path, new: Path) -> None:
        file = self._file(old)
        if new.parent not in self._directories:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(new))
        if new in self._files:
            self._gone.append(self._files[new])
        del self._files[old]
        self._files[new] = file
        file.places.append((next(self._numbers), new))

    @_call(modifies=True)
    def unlink(self, path: Path) -> None:
        file = self._file(path)
        del self._files[path]
        file.places.append((next(self._numbers), None))
        self._gone.append(file)

    @_call(modifies=False)
    def free_bytes(self, path: Path) -> int:
        return self.capacity - self.used(path)

    def _file(self, path: Path) -> _File:
        try:
            return self._files[path]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None

    def _is_removed(self) -> bool:
        return self._removed_sync is not None and calling_site(sys._getframe(2)) == self._removed_sync

    # -- for the test --------------------------------------------------------------------------

    def used(self, below: Path) -> int:
        """Bytes of all files below a directory."""
        return sum(len(file.data) for path, file in self._files.items() if path.is_relative_to(below))

    def content(self, directory: Path) -> Iterator[tuple[Path, bytes]]:
        """Files in a directory, without a call."""
        for path, file in list(self._files.items()):
            if path.parent == directory:
                yield path, bytes(file.data)

    def damage(self, path: Path, at: int) -> None:
        """Flip a bit of a file, as a failing medium does."""
        file = self._files[path]
        file.data[at] ^= 1
        file.durable = bytes(file.data)


def calling_site(frame: FrameType | None) -> tuple[str, int]:
    """File and line from which the disk was asked to sync: outside of this module and of `write_file`."""
    while frame is not None and frame.f_code.co_filename in {__file__, spool_disk.__file__}:
        frame = frame.f_back
    assert frame is not None
    return frame.f_code.co_filename, frame.f_lineno
