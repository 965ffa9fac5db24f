"""The counted proofs of what `tests/integration/test_archiver_disturbed.py` shows with small counts."""

from __future__ import annotations

import pytest

from tests.conftest import ArchiverFactory, CaClientFactory, CaWatchFactory, InfluxdFactory, SoftIocFactory
from tests.counters import counter_database, counter_names
from tests.disturbances import Outage, kill_each, lose_store, suspended_writer
from tests.proof.counts import counts

COMMIT_S = 0.2

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]


@pytest.mark.parametrize("kind", ["embedded", "influxdb"])
def test_kill_each_process(
    kind: str,
    archiver: ArchiverFactory,
    softioc: SoftIocFactory,
    ca_client: CaClientFactory,
    ca_watch: CaWatchFactory,
    prefix: str,
    request: pytest.FixtureRequest,
) -> None:
    """kill -9 of each process under load with 10 batches in the spool: nothing is lost but what came while no engine was there."""
    names = counter_names(prefix, counts().counters)
    ioc = softioc(counter_database(names))
    if kind == "embedded":
        made = archiver(names, [ioc.port], None, COMMIT_S)
        outage = suspended_writer(made)
    else:
        start_server: InfluxdFactory = request.getfixturevalue("own_influxd")
        server = start_server()
        made = archiver(names, [ioc.port], {"influxdb": {"url": server.url, "bucket": "epics"}}, COMMIT_S)
        outage = Outage(server.kill, server.start)
    made.start(connected=len(names))
    watch = ca_watch(names, [ioc.port])
    watch.wait_for(5, names[-1], timeout_s=30)
    kill_each(made, ca_client([made.port]), watch, names, outage, counts().kill_rounds)


def test_store_away(archiver: ArchiverFactory, softioc: SoftIocFactory, ca_watch: CaWatchFactory, own_influxd: InfluxdFactory, prefix: str) -> None:
    """InfluxDB stopped for a minute and started again: nothing is lost, the spool drains to nothing."""
    names = counter_names(prefix, counts().counters)
    ioc, server = softioc(counter_database(names)), own_influxd()
    made = archiver(names, [ioc.port], {"influxdb": {"url": server.url, "bucket": "epics"}})
    made.start(connected=len(names))
    watch = ca_watch(names, [ioc.port])
    watch.wait_for(5, names[-1], timeout_s=30)
    lose_store(made, watch, names, Outage(server.stop, server.start), counts().away_s)
