"""Thousands of counters at 10 Hz beside a busy thread in the ioc process and queries: nothing that libca delivered is missing."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Self

import psutil
import pytest

from archioc.engine.ca.event_callback import COMPILED
from tests.conftest import ArchiverFactory, InfluxdFactory, RawWitnessFactory, SoftIocFactory
from tests.processes.archiver import COMMAND_S, Archiver
from tests.processes.raw_witness import stamps_of
from tests.processes.stored_counters import check_stored, in_embedded_store, in_influxdb
from tests.processes.tools import missing_tool
from tests.processes.waiting import wait_until
from tests.proof.counts import counts
from tests.records.counters import counter_database, counter_names

BURNING = Path(__file__).parents[1] / "processes/burning"
RATE_HZ = 10
BUSY = 0.05
"""The ioc process has had at least this part of a processor; all others on the machine want theirs."""

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]


class Queries(threading.Thread):
    """Asks the archiver for the last 10 s of ten counters, again and again."""

    def __init__(self, archiver: Archiver, names: list[str]) -> None:
        super().__init__(name="queries")
        self._archiver, self._names = archiver, names
        self._stopped = threading.Event()
        self.answered = 0
        self.refused: list[str] = []

    def run(self) -> None:
        while not self._stopped.is_set():
            done = self._archiver.command("get", *self._names, "--config", str(self._archiver.config), "--start", "-10s", "--format", "csv")
            self.answered += done.status == 0
            if done.status:
                self.refused.append(done.err)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.join(COMMAND_S)


@pytest.mark.parametrize("callback", ["compiled", "python"])
def test_full_load(
    callback: str,
    archiver: ArchiverFactory,
    softioc: SoftIocFactory,
    raw_witness: RawWitnessFactory,
    own_influxd: InfluxdFactory,
    prefix: str,
) -> None:
    """Every update that a raw client saw is stored with stamp, value and alarm, and the counts of each record are unbroken.

    The compiled callback with InfluxDB, that in Python with the embedded store.
    """
    if callback == "compiled" and not COMPILED:
        missing_tool("cc", "install a C compiler and install ArchIOC again")
    number, seconds = counts().load_counters, counts().load_s
    names = counter_names(prefix, number)
    ioc = softioc(counter_database(names))
    server = own_influxd("tsi1") if callback == "compiled" else None
    store = {"influxdb": {"url": server.url, "bucket": "epics"}} if server else {"embedded": {}}
    more = {"archiver": {"max_channels": number, "ring_bytes": "64MB"}, "ca": {"callback": callback}}
    search_first = {"PYTHONPATH": os.pathsep.join([str(BURNING), os.environ.get("PYTHONPATH", "")])}
    made = archiver(names, [ioc.port], store, more=more, environment=search_first)
    made.start(connected=number)
    assert f'"callback": "{"compiled" if callback == "compiled" else "pinned"}"' in made.log.read_text()
    made.wait_for_samples(names[-1], 0)
    witness = raw_witness(names, [ioc.port], int(number * RATE_HZ * (4 * seconds + 300)))
    busy = psutil.Process(made.pid_of("ioc"))
    before = sum(busy.cpu_times()[:2])
    wanted = made.overview().conservation.received + number * RATE_HZ * seconds
    with Queries(made, names[:10]) as queries:
        time.sleep(seconds)
        # a machine that is busy otherwise gives the records, and the commands, less than a second each second
        wait_until(lambda: made.overview().conservation.received >= wanted, 90 + 3 * seconds, f"{wanted:.0f} updates are received", 0.2)
        wait_until(lambda: queries.answered > 1, 120, "queries have been answered", 0.2)
    assert sum(busy.cpu_times()[:2]) - before > BUSY * seconds
    until_ns = time.time_ns()
    assert witness.stop() == 0
    made.wait_for_samples(names[-1], until_ns)
    made.wait_for_empty_spool()
    assert made.stop() == 0
    assert not queries.refused
    stored = in_influxdb(server.url, "epics", names) if server else in_embedded_store(made.directories.store, names)
    assert made.check_balance().total.stored == len(stored)
    updates = witness.updates()
    assert len(updates) > 0.9 * number * RATE_HZ * seconds
    check_stored(updates[stamps_of(updates) < until_ns], stored[stored["flags"] == 0], number)
