"""Delivery through kills around each of its acts, and through a failing disk."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from archioc.core.errors import StoreUnavailable
from archioc.core.process import StopSignal
from archioc.core.spool.disk import OsDisk
from archioc.core.spool.ledger import Ledger
from archioc.core.spool.spool import SpoolDirectory, SpoolEntry
from archioc.core.table.table import StoreState
from tests.unit.db.delivery.rig import Bench, FaultyStore, in_spool


class Killed(BaseException):
    """The process ends here."""


ACTS: list[tuple[type, str]] = [
    (SpoolDirectory, "claim"),
    (FaultyStore, "write"),
    (Ledger, "announce"),
    (Ledger, "apply"),
    (SpoolDirectory, "remove"),
]


@pytest.mark.parametrize("lanes", [1, 2])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("owner", "act"), ACTS, ids=[act for _, act in ACTS])
def test_a_kill_around_any_act(bench: Bench, monkeypatch: pytest.MonkeyPatch, owner: type, act: str, when: str, lanes: int) -> None:
    """Killed before or after any act and taken up by a new process, every file is in the store and counted once. (SPL-03, SPL-06)"""
    original = getattr(owner, act)
    calls = Counter[str]()

    def kill(self: object, *arguments: object) -> object:
        calls[act] += 1
        if calls[act] == 2 and when == "before":
            raise Killed
        result = original(self, *arguments)
        if calls[act] == 2:
            raise Killed
        return result

    bench.fill(1, 2, 3)
    bench.store.lanes = lanes
    with monkeypatch.context() as patch:
        patch.setattr(owner, act, kill)
        with pytest.raises(Killed):
            bench.deliver_all()
    bench.delivery = bench.another()
    bench.deliver_all()
    assert set(bench.store.written) == {1, 2, 3}
    resent = len(bench.store.written) - 3
    uncertain = (act, when) in {("write", "after"), ("announce", "before")}
    assert uncertain <= resent <= uncertain + lanes - 1
    assert (bench.head("stored"), bench.head("batches"), bench.head("batch_id")) == (12, 3, 3)
    assert int(bench.table.delivery.cells["stored"][1]) == 9
    assert in_spool(bench) == ([], [])


def test_a_failing_disk_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a file cannot be unlinked, it stays booked, is not sent again, and goes as soon as the disk allows."""
    bench.fill(1)

    def refuse(self: SpoolDirectory, claimed: SpoolEntry) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(SpoolDirectory, "remove", refuse)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            bench.deliver()
    assert in_spool(bench) == ([], [1])
    bench.deliver_all()
    assert in_spool(bench) == ([], [])
    assert (bench.store.written, bench.head("stored")) == ([1], 4)


class UnreadableFile(OsDisk):
    """Gives EIO for one file."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read(self, path: Path, at_most: int = -1) -> bytes:
        if path.name.startswith(self._name):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return super().read(path, at_most)


def test_a_file_that_cannot_be_read_is_set_aside(bench: Bench) -> None:
    """A file that the disk does not give back is tried three times, then kept apart and counted as rejected; the others go on. (SPL-10)"""
    bench.fill(1, 2)
    bench.spool.disk = UnreadableFile(f"{1:020d}-")
    for _ in range(2):
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            bench.delivery.step()
    bench.deliver_all()
    assert bench.store.written == [2]
    assert [entry.batch_id for entry in bench.spool.damaged()] == [1]
    assert (bench.head("stored"), bench.head("rejected")) == (4, 4)


def test_an_error_of_the_disk_is_shown_as_such(bench: Bench) -> None:
    """What the writer's disk refuses is told as an error of the spool, not of the store, until it works again. (SPL-14)"""
    bench.fill(1)
    bench.deliver_all()
    bench.fill(2)
    blocked = bench.spool.root / "sending"
    blocked.rename(aside := bench.spool.root / "aside")
    stop = StopSignal()
    worker = threading.Thread(target=bench.delivery.run, args=(stop,))
    worker.start()
    deadline = time.monotonic() + 5
    shown = b""
    while not shown and time.monotonic() < deadline:
        time.sleep(0.005)
        shown = bytes(bench.table.delivery.head["spool_error"][0])
    aside.rename(blocked)
    while bench.store.written != [1, 2] and time.monotonic() < deadline:
        time.sleep(0.005)
    stop.set()
    worker.join(5)
    assert os.strerror(errno.ENOENT).encode() in shown
    assert bench.store.written == [1, 2]
    assert bytes(bench.table.delivery.head["spool_error"][0]) == b""
    assert bench.head("store_state") == StoreState.OK


def test_what_is_on_its_way_at_a_stop_is_settled(bench: Bench) -> None:
    """A file that the store is taking when delivery is told to stop is booked and let go of, also right after a failure."""
    stop = StopSignal()
    bench.store.faults = [StoreUnavailable("away")]
    bench.store.before_write = lambda: stop.set() if not bench.store.faults else None
    bench.fill(1)
    bench.delivery.run(stop)
    assert bench.store.written == [1]
    assert in_spool(bench) == ([], [])


def test_a_directory_in_place_of_a_file_holds_up_nothing(bench: Bench) -> None:
    """What is no file, or may not be opened, is set aside after three attempts, and the others go on. (SPL-10)"""
    bench.fill(1, 2)
    path = bench.spool.waiting()[0].path
    path.unlink()
    path.mkdir()
    for _ in range(2):
        with pytest.raises(IsADirectoryError):
            bench.deliver_all()
    bench.deliver_all()
    assert bench.store.written == [2]
    assert [entry.batch_id for entry in bench.spool.damaged()] == [1]
