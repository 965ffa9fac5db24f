"""A kill at any step of a commit: what was in the ring is in one spool file or still in the ring, and the ledger says the same."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archioc.core.spool.batch import Batch
from archioc.core.spool.ledger import Booking, Ledger
from archioc.core.spool.spool import SpoolDirectory, SpoolEntry, SpoolFile
from archioc.core.table.columns import LEDGER_TOTALS
from archioc.engine.ca.ring import EventRing
from archioc.engine.commit.commit import CommitThread
from archioc.engine.commit.recovery import recover
from tests.unit.engine.rig import Archive, CommitByHand, Engine, numbers


class Killed(BaseException):
    """Stands for kill -9 at a point of the commit; a BaseException, so that nothing handles it."""


class Fuse:
    """Blows when the named point is reached."""

    def __init__(self) -> None:
        self.point = ""

    def at(self, point: str) -> None:
        if point == self.point:
            raise Killed(point)


class FusedSpool(SpoolDirectory):
    def __init__(self, root: Path, fuse: Fuse) -> None:
        super().__init__(root)
        self._fuse = fuse

    def prepare(self, file: SpoolFile) -> SpoolEntry:
        self._fuse.at("before prepare")
        if self._fuse.point == "within prepare":
            (self.root / "tmp" / f"{file.batch_id:020d}-{file.samples}.batch").write_bytes(file.to_bytes()[:20])
            raise Killed
        prepared = super().prepare(file)
        self._fuse.at("after prepare")
        return prepared

    def publish(self, prepared: SpoolEntry) -> SpoolEntry:
        self._fuse.at("before publish")
        published = super().publish(prepared)
        self._fuse.at("after publish")
        return published


class FusedRing(EventRing):
    fuse: Fuse

    def release(self, slot_cursor: int, bulk_cursor: int) -> None:
        self.fuse.at("before release")
        super().release(slot_cursor, bulk_cursor)
        self.fuse.at("after release")


class FusedLedger(Ledger):
    fuse: Fuse

    def announce(self, booking: Booking) -> None:
        if self.fuse.point == "within announce":
            self._journal.with_suffix(".journal.new").write_bytes(b"ArchJ")
            raise Killed
        super().announce(booking)
        self.fuse.at("after announce")

    def apply(self, booking: Booking, head_fields: tuple[str, ...]) -> None:
        self.fuse.at("before apply")
        if self.fuse.point == "within apply":
            self._block.cells[booking.rows[:1]] = booking.cells[:1]
            self._block.head["ring_slot"] = booking.head["ring_slot"]
            raise Killed
        super().apply(booking, head_fields)
        self.fuse.at("after apply")


POINTS = (
    "before prepare",
    "within prepare",
    "after prepare",
    "within announce",
    "after announce",
    "before publish",
    "after publish",
    "before apply",
    "within apply",
    "after apply",
    "before release",
    "after release",
)
PUBLISHED = POINTS[POINTS.index("after publish") :]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "state")
    made.add("A")
    made.add("B", rate=20.0)
    yield made
    made.close()


@pytest.fixture
def fuse(monkeypatch: pytest.MonkeyPatch) -> Fuse:
    made = Fuse()
    monkeypatch.setattr("archioc.engine.commit.commit.Ledger", FusedLedger)
    monkeypatch.setattr(FusedLedger, "fuse", made, raising=False)
    monkeypatch.setattr(FusedRing, "fuse", made, raising=False)
    return made


class Life:
    """Engines one after the other under one stream of numbered updates."""

    def __init__(self, archive: Archive, fuse: Fuse) -> None:
        self.archive, self.fuse, self.number = archive, fuse, 0
        self.engine = self._begin()

    def _begin(self) -> Engine:
        spool = FusedSpool(self.archive.spool.root, self.fuse)
        begun = Engine(self.archive, time.time_ns(), spool, FusedRing)
        begun.replay(time.time_ns())
        begun.collector.round(time.time_ns())
        return begun

    def connect(self) -> None:
        for name in ("A", "B"):
            self.engine.connect(name)

    def send(self, count: int) -> None:
        """Both channels send `count` numbers."""
        for _ in range(count):
            for name in ("A", "B"):
                self.engine.deliver(name, self.number, time.time_ns())
            self.number += 1

    def work(self) -> None:
        """Drain and commit."""
        self.engine.collector.round(time.time_ns())
        self.engine.write()

    def die(self, point: str) -> None:
        """Be killed in the next commit, and begin anew."""
        self.engine.collector.round(time.time_ns())
        self.fuse.point = point
        with pytest.raises(Killed):
            self.engine.write()
        self.fuse.point = ""
        self.engine.kill()

    def begin(self) -> None:
        self.engine = self._begin()

    def end(self) -> None:
        self.engine.stop(time.time_ns())


def check(archive: Archive, sent: int, batches: list[Batch]) -> None:
    """All of A is stored once, of B the first and the last, and the ledger agrees with the files and with itself."""
    assert numbers(batches, "A") == list(range(sent))
    limited = numbers(batches, "B")
    assert limited == sorted(set(limited))
    assert (limited[0], limited[-1]) == (0, sent - 1)
    head, cells = archive.table.ledger.head[0], archive.table.ledger.cells
    for name in LEDGER_TOTALS:
        assert head[name] == cells[name].sum()
    for name in ("A", "B"):
        cell = cells[archive.registry.channels[name].row]
        assert cell["committed"] == len(numbers(batches, name, generated=True))
        assert cell["received"] == sent
        assert cell["received"] + cell["generated"] == cell["filtered"] + cell["committed"]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("commits_before", [0, 1])
def test_a_kill_loses_and_doubles_nothing(archive: Archive, fuse: Fuse, point: str, commits_before: int) -> None:
    """Killed at any point of a commit, the first or a later one, the next engine stores each value once and counts it once. (SPL-03)"""
    life = Life(archive, fuse)
    life.connect()
    for _ in range(commits_before):
        life.send(7)
        life.work()
    life.send(9)
    life.die(point)
    assert len(archive.published()) == commits_before + (point in PUBLISHED)
    life.begin()
    assert list((archive.spool.root / "tmp").iterdir()) == []
    life.connect()
    life.send(5)
    life.work()
    life.send(1)
    life.end()
    check(archive, life.number, archive.published())


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_while_the_writer_is_fast(archive: Archive, fuse: Fuse, point: str) -> None:
    """The same when the writer has sent, booked and removed every published file before the next engine starts."""
    life = Life(archive, fuse)
    life.connect()
    life.send(9)
    life.die(point)
    batches = archive.published()
    for entry in archive.spool.waiting():
        archive.table.delivery.head["batch_id"] = entry.batch_id
        entry.path.unlink()
    life.begin()
    life.send(5)
    life.end()
    check(archive, life.number, [*batches, *archive.published()])


@pytest.mark.parametrize(("point", "again"), list(zip(POINTS, POINTS[5:] + POINTS[:5], strict=True)))
def test_two_kills_in_a_row(archive: Archive, fuse: Fuse, point: str, again: str) -> None:
    """The same when the engine that takes up is killed in its first commit as well."""
    killed_twice(archive, fuse, point, again)


@pytest.mark.proof
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("again", POINTS)
def test_any_two_kills_in_a_row(archive: Archive, fuse: Fuse, point: str, again: str) -> None:
    """The same for every pair of points."""
    killed_twice(archive, fuse, point, again)


def killed_twice(archive: Archive, fuse: Fuse, point: str, again: str) -> None:
    life = Life(archive, fuse)
    life.connect()
    life.send(3)
    life.die(point)
    life.begin()
    life.connect()
    life.send(3)
    life.die(again)
    life.begin()
    life.connect()
    life.send(3)
    life.end()
    check(archive, life.number, archive.published())


def test_a_disk_that_refuses_is_tried_again(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk is shown, the commit is written when the disk takes it, and the ring is not released before. (SPL-14)"""
    monkeypatch.setattr("archioc.engine.commit.commit.RETRY_S", 0.05)
    started = Engine(archive, time.time_ns(), commits=CommitThread)
    started.collector.round(time.time_ns())
    blocked = archive.spool.root / "tmp"
    blocked.rename(aside := archive.spool.root / "aside")
    started.connect("A")
    started.deliver("A", 1.0, time.time_ns())
    started.collector.round(time.time_ns())
    started.collector.cut()
    _wait(lambda: os.strerror(errno.ENOENT).encode() in bytes(archive.table.status.head["spool_error"][0]))
    assert int(started.ring.head["read_slot"][0]) == 0
    aside.rename(blocked)
    _wait(lambda: int(started.ring.head["read_slot"][0]) == 2)
    _wait(lambda: bytes(archive.table.status.head["spool_error"][0]) == b"")
    started.stop(time.time_ns())
    assert numbers(archive.published(), "A") == [1.0]


