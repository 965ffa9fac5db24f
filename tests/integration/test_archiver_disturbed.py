"""Processes killed and the store away, with small counts; the full ones are in `tests/proof`."""

from __future__ import annotations

from tests.conftest import CaClientFactory, CountingFactory, InfluxdFactory
from tests.hostile.disturbances import FragileStore, Outage, kill_each, lose_store

COUNTERS = 50
COMMIT_S = 0.1
"""Short, so that many batches come into the spool in a short time."""


def test_kill_each_process(fragile_store: FragileStore, counting: CountingFactory, ca_client: CaClientFactory) -> None:
    """Kill -9 of each process under load with 10 batches in the spool: nothing is lost but what came while no engine was there."""
    load = counting(COUNTERS, fragile_store.settings, COMMIT_S)
    kill_each(load, ca_client([load.archiver.port]), fragile_store.outage(load.archiver), rounds=1)


def test_store_away(own_influxd: InfluxdFactory, counting: CountingFactory) -> None:
    """InfluxDB stopped for some seconds and started again: nothing is lost, the spool drains to nothing."""
    server = own_influxd()
    lose_store(counting(COUNTERS, {"influxdb": {"url": server.url, "bucket": "epics"}}), Outage(server.stop, server.start), seconds=5)
