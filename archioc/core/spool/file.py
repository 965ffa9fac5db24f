"""One spool file: a batch in the form that its store takes, with what must be known to account for it.

Format: `docs/reference/contract/files.md`.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from archioc.core.errors import SpoolFileDamaged
from archioc.core.spool.batch import COUNTS
from archioc.core.spool.disk import Disk

MAGIC = b"ArchSpl2"
_FIXED = struct.Struct("<8sQqIIIIQI")
"""magic, batch id, committed at (ns), length of the destination, counts, losses, 0, length of the payload, CRC-32 of all other bytes."""


def no_counts() -> npt.NDArray[np.void]:
    """Of dtype COUNTS, for no channel."""
    return np.zeros(0, COUNTS)


class Tally(NamedTuple):
    """How many samples of which channels a spool file concerns; both of dtype COUNTS.

    counts: samples in the payload. losses: samples dropped earlier, of which events in the payload tell.
    """

    counts: npt.NDArray[np.void]
    losses: npt.NDArray[np.void]


@dataclass(frozen=True, slots=True, eq=False)
class SpoolFile:
    """The content of a spool file.

    batch_id: unique and growing for one archiver.
    committed_ns: when the engine committed it (ns since 1970).
    destination: which store the payload is made for (`Store.destination`); others must not get it.
    counts: samples of each channel in the payload, structured array of dtype COUNTS.
    payload: what the store takes, as the encoder of that destination made it.
    losses: samples that a full spool has dropped, as events `lost_spool_full` in the payload tell; dtype COUNTS.
    """

    batch_id: int
    committed_ns: int
    destination: str
    counts: npt.NDArray[np.void]
    payload: bytes
    losses: npt.NDArray[np.void] = field(default_factory=no_counts)

    @property
    def samples(self) -> int:
        """Number of samples in the payload."""
        return int(self.counts["samples"].sum())

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return _FIXED.size + len(self.destination.encode()) + self.counts.nbytes + self.losses.nbytes + len(self.payload)

    def to_bytes(self) -> bytes:
        """The file, byte for byte."""
        destination = self.destination.encode()
        body = b"".join((destination, self.counts.tobytes(), self.losses.tobytes(), self.payload))
        sizes = (len(destination), len(self.counts), len(self.losses), 0, len(self.payload))
        head = _FIXED.pack(MAGIC, self.batch_id, self.committed_ns, *sizes, 0)[:-4]
        return head + struct.pack("<I", zlib.crc32(body, zlib.crc32(head))) + body


class _Head(NamedTuple):
    magic: bytes
    batch_id: int
    committed_ns: int
    destination: int
    counts: int
    losses: int
    reserved: int
    payload: int
    crc: int

    @property
    def tally_at(self) -> int:
        return _FIXED.size + self.destination

    @property
    def payload_at(self) -> int:
        return self.tally_at + (self.counts + self.losses) * COUNTS.itemsize


def parse_spool_file(raw: bytes, path: Path) -> SpoolFile:
    """The spool file in these bytes; `path` is for the error. Raises SpoolFileDamaged."""
    head = _parse_head(raw, path)
    if len(raw) != head.payload_at + head.payload:
        raise SpoolFileDamaged(path, f"{len(raw)} bytes, the header promises {head.payload_at + head.payload}")
    content = memoryview(raw)
    if zlib.crc32(content[_FIXED.size :], zlib.crc32(content[: _FIXED.size - 4])) != head.crc:
        raise SpoolFileDamaged(path, "the CRC does not match the content")
    counts, losses = _parse_tally(raw, head)
    destination = str(content[_FIXED.size : head.tally_at], "utf-8")
    return SpoolFile(head.batch_id, head.committed_ns, destination, counts, bytes(content[head.payload_at :]), losses)


def read_tally(disk: Disk, path: Path) -> Tally:
    """Only the counts of a spool file, however large its payload is; the CRC is not checked.

    Raises SpoolFileDamaged when the header cannot be right, OSError.
    """
    head = _parse_head(disk.read(path, _FIXED.size), path)
    size = disk.stat(path).size
    if size != head.payload_at + head.payload:
        raise SpoolFileDamaged(path, f"{size} bytes, the header promises {head.payload_at + head.payload}")
    return _parse_tally(disk.read(path, head.payload_at), head)


def _parse_head(raw: bytes, path: Path) -> _Head:
    if len(raw) < _FIXED.size:
        raise SpoolFileDamaged(path, f"only {len(raw)} bytes, the header alone has {_FIXED.size}")
    head = _Head(*_FIXED.unpack_from(raw))
    if head.magic != MAGIC:
        raise SpoolFileDamaged(path, f"starts with {head.magic!r}, not with {MAGIC!r}")
    return head


def _parse_tally(raw: bytes, head: _Head) -> Tally:
    both = np.frombuffer(raw, COUNTS, head.counts + head.losses, head.tally_at)
    return Tally(both[: head.counts], both[head.counts :])
