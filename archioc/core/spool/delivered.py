"""Batches that the store has acknowledged, kept for a while: a server can lose what it has acknowledged.

`spool/delivered/<delivered at, 20 digits>-<batch id, 20 digits>-<samples>.batch`: names alone tell the order of delivery and the age.
`-<samples>-part` marks a batch of which the store has refused samples. Rules: `docs/reference/contract/files.md`.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple, Self

from archioc.core.config.config import Spool
from archioc.core.spool.file import SpoolFile, parse_spool_file
from archioc.core.spool.spool import SpoolDirectory, SpoolEntry

NEAR_NS = 900 * 10**9
"""Samples have times that are so near to their commit, but for those that an IOC stamps long ago."""

_NAME = re.compile(r"(\d{20})-(\d{20})-(\d+)(-part)?\.batch")


class DeliveredBatch(NamedTuple):
    """A kept batch as its name tells it.

    delivered_ns: when the store acknowledged it (ns since 1970). whole: the store has refused none of its samples.
    """

    delivered_ns: int
    batch_id: int
    samples: int
    whole: bool
    name: str


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long (ns) and how much (bytes) is kept, and how much of the disk stays free (bytes)."""

    longest_ns: int
    most_bytes: int
    min_free: int

    @classmethod
    def of(cls, config: Spool) -> Self:
        """As the block `spool` has it."""
        return cls(int(config.keep_delivered * 1e9), config.keep_delivered_bytes, config.min_free)


def delivered_batch(name: str) -> DeliveredBatch | None:
    """The batch that a file name tells of; None for any other name."""
    found = _NAME.fullmatch(name)
    return None if found is None else DeliveredBatch(int(found[1]), int(found[2]), int(found[3]), found[4] is None, name)


class DeliveredBatches:
    """The directory `delivered/`. Thread-safe. Methods may raise OSError.

    `hold`: nothing goes for its age, only for the limits of size and disk.
    """

    def __init__(self, spool: SpoolDirectory, keeping: Keeping) -> None:
        self._spool, self._keeping = spool, keeping
        self._directory = spool.root / "delivered"
        self._lock = threading.Lock()
        self._held: deque[tuple[DeliveredBatch, int]] | None = None
        self._bytes = 0
        self.hold = False

    def keep(self, claimed: SpoolEntry, now_ns: int, *, whole: bool = True) -> None:
        """Keep a claimed file that the store has acknowledged at this time; it is let go of where nothing is to be kept."""
        if self._keeping.longest_ns <= 0:
            self._spool.remove(claimed)
            return
        with self._lock:
            held = self._load()
            batch = _named(max(now_ns, held[-1][0].delivered_ns + 1 if held else 0), claimed.batch_id, claimed.samples, whole=whole)
            size = self._spool.disk.stat(claimed.path).size
            try:
                self._spool.disk.rename(claimed.path, self._directory / batch.name)
            except FileNotFoundError:  # somebody has removed the directory
                self._spool.disk.make_directory(self._directory)
                self._spool.disk.rename(claimed.path, self._directory / batch.name)
            self._append(batch, size)
        self.trim(now_ns)

    def renew(self, batch: DeliveredBatch, now_ns: int) -> DeliveredBatch:
        """A kept batch was sent again and acknowledged at this time; what it is from now on."""
        with self._lock:
            held = self._load()
            found = next((one for one in held if one[0] == batch), None)
            if found is None:
                return batch
            held.remove(found)
            self._bytes -= found[1]
            renewed = _named(max(now_ns, held[-1][0].delivered_ns + 1 if held else 0), batch.batch_id, batch.samples, whole=batch.whole)
            with contextlib.suppress(FileNotFoundError):
                self._spool.disk.rename(self._directory / batch.name, self._directory / renewed.name)
                self._append(renewed, found[1])
            return renewed

    def trim(self, now_ns: int) -> None:
        """Let go of what is too old, or too much."""
        keeping = self._keeping
        with self._lock:
            held = self._load()
            while held:
                too_old = not self.hold and held[0][0].delivered_ns < now_ns - keeping.longest_ns
                too_much = self._bytes > keeping.most_bytes or self._spool.free_bytes() < keeping.min_free
                if not (too_old or too_much):
                    return
                batch, size = held.popleft()
                self._bytes -= size
                with contextlib.suppress(FileNotFoundError):  # the engine needed the room
                    self._spool.disk.unlink(self._directory / batch.name)

    def batches(self) -> list[DeliveredBatch]:
        """What is kept, in the order of delivery; a file of it may have gone meanwhile."""
        with self._lock:
            return [batch for batch, _ in self._load()]

    def read(self, batch: DeliveredBatch) -> SpoolFile | None:
        """The content of a kept batch; None when it has gone. Raises SpoolFileDamaged."""
        path = self._directory / batch.name
        try:
            return parse_spool_file(self._spool.disk.read(path), path)
        except FileNotFoundError:
            return None

    def _append(self, batch: DeliveredBatch, size: int) -> None:
        self._load().append((batch, size))
        self._bytes += size

    def _load(self) -> deque[tuple[DeliveredBatch, int]]:
        if self._held is None:
            disk = self._spool.disk
            disk.make_directory(self._directory)
            found = sorted(filter(None, map(delivered_batch, disk.names(self._directory))))
            self._held = deque((batch, disk.stat(self._directory / batch.name).size) for batch in found)
            self._bytes = sum(size for _, size in self._held)
        return self._held


def forget_oldest(spool: SpoolDirectory) -> bool:
    """Remove the oldest kept batch because its room is needed; False when there is none. May raise OSError."""
    directory = spool.root / "delivered"
    try:
        found = sorted(filter(None, map(delivered_batch, spool.disk.names(directory))))
    except FileNotFoundError:
        return False
    for batch in found:
        try:
            spool.disk.unlink(directory / batch.name)
        except FileNotFoundError:
            continue
        return True
    return False


def _named(delivered_ns: int, batch_id: int, samples: int, *, whole: bool) -> DeliveredBatch:
    name = f"{delivered_ns:020d}-{batch_id:020d}-{samples}{'' if whole else '-part'}.batch"
    return DeliveredBatch(delivered_ns, batch_id, samples, whole, name)
