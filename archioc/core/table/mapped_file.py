"""A fixed-size file of the run directory, mapped into memory and shared by the processes.

Layout: one page of header, then the cells. The header says what the file is, so that a process of
another version or a file left from before a reboot is never misread:
    0  magic S8 | 8 version u4 | 12 cell size u4 | 16 cells u8 | 24 boot id S40
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archioc.core.errors import RunDirError

PAGE = 4096
HEAD_AT = 64
"""Where the owner's own header fields begin."""

_IDENTITY = np.dtype([("magic", "S8"), ("version", "<u4"), ("cell", "<u4"), ("cells", "<u8"), ("boot", "S40")])


def boot_id() -> bytes:
    """What tells this boot of the machine from others; memory-mapped state does not outlive it."""
    return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()


class MappedFile:
    """Header fields and an array of cells in a file of the run directory.

    `head`: structured scalar array of shape (1,) over `head_dtype`.
    `cells`: structured array of shape (cells,) over `cell_dtype`.
    """

    def __init__(self, path: Path, magic: bytes, version: int, head_dtype: np.dtype[np.void], cell_dtype: np.dtype[np.void]) -> None:
        if head_dtype.itemsize > PAGE - HEAD_AT:
            raise ValueError(f"{path.name}: header of {head_dtype.itemsize} bytes does not fit in its page")
        self.path = path
        self._identity = (magic, version, cell_dtype.itemsize)
        self._head_dtype, self._cell_dtype = head_dtype, cell_dtype
        self._map: mmap.mmap | None = None
        self.head: npt.NDArray[np.void]
        self.cells: npt.NDArray[np.void]

    def create(self, cells: int) -> None:
        """Make the file anew, all zero. Its blocks are not reserved yet: see `reserve`."""
        size = PAGE + cells * self._cell_dtype.itemsize
        scratch = self.path.with_name(self.path.name + ".new")
        with scratch.open("wb") as file:
            magic, version, cell = self._identity
            identity = np.array([(magic, version, cell, cells, boot_id())], _IDENTITY)
            file.write(identity.tobytes().ljust(PAGE, b"\0"))
            file.truncate(size)
        scratch.replace(self.path)

    def open(self) -> None:
        """Map the file. Raises RunDirError when it is absent, foreign, of another version or of an earlier boot."""
        try:
            descriptor = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            raise RunDirError(f"{self.path}: is missing; is the archiver running?") from None
        try:
            size = os.fstat(descriptor).st_size
            if size < PAGE:
                raise RunDirError(f"{self.path}: has only {size} bytes, its header alone has {PAGE}")
            self._map = mmap.mmap(descriptor, 0)
        finally:
            os.close(descriptor)
        magic, version, cell = self._identity
        found = np.frombuffer(self._map, _IDENTITY, 1)[0]
        if bytes(found["magic"]) != magic or int(found["version"]) != version or int(found["cell"]) != cell:
            raise RunDirError(f"{self.path}: was made by another version of ArchIOC; restart the archiver")
        if bytes(found["boot"]) != boot_id():
            raise RunDirError(f"{self.path}: is left over from before the last reboot")
        if size != PAGE + int(found["cells"]) * cell:
            raise RunDirError(f"{self.path}: has {size} bytes, but {found['cells']} cells of {cell} bytes are promised")
        self.head = np.frombuffer(self._map, self._head_dtype, 1, HEAD_AT)
        self.cells = np.frombuffer(self._map, self._cell_dtype, int(found["cells"]), PAGE)

    def reserve(self, upto: int) -> None:
        """Make sure that the cells before `upto` have memory behind them.

        A write to a hole of a full tmpfs would kill the process (SIGBUS). Raises OSError (ENOSPC).
        """
        descriptor = os.open(self.path, os.O_RDWR)
        try:
            os.posix_fallocate(descriptor, 0, PAGE + upto * self._cell_dtype.itemsize)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Forget the mapping. Views of the cells must not be used any more; the last one to go unmaps it."""
        self.__dict__.pop("head", None)
        self.__dict__.pop("cells", None)
        self._map = None
