"""The spool: a directory with one immutable file per batch, like a maildir.

    tmp/      being written by the engine; left-overs are removed at its start
    new/      committed; the writer takes the oldest
    sending/  claimed by the writer; put back into new/ at its start
    damaged/  set aside because header or CRC is wrong

A file is written under tmp/, fsynced, renamed into new/, and both directories are fsynced; after
that it survives a power cut. The name is `<batch id, 20 digits>-<samples>.batch`, so that a listing
alone tells order and how many samples are pending. Format: `docs/reference/contract/files.md`.
"""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archioc.core.batch import COUNTS
from archioc.core.errors import SpoolFileDamaged

MAGIC = b"ArchSpl1"
_FIXED = struct.Struct("<8sQqIIQI")
"""magic, batch id, committed at (ns), length of the destination, channels counted, length of the payload, CRC-32 of all after it."""

SUFFIX = ".batch"


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """A spool file as its name and the directory tell it."""

    batch_id: int
    samples: int
    size: int
    path: Path


@dataclass(frozen=True, slots=True, eq=False)
class SpoolFile:
    """The content of a spool file.

    batch_id: unique and growing for one archiver.
    committed_ns: when the engine committed it (ns since 1970).
    destination: which store the payload is made for (`Store.destination`); others must not get it.
    counts: structured array of dtype COUNTS.
    payload: what the store takes, as the encoder of that destination made it.
    """

    batch_id: int
    committed_ns: int
    destination: str
    counts: npt.NDArray[np.void]
    payload: bytes

    @property
    def samples(self) -> int:
        """Number of samples in the payload."""
        return int(self.counts["samples"].sum())

    def to_bytes(self) -> bytes:
        """The file, byte for byte."""
        destination = self.destination.encode()
        body = destination + self.counts.tobytes() + self.payload
        head = _FIXED.pack(MAGIC, self.batch_id, self.committed_ns, len(destination), len(self.counts), len(self.payload), 0)
        crc = zlib.crc32(body, zlib.crc32(head[:-4]))
        return head[:-4] + struct.pack("<I", crc) + body


def read_spool_file(path: Path) -> SpoolFile:
    """Read and check one spool file. Raises SpoolFileDamaged, FileNotFoundError."""
    raw = path.read_bytes()
    if len(raw) < _FIXED.size:
        raise SpoolFileDamaged(path, f"only {len(raw)} bytes, the header alone has {_FIXED.size}")
    magic, batch_id, committed_ns, n_destination, n_counts, n_payload, crc = _FIXED.unpack_from(raw)
    if magic != MAGIC:
        raise SpoolFileDamaged(path, f"starts with {magic!r}, not with {MAGIC!r}")
    body = memoryview(raw)[_FIXED.size :]
    if len(body) != n_destination + n_counts * COUNTS.itemsize + n_payload:
        raise SpoolFileDamaged(path, f"{len(raw)} bytes, the header promises another length")
    if zlib.crc32(body, zlib.crc32(raw[: _FIXED.size - 4])) != crc:
        raise SpoolFileDamaged(path, "the CRC does not match the content")
    end_counts = n_destination + n_counts * COUNTS.itemsize
    counts = np.frombuffer(body[n_destination:end_counts], dtype=COUNTS)
    return SpoolFile(batch_id, committed_ns, str(body[:n_destination], "utf-8"), counts, bytes(body[end_counts:]))


def read_channel_counts(path: Path) -> npt.NDArray[np.void]:
    """Only the counts (dtype COUNTS) of a spool file; the CRC is not checked. Raises SpoolFileDamaged, FileNotFoundError."""
    with path.open("rb") as file:
        head = file.read(_FIXED.size)
        if len(head) < _FIXED.size:
            raise SpoolFileDamaged(path, f"only {len(head)} bytes, the header alone has {_FIXED.size}")
        _, _, _, n_destination, n_counts, _, _ = _FIXED.unpack(head)
        file.seek(n_destination, 1)
        raw = file.read(n_counts * COUNTS.itemsize)
    if len(raw) != n_counts * COUNTS.itemsize:
        raise SpoolFileDamaged(path, "is cut short within its counts")
    return np.frombuffer(raw, COUNTS)


