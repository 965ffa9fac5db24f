"""The delivery loop beside a store that fails on demand; real stores are in tests/integration."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest

from archioc.core.errors import StoreDenied, StoreUnavailable
from archioc.core.events import ChannelEvent, Reason
from archioc.core.process import StopSignal
from archioc.core.spool.addresses import Addresses
from archioc.core.table.table import ProcessState, StoreState
from archioc.db.delivery import loop as delivery_module
from archioc.db.delivery import source
from archioc.db.delivery.loop import LONGEST_PAUSE_S, LONGEST_RETRY_AFTER_S, pause_after
from archioc.db.delivery.quarantine import Quarantine
from archioc.db.delivery.spool_status import SpoolStatus
from tests.unit.db.delivery.rig import Bench, in_spool


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
    """The pause grows from half a second to ten, varies, and honours Retry-After within reason."""
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
    assert bench.error() == "2 spool files are for another store: there (has this one moved? `archioc spool readdress`)"
    assert bench.head("store_state") == StoreState.DEGRADED
    bench.store.destination = "there"
    bench.delivery = bench.another()
    bench.deliver_all()
    assert bench.store.written == [2, 1, 3]


def test_files_for_an_earlier_address_of_the_store(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is said that the store has moved, what was passed over is sent by the running process, and all is well. (SPL-07)"""
    monkeypatch.setattr(source, "READDRESS_S", 0.0)
    bench.fill(1, 2, destination="influxdb:there")
    bench.store.destination = "influxdb:here"
    bench.deliver_all()
    assert (bench.store.written, bench.head("store_state")) == ([], StoreState.DEGRADED)
    Addresses(bench.spool).readdress({"influxdb:there"}, "influxdb:here")
    bench.deliver_all()
    bench.deliver_all()
    assert bench.store.written == [1, 2]
    assert (bench.head("store_state"), bench.error(), bench.head("stored")) == (StoreState.OK, "", 8)


def test_a_damaged_file_is_a_gap_of_all_channels(bench: Bench) -> None:
    """Nobody knows whose samples were in a file that cannot be read: each channel has a gap; a store that is away has it told later."""
    bench.fill(committed := 60 * 10**9)
    path = bench.spool.waiting()[0].path
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    bench.store.faults.append(StoreUnavailable("away"))
    with pytest.raises(StoreUnavailable):
        bench.deliver_all()
    assert bench.head("rejected") == 0
    bench.deliver_all()
    gaps = [(event.channel, event.reason, event.time_ns, event.end_ns) for event in bench.store.told]
    assert gaps == [(name, Reason.STORE_DAMAGED, committed - 11 * 10**9, committed) for name in ("A", "B")]
    assert (bench.head("rejected"), len(bench.spool.damaged())) == (4, 1)


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
    bench.spool.withdraw(bench.spool.waiting()[0])
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
    # What the store was taking when the time was over stays claimed, and it may have it by now.
    assert sorted({*bench.store.written, *claimed, *waiting}) == list(range(1, 30))


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
