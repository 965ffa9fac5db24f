"""The delivery loop beside a store that fails on demand; real stores are in tests/integration."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from archioc.core.batch import COUNTS
from archioc.core.errors import StoreDenied, StoreUnavailable
from archioc.core.events import ChannelEvent, Reason
from archioc.core.ledger import Ledger
from archioc.core.process import StopSignal
from archioc.core.spool import SpoolDirectory, SpoolEntry, SpoolFile
from archioc.core.spool_disk import OsDisk
from archioc.core.table import ChannelTable, ProcessState, StoreState
from db import delivery as delivery_module
from db.book import DeliveryBook
from db.delivery import LONGEST_PAUSE_S, LONGEST_RETRY_AFTER_S, Delivery, pause_after
from db.quarantine import Quarantine
from db.spool_status import SpoolStatus
from db.store import Refusal, WriteOutcome
from db.store_status import StoreStatus


@dataclass
class FaultyStore:
    """Keeps batch ids; raises the next of `faults`, if there is one, instead of answering."""

    destination: str = "here"
    faults: list[Exception] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    prepared: int = 0
    reject: int = 0
    told: list[ChannelEvent] = field(default_factory=list)
    warns: str = ""
    lanes: int = 1
    before_write: Callable[[], None] = lambda: None

    def prepare(self) -> None:
        self.prepared += 1
        if self.faults and "prepare" in str(self.faults[0]):
            raise self.faults.pop(0)

    def write(self, file: SpoolFile) -> WriteOutcome:
        self.before_write()
        if self.faults:
            raise self.faults.pop(0)
        self.written.append(file.batch_id)
        if not self.reject:
            return WriteOutcome.all_stored(file)
        rejected = np.zeros(len(file.counts), np.int64)
        rejected[0] = self.reject
        event = ChannelEvent("A", file.committed_ns, Reason.REJECTED, count=self.reject)
        refusals = (Refusal(b"sample,pv=A value=1 1\nsample,pv=A value=2 2", "400\nbad"),)
        return WriteOutcome(rejected, rejected, refusals, (event,), "400 bad")

    def write_events(self, events: Sequence[ChannelEvent]) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.told += events

    @property
    def warning(self) -> str:
        return self.warns


class Bench:
    """A spool, a table and a delivery between them."""

    def __init__(self, root: Path) -> None:
        self.spool = SpoolDirectory(root / "spool")
        self.spool.create()
        self.table = ChannelTable(root)
        self.table.create(10)
        self.store = FaultyStore()
        self.delivery = self.another()

    def another(self) -> Delivery:
        """The delivery of a process that takes up."""
        return Delivery(self.spool, self.store, DeliveryBook(self.table.delivery), StoreStatus(self.table.delivery))

    def fill(self, *batch_ids: int, destination: str = "here") -> None:
        for batch_id in batch_ids:
            counts = np.array([(1, 1, 3), (2, 1, 1)], COUNTS)
            self.spool.publish(self.spool.prepare(SpoolFile(batch_id, time.time_ns(), destination, counts, b"payload")))

    def deliver_all(self) -> None:
        while self.delivery.step():
            pass

    def deliver(self) -> None:
        """Go on until the store has answered."""
        while self.delivery.step() and self.delivery._lanes.in_flight:
            pass

    def head(self, name: str) -> int:
        return int(self.table.delivery.head[name][0])

    def error(self) -> str:
        return bytes(self.table.delivery.head["error"][0]).decode()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.table.close()


def in_spool(bench: Bench) -> tuple[list[int], list[int]]:
    return [entry.batch_id for entry in bench.spool.waiting()], [entry.batch_id for entry in bench.spool.claimed()]


def test_oldest_first_and_counted(bench: Bench) -> None:
    """All files reach the store in the order of their ids, are counted and gone."""
    bench.fill(3, 1, 2)
    bench.deliver_all()
    assert bench.store.written == [1, 2, 3]
    assert in_spool(bench) == ([], [])
    assert (bench.head("stored"), bench.head("batches"), bench.head("batch_id")) == (12, 3, 3)
    assert bench.head("store_state") == StoreState.OK
    assert int(bench.table.delivery.cells["stored"][1]) == 9


def test_a_failing_store_keeps_the_file(bench: Bench) -> None:
    """A file that the store did not take stays claimed, the failure is shown, and the server is looked at anew. (SPL-05)"""
    bench.fill(1, 2)
    bench.store.faults = [StoreUnavailable("503 later"), StoreDenied("401 who are you")]
    for state, words in ((StoreState.UNREACHABLE, "503 later"), (StoreState.DENIED, "401 who are you")):
        stop = StopSignal()
        worker = threading.Thread(target=bench.delivery.run, args=(stop,))
        worker.start()
        deadline = time.monotonic() + 5
        while bench.head("store_state") != state and time.monotonic() < deadline:
            time.sleep(0.005)
        stop.set()
        worker.join(5)
        assert not worker.is_alive()
        assert (bench.head("store_state"), bench.error()) == (state, words)
        assert in_spool(bench) == ([2], [1])
    assert bench.head("retries") == 2
    assert bench.store.prepared == 2
    bench.deliver_all()
    assert bench.store.prepared == 3
    assert bench.store.written == [1, 2]
    assert (bench.head("stored"), bench.error()) == (8, "")


def test_a_store_is_well_only_when_it_takes_samples(bench: Bench) -> None:
    """A store that answers but has refused the last write is not shown as well before it has taken a file."""
    seen: list[int] = []
    bench.store.before_write = lambda: seen.append(bench.head("store_state"))
    bench.fill(1)
    bench.store.faults = [StoreDenied("403 read only")]
    stop = StopSignal()
    worker = threading.Thread(target=bench.delivery.run, args=(stop,))
    worker.start()
    deadline = time.monotonic() + 5
    while bench.head("store_state") != StoreState.OK and time.monotonic() < deadline:
        time.sleep(0.005)
    stop.set()
    worker.join(5)
    assert seen == [StoreState.UNKNOWN, StoreState.DENIED]
    assert bench.head("store_state") == StoreState.OK


def test_pauses_double_with_jitter() -> None:
    """The pause grows from half a second to half a minute, varies, and honours Retry-After within reason."""
    for failures, longest in ((1, 0.5), (2, 1.0), (5, 8.0), (7, LONGEST_PAUSE_S), (10**6, LONGEST_PAUSE_S)):
        pauses = [pause_after(failures, None) for _ in range(50)]
        assert all(longest / 2 <= pause <= longest for pause in pauses)
        assert len(set(pauses)) > 1
    assert pause_after(1, 7.0) == 7.0
    assert pause_after(1, 1e9) == LONGEST_RETRY_AFTER_S


def test_files_for_another_store_wait(bench: Bench) -> None:
    """A file made for another destination is left where it is, does not hold up others, and is shown. (SPL-07)"""
    bench.fill(1, destination="there")
    bench.fill(2)
    bench.fill(3, destination="there")
    bench.deliver_all()
    bench.deliver_all()
    assert bench.store.written == [2]
    assert in_spool(bench) == ([1, 3], [])
    assert bench.error() == "2 spool files are for another store: there"
    bench.store.destination = "there"
    bench.delivery = bench.another()
    bench.deliver_all()
    assert bench.store.written == [2, 1, 3]


def test_a_damaged_file_is_set_aside_and_counted(bench: Bench) -> None:
    """A file that cannot be read is kept apart and its samples count as rejected; the others go on. (SPL-10)"""
    bench.fill(1, 2)
    path = bench.spool.waiting()[0].path
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    bench.deliver_all()
    assert bench.store.written == [2]
    assert [entry.batch_id for entry in bench.spool.damaged()] == [1]
    assert (bench.head("stored"), bench.head("rejected")) == (4, 4)


def test_refused_samples_are_counted_and_kept(bench: Bench) -> None:
    """What the store refuses for good is in the quarantine with its words and counted for its channel. (SPL-16)"""
    bench.fill(1)
    bench.store.reject = 2
    bench.deliver_all()
    assert (bench.head("stored"), bench.head("rejected"), bench.head("store_state")) == (2, 2, StoreState.REJECTING)
    assert int(bench.table.delivery.cells["rejected"][1]) == 2
    quarantine = Quarantine(bench.spool.root)
    entry = quarantine.read(quarantine.find(1))
    assert (entry.samples, entry.channels(), entry.refusals[0].message) == (2, ["A"], "400\nbad")
    assert [(event.reason, event.count) for event in bench.store.told] == [(Reason.REJECTED, 2)]


def test_events_of_refused_samples_are_stored_before_the_file_is_let_go(bench: Bench) -> None:
    """When the store goes away between a refusal and the event that tells of it, the file is sent again and counted once."""
    bench.fill(1)
    bench.store.reject = 2
    failing = bench.store.write_events

    def fail_once(events: Sequence[ChannelEvent]) -> None:
        bench.store.write_events = failing  # type: ignore[method-assign]
        raise StoreUnavailable("gone")

    bench.store.write_events = fail_once  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        bench.deliver()
    assert in_spool(bench) == ([], [1])
    bench.deliver_all()
    assert len(bench.store.told) == 1
    assert (bench.head("stored"), bench.head("rejected")) == (2, 2)


def test_what_the_store_warns_of_is_shown(bench: Bench) -> None:
    """A warning of a store that takes samples stands where its errors stand, and goes when the store is quiet again."""
    bench.store.warns = "80 of at most 100 channels"
    bench.fill(1)
    bench.deliver_all()
    assert (bench.head("store_state"), bench.error()) == (StoreState.OK, "80 of at most 100 channels")
    bench.store.warns = ""
    bench.deliver_all()
    assert bench.error() == ""


def test_the_engine_may_drop_a_listed_file(bench: Bench) -> None:
    """A file that has gone between the look and the claim is passed over."""
    bench.fill(1, 2, 3)
    bench.deliver()
    bench.spool.take_out(bench.spool.waiting()[0])
    bench.deliver_all()
    assert bench.store.written == [1, 3]


def test_stopping_drains_the_spool(bench: Bench) -> None:
    """Told to stop, the delivery sends what waits and ends."""
    bench.fill(*range(1, 30))
    stop = StopSignal()
    stop.set()
    bench.delivery.run(stop)
    assert bench.store.written == list(range(1, 30))
    assert in_spool(bench) == ([], [])


def test_draining_ends_in_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow store does not keep the process from stopping; what is left waits."""
    monkeypatch.setattr(delivery_module, "DRAIN_S", 0.1)
    bench.fill(*range(1, 30))
    bench.store.before_write = lambda: time.sleep(0.03)
    stop = StopSignal()
    stop.set()
    bench.delivery.run(stop)
    waiting, claimed = in_spool(bench)
    assert 0 < len(waiting) < 29
    assert bench.store.written + claimed + waiting == list(range(1, 30))


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
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(SpoolDirectory, "remove", refuse)
        with pytest.raises(OSError, match="Input/output error"):
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
        with pytest.raises(OSError, match="Input/output error"):
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
    assert b"No such file" in shown
    assert bench.store.written == [1, 2]
    assert bytes(bench.table.delivery.head["spool_error"][0]) == b""
    assert bench.head("store_state") == StoreState.OK


