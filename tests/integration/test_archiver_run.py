"""`archioc run` as a whole: how it starts, stops, refuses, and how it ends when its supervisor is killed."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import pytest

from tests.conftest import ArchiverFactory, CaWatchFactory, SoftIocFactory
from tests.counters import check_no_loss, counter_database, counter_names
from tests.processes.archiver import Archiver
from tests.processes.waiting import wait_until

COUNTERS = 20

Stop = Callable[[Archiver], int]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("stop", [Archiver.stop, Archiver.interrupt], ids=["SIGTERM", "Ctrl-C"])
def test_stop_in_order_and_start_again(
    stop: Stop, archiver: ArchiverFactory, softioc: SoftIocFactory, ca_watch: CaWatchFactory, prefix: str
) -> None:
    """SIGTERM and Ctrl-C end all processes with 0 within 12 s, all samples are stored, and the gap of the stop closes at the next start."""
    names = counter_names(prefix, COUNTERS)
    ioc = softioc(counter_database(names))
    made = archiver(names, [ioc.port])
    made.start(connected=COUNTERS)
    watch = ca_watch(names, [ioc.port])
    watch.wait_for(20, names[-1])
    asked_ns, asked = time.time_ns(), time.monotonic()
    children = psutil.Process(made.pid).children()
    assert stop(made) == 0
    assert time.monotonic() - asked < 12
    assert len(children) == 3
    assert not any(child.is_running() for child in children)
    made.check_conservation()
    histories = made.get(f"{prefix}*")
    check_no_loss(watch.by_channel(), histories, asked_ns - 10**9)
    assert all([gap.end_ns for gap in histories[name].gaps("archiver_stop")] == [None] for name in names)
    made.start(connected=COUNTERS)
    again_ns = time.time_ns()
    made.wait_for_samples(names[0], again_ns)
    made.stop()
    made.check_conservation()
    for history in made.get(f"{prefix}*").values():
        first, second = history.gaps("archiver_stop")
        assert first.end_ns is not None
        assert asked_ns <= first.time_ns < first.end_ns <= again_ns
        assert second.end_ns is None
        resumed = [sample for sample in history.samples if sample.time_ns > first.time_ns][:2]
        assert any(sample.generated for sample in resumed)


@pytest.mark.timeout(120)
def test_killed_supervisor(archiver: ArchiverFactory, softioc: SoftIocFactory, ca_watch: CaWatchFactory, prefix: str) -> None:
    """After kill -9 of the supervisor its processes end by themselves, and one started at once goes on without loss but for the gap."""
    names = counter_names(prefix, COUNTERS)
    ioc = softioc(counter_database(names))
    made = archiver(names, [ioc.port])
    made.start(connected=COUNTERS)
    watch = ca_watch(names, [ioc.port])
    watch.wait_for(20, names[-1])
    children = made.kill_supervisor()
    made.start()
    assert not any(child.is_running() for child in children)
    made.wait_connected(COUNTERS)
    resumed_ns = time.time_ns()
    made.wait_for_samples(names[0], resumed_ns + 10**9)
    assert made.stop() == 0
    made.check_conservation()
    check_no_loss(watch.by_channel(), made.get(f"{prefix}*"), resumed_ns + 10**9, "archiver_stop")


@pytest.mark.timeout(60)
def test_nothing_outlives_a_killed_supervisor(archiver: ArchiverFactory, softioc: SoftIocFactory, prefix: str) -> None:
    """When the supervisor is killed, the three processes end within 12 s."""
    names = counter_names(prefix, 1)
    ioc = softioc(counter_database(names))
    made = archiver(names, [ioc.port])
    made.start(connected=1)
    children = made.kill_supervisor()
    wait_until(lambda: not any(child.is_running() for child in children), 12, "the processes have ended")
    made.check_conservation()


def test_wrong_configuration_starts_nothing(archiver: ArchiverFactory, prefix: str) -> None:
    """A configuration with an error ends `run` with 2 and one line that names file, line and key; no state directory is made."""
    made = archiver([{"pv": f"{prefix}X", "rate": -1}], [])
    done = made.command("run", str(made.config))
    assert done.status == 2
    assert done.out == ""
    [line] = done.err.splitlines()
    assert f"{made.config}:" in line
    assert "rate" in line
    assert not made.directories.state.exists()


def test_second_archiver_is_refused(archiver: ArchiverFactory, prefix: str) -> None:
    """A second archiver on the same state directory ends with 1 and a line that says who has it; the first is not disturbed."""
    made = archiver([], [])
    made.start()
    done = made.command("run", str(made.config))
    assert done.status == 1
    assert "another archiver runs on it" in done.err
    assert str(made.pid) in done.err
    assert "Traceback" not in done.err
    assert all(made.child(name) is not None for name in ("ioc", "db", "engine"))
    assert made.stop() == 0