class SpoolDirectory:
    """The directory, for both sides: the engine commits, the writer claims and removes.

    Any method may raise OSError: a full, read-only or failing disk is for the caller to handle.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._tmp, self._new, self._sending, self._damaged = (root / part for part in ("tmp", "new", "sending", "damaged"))

    def create(self) -> None:
        """Make the directories where they are missing."""
        for part in (self._tmp, self._new, self._sending, self._damaged):
            part.mkdir(parents=True, exist_ok=True)

    # -- the engine's side ---------------------------------------------------------------------

    def clear_unfinished(self) -> int:
        """Remove what a killed engine left half written; how many files that were."""
        left = list(self._tmp.iterdir())
        for path in left:
            path.unlink()
        return len(left)

    def prepare(self, file: SpoolFile) -> Path:
        """Write and fsync a file under tmp/; it does not count before `publish`."""
        path = self._tmp / f"{file.batch_id:020d}-{file.samples}{SUFFIX}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        try:
            _write_all(descriptor, file.to_bytes())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return path

    def publish(self, prepared: Path) -> None:
        """Commit a prepared file: rename it into new/ and make the name durable."""
        prepared.rename(self._new / prepared.name)
        _fsync_directory(self._new)
        _fsync_directory(self._tmp)

    def holds(self, batch_id: int) -> bool:
        """Whether this batch is committed and not yet removed.

        Looks where a file is before where it goes next, so that a claim in between is not missed.
        """
        prefix = f"{batch_id:020d}-"
        return any(path.name.startswith(prefix) for part in (self._new, self._sending, self._new) for path in part.iterdir())

    def drop_oldest(self) -> SpoolFile | None:
        """Take the oldest unclaimed file out for good and say what it held; None when there is none.

        A file that the writer has claimed is never dropped.
        """
        for entry in self.waiting():
            doomed = self._tmp / entry.path.name
            try:
                entry.path.rename(doomed)
            except FileNotFoundError:
                continue  # claimed since the listing
            content = read_spool_file(doomed)
            doomed.unlink()
            return content
        return None

    # -- the writer's side ---------------------------------------------------------------------

    def return_claimed(self) -> int:
        """Put what a killed writer had claimed back into new/; how many files that were."""
        claimed = list(self._sending.iterdir())
        for path in claimed:
            path.rename(self._new / path.name)
        return len(claimed)

    def claim(self, entry: SpoolEntry) -> Path | None:
        """Take a waiting file for sending; None when it has gone (dropped by the engine)."""
        target = self._sending / entry.path.name
        try:
            entry.path.rename(target)
        except FileNotFoundError:
            return None
        return target

    def put_back(self, claimed: Path) -> None:
        """Give a claimed file back, to be sent later."""
        claimed.rename(self._new / claimed.name)

    def remove(self, claimed: Path) -> None:
        """Forget a file that the store has acknowledged."""
        claimed.unlink()

    def set_aside(self, claimed: Path) -> Path:
        """Keep a damaged file apart, for a person to look at."""
        target = self._damaged / claimed.name
        claimed.rename(target)
        return target

    # -- for both and for the curious ----------------------------------------------------------

    def waiting(self) -> list[SpoolEntry]:
        """Committed files that nobody has claimed, oldest first."""
        return sorted(_entries(self._new), key=lambda entry: entry.batch_id)

    def claimed(self) -> list[SpoolEntry]:
        """Files being sent, oldest first."""
        return sorted(_entries(self._sending), key=lambda entry: entry.batch_id)

    def damaged(self) -> list[SpoolEntry]:
        """Files set aside."""
        return sorted(_entries(self._damaged), key=lambda entry: entry.batch_id)

    def free_bytes(self) -> int:
        """Free space of the file system that holds the spool."""
        return shutil.disk_usage(self.root).free


def _entries(part: Path) -> Iterator[SpoolEntry]:
    with os.scandir(part) as listing:
        for item in listing:
            if not item.name.endswith(SUFFIX):
                continue
            try:
                size = item.stat().st_size
            except FileNotFoundError:
                continue  # sent or dropped while we look
            batch_id, _, samples = item.name.removesuffix(SUFFIX).partition("-")
            yield SpoolEntry(int(batch_id), int(samples), size, Path(item.path))


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _fsync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