def test_the_spool_is_counted_from_its_files(bench: Bench) -> None:
    """Files, samples, bytes and age of what waits or is being sent are shown, with a sign of life."""
    status = SpoolStatus(bench.table.delivery, bench.spool)
    status.show(ProcessState.RUNNING)
    assert (bench.head("spool_files"), bench.head("spool_oldest"), bench.head("quarantined")) == (0, 0, 0)
    started = time.time_ns()
    bench.fill(4, 5)
    bench.spool.claim(bench.spool.waiting()[0])
    size = sum(bench.spool.stat(entry).size for entry in [*bench.spool.waiting(), *bench.spool.claimed()])
    time.sleep(0.6)
    status.show(ProcessState.STOPPING)
    assert (bench.head("spool_files"), bench.head("spool_samples"), bench.head("spool_bytes")) == (2, 8, size)
    assert started - 10**8 < bench.head("spool_oldest") < bench.head("heartbeat")
    assert bench.head("state") == ProcessState.STOPPING
    assert 0 < float(bench.table.delivery.head["disk_free"][0]) <= 1


def test_as_many_files_are_on_their_way_as_the_store_takes(bench: Bench) -> None:
    """Once the store has taken a file, so many writes run at once as it wants, and their answers may come in any order."""
    at_once: list[int] = []
    both = threading.Barrier(2, timeout=5)

    def hold() -> None:
        if bench.store.written:
            both.wait()
            at_once.append(len(bench.spool.claimed()))

    bench.store.lanes = 2
    bench.store.before_write = hold
    bench.fill(1, 2, 3)
    bench.deliver_all()
    assert sorted(bench.store.written) == [1, 2, 3]
    assert at_once[0] == 2
    assert (bench.head("stored"), bench.head("batches"), bench.head("batch_id")) == (12, 3, 3)
    assert in_spool(bench) == ([], [])


