"""The spool: a directory with one immutable file per batch, like a maildir.

    tmp/       being written by the engine; left-overs are removed at its start
    new/       committed; the writer takes them
    sending/   claimed by the writer; sent again at its start
    dropping/  taken out by the engine because the spool is full; put back at its start
    damaged/   set aside because header or CRC is wrong
    delivered/ acknowledged by the store, kept for a while (`archioc.core.spool.delivered`)
    quarantine/  what a store refuses for good

A file is written under tmp/, fsynced, renamed into new/, and new/ is fsynced; after that it survives
a power cut. Who renames a file out of new/ has it: the writer or the engine, never both. The name is
`<batch id, 20 digits>-<samples>.batch`, so that a listing alone tells order and how many samples are
pending. Format and rules: `docs/reference/contract/files.md`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from archioc.core.spool.disk import Disk, FileStat, OsDisk, write_file
from archioc.core.spool.file import SpoolFile, Tally, parse_spool_file, read_tally

__all__ = ["SUFFIX", "SpoolDirectory", "SpoolEntry", "SpoolFile", "read_spool_file"]

SUFFIX = ".batch"
PARTS = ("tmp", "new", "sending", "dropping", "damaged", "quarantine", "delivered")


class SpoolEntry(NamedTuple):
    """A spool file as its name tells it."""

    batch_id: int
    samples: int
    name: str
    directory: Path

    @property
    def path(self) -> Path:
        """Where it was when it was listed."""
        return self.directory / self.name


def read_spool_file(path: Path) -> SpoolFile:
    """Read and check one spool file of this machine's disk. Raises SpoolFileDamaged, OSError."""
    return parse_spool_file(path.read_bytes(), path)


class SpoolDirectory:
    """The directory, for both sides: the engine commits and drops, the writer claims and removes.

    Any method may raise OSError: a full, read-only or failing disk is for the caller to handle.
    """

    def __init__(self, root: Path, disk: Disk | None = None) -> None:
        self.root = root
        self.disk: Disk = disk or OsDisk()
        self._tmp, self._new, self._sending, self._dropping, self._damaged = (root / part for part in PARTS[:5])

    def create(self) -> None:
        """Make the directories where they are missing, and their names durable."""
        for part in PARTS:
            self.disk.make_directory(self.root / part)
        self.disk.sync_directory(self.root)
        self.disk.sync_directory(self.root.parent)

    # -- the engine's side ---------------------------------------------------------------------

    def clear_unfinished(self) -> int:
        """Remove what a killed engine left half written; how many files that were."""
        left = self.disk.names(self._tmp)
        for name in left:
            self.disk.unlink(self._tmp / name)
        return len(left)

    def prepare(self, file: SpoolFile) -> SpoolEntry:
        """Write and fsync a file under tmp/; it does not count before `publish`."""
        entry = SpoolEntry(file.batch_id, file.samples, f"{file.batch_id:020d}-{file.samples}{SUFFIX}", self._tmp)
        write_file(self.disk, entry.path, (file.to_bytes(),), durable=True)
        return entry

    def publish(self, prepared: SpoolEntry) -> SpoolEntry:
        """Commit a prepared file: rename it into new/ and make the name durable."""
        self.disk.rename(prepared.path, self._new / prepared.name)
        self.disk.sync_directory(self._new)
        return prepared._replace(directory=self._new)

    def settle_published(self) -> None:
        """Make the names durable of files that a killed engine may have renamed only."""
        self.disk.sync_directory(self._new)

    def holds(self, batch_id: int) -> bool:
        """Whether this batch is committed and not yet removed.

        Looks where a file is before where it goes next, so that a claim in between is not missed.
        """
        prefix = f"{batch_id:020d}-"
        return any(name.startswith(prefix) for part in (self._new, self._sending, self._new) for name in self.disk.names(part))

    def withdraw(self, entry: SpoolEntry) -> SpoolEntry | None:
        """Take a waiting file, to be dropped; None when the writer has claimed it."""
        return self._move(entry, self._dropping)

    def discard(self, taken: SpoolEntry) -> None:
        """Remove a file that was taken out, for good."""
        self.disk.unlink(taken.path)
        self.disk.sync_directory(self._dropping)

    def settle_discarded(self) -> None:
        """Make the end durable of files that a killed engine may have unlinked only."""
        self.disk.sync_directory(self._dropping)

    def withdrawn(self) -> list[SpoolEntry]:
        """Files taken out and not yet discarded."""
        return self._entries(self._dropping)

    def return_taken(self) -> int:
        """Put what a killed engine had taken out, but not dropped, back into new/; how many files that were."""
        names = self.disk.names(self._dropping)
        for name in names:
            self.disk.rename(self._dropping / name, self._new / name)
        return len(names)

    # -- the writer's side ---------------------------------------------------------------------

    def claim(self, entry: SpoolEntry) -> SpoolEntry | None:
        """Take a waiting file for sending; None when it has gone (taken out by the engine)."""
        return self._move(entry, self._sending)

    def put_back(self, claimed: SpoolEntry) -> None:
        """Give back a claimed file that is for another store."""
        self.disk.rename(claimed.path, self._new / claimed.name)

    def remove(self, claimed: SpoolEntry) -> None:
        """Forget a file that the store has acknowledged."""
        self.disk.unlink(claimed.path)

    def set_aside(self, claimed: SpoolEntry) -> Path:
        """Keep a damaged file apart, for a person to look at."""
        target = self._damaged / claimed.name
        self.disk.rename(claimed.path, target)
        return target

    # -- for both and for the curious ----------------------------------------------------------

    def waiting(self) -> list[SpoolEntry]:
        """Committed files that nobody has claimed, oldest first."""
        return self._entries(self._new)

    def claimed(self) -> list[SpoolEntry]:
        """Files being sent, oldest first."""
        return self._entries(self._sending)

    def committed(self) -> list[SpoolEntry]:
        """All files that hold committed samples, whoever has them just now, one side at rest."""
        return [*self.waiting(), *self.claimed(), *self.withdrawn()]

    def damaged(self) -> list[SpoolEntry]:
        """Files set aside."""
        return self._entries(self._damaged)

    def read(self, entry: SpoolEntry) -> SpoolFile:
        """The content of a file. Raises SpoolFileDamaged."""
        return parse_spool_file(self.disk.read(entry.path), entry.path)

    def tally(self, entry: SpoolEntry) -> Tally:
        """The counts of a file, without its payload. Raises SpoolFileDamaged."""
        return read_tally(self.disk, entry.path)

    def stat(self, entry: SpoolEntry) -> FileStat:
        """Size and age of a waiting or claimed file; of no bytes and no age when it has gone since it was listed."""
        for part in (entry.directory, self._sending):
            try:
                return self.disk.stat(part / entry.name)
            except FileNotFoundError:
                continue
        return FileStat(0, 0)

    def free_bytes(self) -> int:
        """Free space of the file system that holds the spool."""
        return self.disk.free_bytes(self.root)

    def _entries(self, part: Path) -> list[SpoolEntry]:
        names = sorted(name for name in self.disk.names(part) if name.endswith(SUFFIX))
        return [SpoolEntry(int(name[:20]), int(name[21 : -len(SUFFIX)]), name, part) for name in names]

    def _move(self, entry: SpoolEntry, part: Path) -> SpoolEntry | None:
        try:
            self.disk.rename(entry.path, part / entry.name)
        except FileNotFoundError:
            if entry.name in self.disk.names(entry.directory):
                raise  # not the file is missing, but the directory it should go to
            return None
        return entry._replace(directory=part)
