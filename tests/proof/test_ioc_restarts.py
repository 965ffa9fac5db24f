"""An IOC that dies and comes back, again and again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

import pytest

from tests.conftest import ArchiverFactory, SoftIocFactory
from tests.processes.archiver import PROCESSES, Archiver
from tests.processes.archiver_answers import History
from tests.processes.resources import Resources, resources_of
from tests.processes.waiting import wait_until
from tests.proof.counts import counts
from tests.records.counters import counter_database, counter_names

COUNTERS = 100
STATIC = 100
STATIC_RECORD = 'record(ao, "{name}") {{ field(VAL, "{value}") field(PINI, "YES") }}\n'

BACK_S = 5.0
"""From the moment when the IOC serves again until all its channels are connected; libca alone would take twice as long."""
WARM_UP = 0.2
"""After this part of the restarts nothing may grow any more."""
GROWTH = 1.05
"""What remains of pages that the allocator keeps."""
POOL_THREADS = 4
"""Threads of a pool come when they are first needed, some of them late; one for each restart would be ten times as many."""
SLACK_BYTES = 2_000_000
SETTLE_S = 30.0
"""What is only held for a moment is let go of by then; what leaks never is."""

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]


def test_ioc_restarts(archiver: ArchiverFactory, softioc: SoftIocFactory, prefix: str) -> None:
    """An IOC killed and restarted 50 times: each time every channel is back within seconds, has one closed gap and a generated sample.

    Memory, threads and descriptors of the three processes do not grow.
    """
    restarts = counts().ioc_restarts
    counting, static = counter_names(prefix, COUNTERS), [f"{prefix}S{number:03d}" for number in range(STATIC)]
    database = counter_database(counting) + "".join(STATIC_RECORD.format(name=name, value=at) for at, name in enumerate(static))
    ioc = softioc(database)
    made = archiver(counting + static, [ioc.port], more={"log": {"level": "warning"}})
    made.start(connected=COUNTERS + STATIC)
    made.wait_for_samples(counting[0], time.time_ns())
    connected_ns = time.time_ns()
    held, took, served = [holdings(made)], [], []
    for _ in range(restarts):
        ioc.kill()
        made.wait_connected(0)
        served.append(time.time_ns())
        ioc.restart()
        begun = time.monotonic()
        made.wait_connected(COUNTERS + STATIC)
        took.append(time.monotonic() - begun)
        made.wait_for_samples(counting[0], time.time_ns())
        held.append(holdings(made))
    warm = held[max(1, int(WARM_UP * restarts))]
    for name in PROCESSES:
        wait_until(
            lambda name=name: holdings(made)[name].within(warm[name], GROWTH, SLACK_BYTES, POOL_THREADS),  # type: ignore[misc]
            SETTLE_S,
            f"{name} holds no more than before: {[one[name] for one in held]}",
            0.1,
        )
    assert made.stop() == 0
    assert median(took) < BACK_S, took
    histories = made.check_conservation().histories
    inside = [check_gaps(name, histories[name], connected_ns, served) for name in counting + static]
    assert median(count for counts_of in inside for count in counts_of) <= 1


def holdings(made: Archiver) -> dict[str, Resources]:
    return {name: resources_of(made.pid_of(name)) for name in PROCESSES}


def check_gaps(name: str, history: History, connected_ns: int, served: Sequence[int]) -> list[int]:
    """One closed gap for each restart, and the generated sample at its end.

    In a gap lies nothing from before the IOC was started again (served, ns), which is the value that was found at its end, under its own
    stamp, and more only where the first value has come late. How many samples lie in each gap.
    """
    # a start may last longer than new channels are given to connect: their gap until then is told as well
    gaps = [gap for gap in history.gaps("disconnected") if gap.time_ns >= connected_ns]
    assert len(gaps) == len(served), f"{name}: {gaps}"
    assert [event.reason for event in history.events if event.reason != "disconnected"] == ["archiver_stop"]
    generated = [sample.time_ns for sample in history.samples if sample.generated]
    assert generated[1:] == [gap.end_ns for gap in gaps], name
    inside = [[sample.time_ns for sample in history.true if gap.time_ns < sample.time_ns < (gap.end_ns or 0)] for gap in gaps]
    for times, back_ns in zip(inside, served, strict=True):
        assert all(time_ns >= back_ns for time_ns in times), name
    return [len(times) for times in inside]
