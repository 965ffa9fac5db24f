"""A batch is given up because the spool is full: counted and told exactly, whenever the engine is killed."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from archioc.core.config.config import Spool, WhenFull
from archioc.core.dbr import Dbr
from archioc.core.events import GAPS, Reason
from archioc.core.process import StopSignal
from archioc.core.spool.batch import COUNTS, ChannelMeta
from archioc.core.spool.spool import SpoolDirectory, SpoolEntry, SpoolFile
from archioc.engine.commit import spool_limits as room
from archioc.engine.commit.commit import CommitThread
from archioc.engine.commit.recovery import recover_when_possible
from archioc.engine.commit.spool_limits import SpoolLimits
from tests.unit.core.spool.model_disk import ModelDisk
from tests.unit.engine.deliveries import Delivery, hand_over
from tests.unit.engine.rig import Archive, Engine, numbers
from tests.unit.engine.test_commit import Fuse, FusedLedger, Killed

FILES = 3
"""Batches that find room."""


class SmallSpool(SpoolDirectory):
    """Seems to be on a disk with room for FILES batches, whatever their size; its drops can be interrupted."""

    def __init__(self, root: Path, fuse: Fuse) -> None:
        super().__init__(root)
        self._fuse = fuse

    def free_bytes(self) -> int:
        return 10**6 * (FILES - len(self.waiting()) - len(self.claimed()) - len(self.withdrawn()))

    def withdraw(self, entry: SpoolEntry) -> SpoolEntry | None:
        self._fuse.at("before withdraw")
        taken = super().withdraw(entry)
        self._fuse.at("after withdraw")
        return taken

    def discard(self, taken: SpoolEntry) -> None:
        self._fuse.at("before discard")
        super().discard(taken)
        self._fuse.at("after discard")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "state")
    made.add("A")
    yield made
    made.close()


@pytest.fixture
def fuse(monkeypatch: pytest.MonkeyPatch) -> Fuse:
    made = Fuse()
    monkeypatch.setattr("archioc.engine.commit.commit.Ledger", FusedLedger)
    monkeypatch.setattr(FusedLedger, "fuse", made, raising=False)
    monkeypatch.setattr("archioc.engine.commit.commit.TELL_EVERY_S", 0.0)
    monkeypatch.setattr(room, "SHARE", float("inf"))
    return made


def begin(archive: Archive, fuse: Fuse, when_full: WhenFull) -> Engine:
    begun = Engine(archive, time.time_ns(), SmallSpool(archive.spool.root, fuse), config=Spool(min_free=10**6 - 10**5, when_full=when_full))
    begun.replay(time.time_ns())
    begun.collector.round(time.time_ns())
    return begun


def send(begun: Engine, number: int) -> None:
    begun.deliver("A", number, time.time_ns())
    begun.collector.round(time.time_ns())


def in_state_on(begun: Engine, row: int) -> None:
    """A is an enum with value 1 in major alarm."""
    generation = begun.access.created["A"][1]
    hand_over(begun.callback, Delivery(row, Dbr.ENUM, False, np.uint16(1).tobytes(), time.time_ns(), severity=2, generation=generation))


def told(archive: Archive) -> Counter[str]:
    """Samples of each channel of which events in the spool tell."""
    found: Counter[str] = Counter()
    for batch in archive.published():
        for event in batch.events:
            if event.reason is Reason.LOST_SPOOL_FULL:
                found[event.channel] += event.count
    return found


def check(archive: Archive, sent: int) -> None:
    """What is not in the spool is counted as dropped, and told."""
    cell = archive.table.ledger.cells[archive.registry.channels["A"].row]
    kept = len(numbers(archive.published(), "A", generated=True))
    assert cell["received"] == sent
    assert cell["committed"] == kept
    assert cell["received"] + cell["generated"] == cell["committed"] + cell["dropped_spool_full"] + cell["filtered"]
    assert cell["dropped_spool_full"] > 0
    assert told(archive)["A"] == cell["told_spool_full"]
    head = archive.table.ledger.head[0]
    assert (head["committed"], head["dropped_spool_full"]) == (cell["committed"], cell["dropped_spool_full"])


POINTS = (
    "before withdraw",
    "after withdraw",
    "after announce",
    "before discard",
    "after discard",
    "before apply",
    "within apply",
    "after apply",
)


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_while_a_batch_is_dropped(archive: Archive, fuse: Fuse, point: str) -> None:
    """Killed at any point of giving up a batch, the next engine counts it as dropped once, or has it still. (SPL-03, SPL-13)"""
    begun = begin(archive, fuse, WhenFull.DROP_OLDEST)
    begun.connect("A")
    for number in range(FILES):
        send(begun, number)
        begun.write()
    send(begun, FILES)
    fuse.point = point
    with pytest.raises(Killed):
        begun.write()
    fuse.point = ""
    begun.kill()
    begun = begin(archive, fuse, WhenFull.DROP_OLDEST)
    begun.connect("A")
    for number in range(FILES + 1, FILES + 4):
        send(begun, number)
        begun.write()
    check(archive, FILES + 4)
    begun.stop(time.time_ns())
    check(archive, FILES + 4)


def test_losses_are_told_when_the_batch_that_told_them_is_dropped(archive: Archive, fuse: Fuse) -> None:
    """However many batches are dropped, with the events in them: the events that are left tell of all samples dropped. (SPL-13)"""
    begun = begin(archive, fuse, WhenFull.DROP_OLDEST)
    begun.connect("A")
    for number in range(20):
        send(begun, number)
        begun.write()
    check(archive, 20)
    begun.stop(time.time_ns())


def test_what_the_last_events_displace_is_told_as_well(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that stops on a full spool tells of all that was dropped, also to make room for telling it. (SPL-13)"""
    monkeypatch.setattr(room, "SHARE", float("inf"))
    begun = begin(archive, Fuse(), WhenFull.DROP_OLDEST)
    begun.connect("A")
    for number in range(FILES + 2):
        send(begun, number)
        begun.write()
    monkeypatch.setattr(SmallSpool, "free_bytes", lambda self: 10**6 * (FILES - sum(entry.samples for entry in self.waiting())))
    begun.stop(time.time_ns())
    cell = archive.table.ledger.cells[archive.registry.channels["A"].row]
    assert cell["dropped_spool_full"] == told(archive)["A"] == cell["told_spool_full"] > 2


