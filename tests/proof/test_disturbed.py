"""The counted proofs of what `tests/integration/test_archiver_disturbed.py` shows with small counts."""

from __future__ import annotations

import pytest

from tests.conftest import CaClientFactory, CountingFactory, InfluxdFactory
from tests.hostile.disturbances import FragileStore, Outage, kill_each, lose_store
from tests.proof.counts import counts

COMMIT_S = 0.2

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]


def test_kill_each_process(fragile_store: FragileStore, counting: CountingFactory, ca_client: CaClientFactory) -> None:
    """Kill -9 of each process under load with 10 batches in the spool: nothing is lost but what came while no engine was there."""
    load = counting(counts().counters, fragile_store.settings, COMMIT_S)
    kill_each(load, ca_client([load.archiver.port]), fragile_store.outage(load.archiver), counts().kill_rounds)


def test_store_away(own_influxd: InfluxdFactory, counting: CountingFactory) -> None:
    """InfluxDB stopped for a minute and started again: nothing is lost, the spool drains to nothing."""
    server = own_influxd()
    load = counting(counts().counters, {"influxdb": {"url": server.url, "bucket": "epics"}})
    lose_store(load, Outage(server.stop, server.start), counts().away_s)
