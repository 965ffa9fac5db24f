"""What a store refuses for good is kept for a person to look at: `spool/quarantine/`.

    quarantine/<batch id>.json                  refused, and left alone
    quarantine/retry/<request>-<batch id>.json  to be sent once more; `archioc.db.delivery.retries` does that

The format is in `docs/reference/contract/files.md`. The db process writes and removes entries; the
command line only moves them into `retry/`.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import structlog

from archioc.core.errors import QuarantineError
from archioc.core.spool.batch import COUNTS
from archioc.core.spool.disk import Disk, OsDisk, write_file
from archioc.core.spool.encoding import EMBEDDED
from archioc.core.spool.encoding.compression import compress
from archioc.core.spool.encoding.escaping import channel_of_line, split_lines
from archioc.core.spool.spool import SpoolFile
from archioc.db.store import Refusal, WriteOutcome

_log = structlog.get_logger()

MAX_BYTES = 1_000_000_000
"""What the quarantine may hold; beyond it the oldest entry is removed."""

SUFFIX = ".json"


@dataclass(frozen=True, slots=True, eq=False)
class QuarantineEntry:
    """What was refused of one batch.

    counts: structured array of dtype COUNTS, only the samples that are in the entry.
    refusals: in the order of the payload.
    """

    path: Path
    batch_id: int
    committed_ns: int
    destination: str
    counts: npt.NDArray[np.void]
    refusals: tuple[Refusal, ...]

    @property
    def samples(self) -> int:
        """Number of samples in it; it may hold metadata and events besides."""
        return int(self.counts["samples"].sum())

    @property
    def waits(self) -> bool:
        """Whether it is to be sent once more."""
        return self.path.parent.name == "retry"

    def lines(self) -> list[bytes]:
        """Its line protocol; none where it was made for the embedded store."""
        return [] if self.destination == EMBEDDED else [line for one in self.refusals for line in split_lines(one.content)]

    def channels(self) -> list[str]:
        """Channels that it is about, sorted; none where it was made for the embedded store."""
        return sorted({channel_of_line(line) for line in self.lines()})

    def spool_file(self) -> SpoolFile:
        """A file that holds only what was refused."""
        if self.destination == EMBEDDED:
            payload = self.refusals[0].content
        else:
            payload = compress(b"".join(one.content + b"\n" for one in self.refusals))
        return SpoolFile(self.batch_id, self.committed_ns, self.destination, self.counts, payload)

    def to_bytes(self) -> bytes:
        """The entry as JSON."""
        document = {
            "batch_id": self.batch_id,
            "committed_ns": self.committed_ns,
            "destination": self.destination,
            "counts": self.counts.tolist(),
            "refused": [{"words": one.message, **self._content(one.content)} for one in self.refusals],
        }
        return orjson.dumps(document, option=orjson.OPT_INDENT_2)

    def _content(self, content: bytes) -> dict[str, object]:
        if self.destination == EMBEDDED:
            return {"payload": base64.b64encode(content).decode()}
        return {"lines": [line.decode() for line in split_lines(content)]}


def parse_entry(raw: bytes, path: Path) -> QuarantineEntry:
    """The entry in these bytes, which are the content of `path`. Raises QuarantineError when it is damaged."""
    try:
        document = orjson.loads(raw)
        refusals = tuple(Refusal(_content(one), one["words"]) for one in document["refused"])
        counts = np.array([tuple(count) for count in document["counts"]], COUNTS)
        return QuarantineEntry(path, document["batch_id"], document["committed_ns"], document["destination"], counts, refusals)
    except (ValueError, KeyError, TypeError) as error:
        raise QuarantineError(f"{path}: is no entry of a quarantine: {error!r}") from None


def _content(refused: dict[str, object]) -> bytes:
    if "payload" in refused:
        return base64.b64decode(str(refused["payload"]))
    lines = refused["lines"]
    if not isinstance(lines, list):
        raise TypeError(f"lines is {lines!r}")
    return b"\n".join(line.encode() for line in lines)


class Quarantine:
    """The directory. Methods may raise OSError."""

    def __init__(self, spool: Path, disk: Disk | None = None) -> None:
        self._disk: Disk = disk or OsDisk()
        self._directory = spool / "quarantine"
        self._retry = self._directory / "retry"

    def entries(self) -> list[Path]:
        """All entries that nobody wants to be sent, oldest batch first."""
        return self._entries(self._directory)

    def waiting(self) -> list[Path]:
        """Entries to be sent once more, in the order in which that was asked for."""
        return self._entries(self._retry)

    def count(self) -> int:
        """How many entries there are, those to be sent once more included."""
        return len(self._names(self._directory)) + len(self._names(self._retry))

    def find(self, batch_id: int) -> Path:
        """The entry of a batch. Raises QuarantineError when there is none."""
        for path in (*self.entries(), *self.waiting()):
            if batch_of(path) == batch_id:
                return path
        raise QuarantineError(f"{batch_id}: no such batch in {self._directory}")

    def read(self, path: Path) -> QuarantineEntry:
        """One of the entries. Raises QuarantineError when it is damaged, FileNotFoundError."""
        return parse_entry(self._disk.read(path), path)

    def keep(self, file: SpoolFile, outcome: WriteOutcome) -> Path:
        """Keep what was refused of a file, durably: the spool file that it comes from is removed next. Done again it is the same entry."""
        here = outcome.kept > 0
        counts = file.counts[here].copy()
        counts["samples"] = outcome.kept[here]
        path = self._directory / f"{file.batch_id:020d}{SUFFIX}"
        entry = QuarantineEntry(path, file.batch_id, file.committed_ns, file.destination, counts, outcome.refusals)
        scratch = path.with_suffix(".new")
        write_file(self._disk, scratch, (entry.to_bytes(),), durable=True)
        self._disk.rename(scratch, path)
        self._disk.sync_directory(self._directory)
        _log.error("samples_quarantined", batch=file.batch_id, samples=entry.samples, kept=str(path))
        self._make_room()
        return path

    def want_retry(self, path: Path) -> Path:
        """Have the db process send an entry once more; where it waits for that."""
        if path.parent == self._retry:
            return path
        self._disk.make_directory(self._retry)
        request_ns = max([time.time_ns(), *(request_of(waiting) + 1 for waiting in self.waiting())])
        return self._move(path, self._retry / f"{request_ns:020d}-{path.name}")

    def put_back(self, path: Path) -> Path:
        """Leave an entry alone that was to be sent."""
        return self._move(path, self._directory / f"{batch_of(path):020d}{SUFFIX}")

    def remove(self, path: Path) -> None:
        """Forget an entry that has been sent once more."""
        self._disk.unlink(path)

    def _entries(self, directory: Path) -> list[Path]:
        return sorted(directory / name for name in self._names(directory))

    def _names(self, directory: Path) -> list[str]:
        try:
            return [name for name in self._disk.names(directory) if name.endswith(SUFFIX)]
        except FileNotFoundError:
            return []

    def _move(self, path: Path, target: Path) -> Path:
        self._disk.rename(path, target)
        return target

    def _make_room(self) -> None:
        """The newest batch stays: batches do not become known in their order, since several are on their way at once."""
        sizes = {path: self._disk.stat(path).size for path in self.entries()}
        held = sum(sizes.values())
        for path, size in list(sizes.items())[:-1]:
            if held <= MAX_BYTES:
                return
            self.remove(path)
            held -= size
            _log.error("quarantine_full", removed=str(path), limit=MAX_BYTES)


def batch_of(path: Path) -> int:
    """The batch that an entry belongs to, from its name."""
    return int(path.stem.rpartition("-")[2])


def request_of(path: Path) -> int:
    """When it was asked that an entry be sent once more (ns since 1970); no two waiting entries have the same."""
    return int(path.stem.partition("-")[0])
