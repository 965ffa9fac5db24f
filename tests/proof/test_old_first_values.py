from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import yaml

from archioc.engine.sampling.stamps import MAX_PAST
from tests.conftest import ArchiverFactory, InfluxdFactory
from tests.processes.old_stamps import YEAR_S, start_old_stamps
from tests.processes.ports import free_ports
from tests.processes.waiting import wait_until
from tests.proof.counts import counts

YEARS = 5.0
CONNECT_S = 150.0

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]


def test_no_shard_in_the_far_past(
    own_influxd: InfluxdFactory, archiver: ArchiverFactory, repeater_port: int, tmp_path: Path, prefix: str
) -> None:
    """Channels whose first values are up to five years old are all stored, and the database gets no shard older than max_past."""
    count = counts().old_channels
    port = free_ports(1)[0]
    server = start_old_stamps(prefix, count, YEARS, port, repeater_port, tmp_path / "server")
    try:
        influxd = own_influxd("tsi1")
        made = archiver([f"{prefix}{number}" for number in range(count)], [port], {"influxdb": {"url": influxd.url, "bucket": "epics"}})
        content = yaml.safe_load(made.config.read_text())
        content["archiver"]["max_channels"] = count + 100
        made.config.write_text(yaml.safe_dump(content, sort_keys=False))
        made.start()
        made.wait_connected(count, CONNECT_S)
        wait_until(lambda: made.overview().conservation.received >= count, CONNECT_S, "every channel has sent its value")
        made.wait_for_empty_spool()
        assert made.stop() == 0
        status = made.status()
    finally:
        server.stop()
    generated = influxd.query("SELECT count(src_time), count(value) FROM sample WHERE flags = 1", "epics")[0]
    assert (generated["count"], generated["count_1"]) == (count, count)
    recent = sum(number / count * YEARS * YEAR_S < MAX_PAST / 1e9 - 1000 for number in range(count))
    stored = influxd.query("SELECT count(value) FROM sample", "epics")[0]["count"]
    assert count + recent <= int(str(stored)) <= count + recent + 1
    assert (status.total.stored, status.total.rejected) == (stored, 0)
    oldest = time.time() - MAX_PAST / 1e9
    shards = [shard for shard in influxd.query("SHOW SHARDS") if shard["database"] == "epics"]
    assert shards
    for shard in shards:
        assert datetime.fromisoformat(str(shard["end_time"])).timestamp() > oldest
        assert datetime.fromisoformat(str(shard["start_time"])).timestamp() > oldest - timedelta(days=7).total_seconds()