def test_losses_are_told_as_soon_as_there_is_room(archive: Archive, fuse: Fuse) -> None:
    """What drop_newest gave up is told by the first batch that finds room, also by another engine. (SPL-12, SPL-13)"""
    begun = begin(archive, fuse, WhenFull.DROP_NEWEST)
    begun.connect("A")
    for number in range(FILES + 5):
        send(begun, number)
        begun.write()
    assert told(archive)["A"] == 0
    begun.kill()
    for entry in archive.spool.waiting():
        entry.path.unlink()
    begun = begin(archive, fuse, WhenFull.DROP_NEWEST)
    begun.connect("A")
    send(begun, 99)
    begun.write()
    cell = archive.table.ledger.cells[archive.registry.channels["A"].row]
    assert told(archive)["A"] == cell["dropped_spool_full"] == 5
    begun.stop(time.time_ns())


def test_a_spool_that_the_writer_has_just_emptied_is_not_full(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed at a stop finds the room that the writer has made since the spool was counted, and all losses are told. (SPL-13)"""
    monkeypatch.setattr(room, "SHARE", 1e-9)  # the count is as old as it ever gets
    begun = Engine(archive, time.time_ns(), config=Spool(min_free=0).model_copy(update={"max_bytes": 3000}))
    begun.collector.round(time.time_ns())
    begun.connect("A")
    cell = archive.table.ledger.cells[archive.registry.channels["A"].row]
    while cell["dropped_spool_full"] == 0:
        send(begun, 1)
        begun.write()
    for entry in archive.spool.waiting():
        claimed = archive.spool.claim(entry)
        assert claimed is not None
        archive.spool.remove(claimed)
    lost = int(cell["dropped_spool_full"])
    send(begun, 99)
    begun.stop(time.time_ns())
    assert numbers(archive.published(), "A") == [99]
    assert Reason.ARCHIVER_STOP in {event.reason for batch in archive.published() for event in batch.events}
    assert cell["dropped_spool_full"] == cell["told_spool_full"] == lost


def test_what_a_dropped_batch_told_besides_samples_is_told_again(archive: Archive, fuse: Fuse) -> None:
    """Metadata, labels, alarm states and open gaps that went with dropped batches are in one of the next, once. (SPL-17)"""
    archive.add("B")
    begun = begin(archive, fuse, WhenFull.DROP_NEWEST)
    begun.connect("B")
    for number in range(FILES):
        begun.deliver("B", number, time.time_ns())
        begun.collector.round(time.time_ns())
        begun.write()
    begun.connect("A", Dbr.ENUM)
    row = archive.registry.channels["A"].row
    begun.channels.metadata.of[row] = meta = ChannelMeta("A", time.time_ns(), Dbr.ENUM, 1, "ioc", labels=("off", "on"))
    begun.channels.metadata.labels[row] = (b"off", b"on")
    in_state_on(begun, row)
    begun.disconnect("B")
    begun.collector.round(time.time_ns())
    begun.write()
    for entry in archive.spool.waiting():
        entry.path.unlink()
    begun.collector.round(time.time_ns())
    in_state_on(begun, row)
    begun.collector.round(time.time_ns())
    begun.write()
    (batch,) = archive.published()
    assert batch.metas == (meta,)
    assert [(one.channel, one.reason) for one in batch.events if one.end_ns is None and one.reason in GAPS] == [("B", Reason.DISCONNECTED)]
    assert (row, 2) in zip(batch.alarms["row"].tolist(), batch.alarms["severity"].tolist(), strict=True)
    assert b"on" in batch.blobs
    begun.collector.round(time.time_ns())
    begun.write()
    assert len(archive.published()) == 1
    begun.stop(time.time_ns())


def test_counting_a_drop_reads_no_payload(tmp_path: Path) -> None:
    """A large batch is dropped by its header and counts alone. (SPL-13)"""
    reads: list[int] = []

    class Reads(ModelDisk):
        def read(self, path: Path, at_most: int = -1) -> bytes:
            content = super().read(path, at_most)
            reads.append(len(content))
            return content

    spool = SpoolDirectory(tmp_path / "spool", Reads(tmp_path, tmp_path / "run"))
    spool.create()
    counts = np.array([(1, 1, 5)], COUNTS)
    entry = spool.publish(spool.prepare(SpoolFile(1, 1, "here", counts, bytes(10**6))))
    assert spool.tally(entry).counts.tobytes() == counts.tobytes()
    assert 0 < sum(reads) < 200


@pytest.mark.parametrize(("limits", "files"), [({"max_bytes": 10**6, "min_free": 0}, 9), ({"min_free": 10**12 - 5 * 10**5}, 4)])
def test_the_limits_of_the_spool(tmp_path: Path, limits: dict[str, int], files: int) -> None:
    """It is full when its files would exceed max_bytes, or less than min_free would stay free. (SPL-11)"""
    disk = ModelDisk(tmp_path, tmp_path / "run")
    spool = SpoolDirectory(tmp_path / "spool", disk)
    spool.create()
    space = SpoolLimits(spool, Spool.model_validate(limits))
    file = SpoolFile(1, 1, "here", np.zeros(0, COUNTS), bytes(10**5))
    count = 0
    while space.fits(file.size):
        count += 1
        space.add(spool.publish(spool.prepare(SpoolFile(count, 1, "here", file.counts, file.payload))), file.size)
    assert count == files
    assert len(space.oldest()) == files


def test_a_start_waits_for_the_disk(archive: Archive) -> None:
    """An engine that starts while the disk cannot be read shows it and goes on when it can. (SPL-14)"""
    blocked = archive.spool.root / "dropping"
    blocked.rename(aside := archive.spool.root / "aside")
    status = archive.table.status.head

    class Healing(StopSignal):
        """The disk is well when the error has been shown."""

        def wait(self, timeout: float) -> bool:
            if status["spool_error"][0]:
                shown.append(bytes(status["spool_error"][0]))
                if aside.exists():
                    aside.rename(blocked)
            return super().wait(timeout)

    shown: list[bytes] = []
    assert recover_when_possible(archive.table, archive.spool, Healing())
    assert os.strerror(errno.ENOENT).encode() in shown[0]
    assert status["spool_error"][0] == b""
    stopped = StopSignal()
    stopped.set()
    assert not recover_when_possible(archive.table, archive.spool, stopped)


def test_batch_ids_grow_whatever_the_clock_says(archive: Archive) -> None:
    """The next id is above the last one that was booked, even if the clock has gone back since. (SPL-01)"""
    archive.table.ledger.head["batch_id"] = 2**62
    begun = Engine(archive, time.time_ns())
    begun.collector.round(time.time_ns())
    begun.connect("A")
    for number in range(2):
        send(begun, number)
        begun.write()
    begun.kill()
    assert [entry.batch_id for entry in archive.spool.waiting()] == [2**62 + 1, 2**62 + 2]


def test_the_engine_commits_whatever_the_writer_does(archive: Archive) -> None:
    """Batches are committed while all that waits is claimed and nobody sends it. (SPL-15)"""
    begun = Engine(archive, time.time_ns(), commits=CommitThread)
    begun.collector.round(time.time_ns())
    begun.connect("A")
    for number in range(5):
        send(begun, number)
        begun.collector.cut_all()
        for entry in archive.spool.waiting():
            archive.spool.claim(entry)
    begun.stop(time.time_ns())
    assert numbers(archive.published(), "A") == [0, 1, 2, 3, 4]