def test_a_disk_that_refuses_to_the_end_keeps_the_ring(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that cannot be written by the end is given up, says so, and leaves its events in the ring for the next engine."""
    monkeypatch.setattr("archioc.engine.commit.commit.RETRY_S", 0.05)
    started = Engine(archive, time.time_ns(), commits=CommitThread)
    started.collector.round(time.time_ns())
    blocked = archive.spool.root / "tmp"
    blocked.rename(aside := archive.spool.root / "aside")
    started.connect("A")
    started.deliver("A", 1.0, time.time_ns())
    started.collector.stop(time.time_ns())
    started.collector.cut_all()
    assert not started.commits.finish(0.2)
    started.kill()
    aside.rename(blocked)
    successor = Engine(archive, time.time_ns())
    assert isinstance(successor.commits, CommitByHand)
    assert successor.replay(time.time_ns()) == 2
    successor.stop(time.time_ns())
    assert numbers(archive.published(), "A") == [1.0]


def test_recovery_does_nothing_without_a_journal(archive: Archive) -> None:
    """A first start has nothing to finish."""
    before = archive.table.ledger.cells.tobytes() + archive.table.ledger.head.tobytes()
    recover(archive.table, archive.spool)
    assert archive.table.ledger.cells.tobytes() + archive.table.ledger.head.tobytes() == before


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