def test_a_failure_in_one_lane_does_not_undo_another(bench: Bench) -> None:
    """Of two files on their way one fails: the other is counted, and the first is sent again, alone."""
    both = threading.Barrier(2, timeout=5)
    seen: list[int] = []

    def hold() -> None:
        if len(bench.store.written) == 1 and not seen:
            both.wait()
            with lock:
                if not seen:
                    seen.append(1)
                    raise StoreUnavailable("503")

    lock = threading.Lock()
    bench.store.lanes = 2
    bench.store.before_write = hold
    bench.fill(1, 2, 3, 4)
    with pytest.raises(StoreUnavailable):
        bench.deliver_all()
    assert bench.head("batches") == 2
    assert len(in_spool(bench)[1]) == 1
    bench.deliver_all()
    assert sorted(bench.store.written) == [1, 2, 3, 4]
    assert (bench.head("stored"), bench.head("batches")) == (16, 4)


def test_pauses_grow_while_no_file_is_taken(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that answers but takes nothing is asked less and less often, although sending goes well each time."""
    asked: list[int] = []

    def no_pause(failures: int, _retry_after: float | None) -> float:
        asked.append(failures)
        return 0.0

    monkeypatch.setattr(delivery_module, "pause_after", no_pause)
    bench.fill(1, 2)
    bench.store.faults = [StoreUnavailable("503") for _ in range(3)]
    stop = StopSignal()
    worker = threading.Thread(target=bench.delivery.run, args=(stop,))
    worker.start()
    deadline = time.monotonic() + 5
    while bench.store.written != [1, 2] and time.monotonic() < deadline:
        time.sleep(0.005)
    stop.set()
    worker.join(5)
    assert asked == [1, 2, 3]
