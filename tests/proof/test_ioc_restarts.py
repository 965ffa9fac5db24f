"""An IOC that dies and comes back, again and again."""

from __future__ import annotations

import time

import pytest

from tests.conftest import ArchiverFactory, SoftIocFactory
from tests.counters import counter_database, counter_names
from tests.processes.archiver import PROCESSES, Archiver
from tests.processes.archiver_answers import History
from tests.processes.resources import Resources, resources_of
from tests.proof.counts import counts

COUNTERS = 100
STATIC = 100
STATIC_RECORD = 'record(ao, "{name}") {{ field(VAL, "{value}") field(PINI, "YES") }}\n'

BACK_S = 5.0
"""From the moment when the IOC serves again until all its channels are connected."""
WARM_UP = 0.2
"""After this part of the restarts nothing may grow any more."""
GROWTH = 1.05
"""What remains of pages that the allocator keeps."""
POOL_THREADS = 4
"""Threads of a pool come when they are first needed, some of them late; one for each restart would be ten times as many."""
SLACK_BYTES = 2_000_000

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
    held = [holdings(made)]
    for _ in range(restarts):
        ioc.kill()
        made.wait_connected(0)
        ioc.restart()
        begun = time.monotonic()
        made.wait_connected(COUNTERS + STATIC)
        assert time.monotonic() - begun < BACK_S
        made.wait_for_samples(counting[0], time.time_ns())
        held.append(holdings(made))
    assert made.stop() == 0
    histories = made.check_conservation().histories
    for name in counting + static:
        check_gaps(name, histories[name], restarts)
    warm = held[max(1, int(WARM_UP * restarts))]
    for name in PROCESSES:
        before, after = warm[name], held[-1][name]
        assert after.threads <= before.threads + POOL_THREADS, f"{name}: {[one[name] for one in held]}"
        assert after.descriptors <= before.descriptors, f"{name}: {[one[name] for one in held]}"
        assert after.memory <= before.memory * GROWTH + SLACK_BYTES, f"{name}: {[one[name] for one in held]}"


def holdings(made: Archiver) -> dict[str, Resources]:
    return {name: resources_of(made.pid_of(name)) for name in PROCESSES}


def check_gaps(name: str, history: History, restarts: int) -> None:
    """One closed gap for each restart, and the generated sample at its end.

    In a gap lies at most the value that was found at its end, under its own stamp.
    """
    gaps = history.gaps("disconnected")
    assert len(gaps) == restarts, f"{name}: {gaps}"
    assert [event.reason for event in history.events if event.reason != "disconnected"] == ["archiver_stop"]
    generated = [sample.time_ns for sample in history.samples if sample.generated]
    assert generated[1:] == [gap.end_ns for gap in gaps], name
    for gap in gaps:
        assert sum(gap.time_ns < sample.time_ns < (gap.end_ns or 0) for sample in history.true) <= 1, name
