"""Engine and db killed at random moments under load, with a spool that fills and drains."""

from __future__ import annotations

import random
import time

import pytest

from tests.conftest import CountingFactory, InfluxdFactory
from tests.hostile.disturbances import Outage, kill_at_random, suspended_writer
from tests.proof.counts import counts

COMMIT_S = 0.2
COUNTERS = 100

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]


@pytest.fixture
def moments() -> random.Random:
    """Moments that are others each time; the seed is shown with a failure."""
    seed = time.time_ns()
    print(f"seed {seed}")
    return random.Random(seed)


def test_embedded(counting: CountingFactory, moments: random.Random) -> None:
    """Kill -9 of engine and writer, each 100 times: every value that had reached the ring is in the embedded store, once."""
    load = counting(COUNTERS, {"embedded": {}}, COMMIT_S, impatient=True)
    kill_at_random(load, suspended_writer(load.archiver), counts().random_kills, moments)


def test_influxdb(counting: CountingFactory, own_influxd: InfluxdFactory, moments: random.Random) -> None:
    """The same with InfluxDB, which stops answering in between, so that a batch is sent again that it takes later as well."""
    server = own_influxd()
    load = counting(COUNTERS, {"influxdb": {"url": server.url, "bucket": "epics"}}, COMMIT_S, impatient=True)
    kill_at_random(load, Outage(server.suspend, server.resume), counts().random_kills, moments)
