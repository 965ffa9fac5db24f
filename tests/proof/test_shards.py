"""Four shards under load become five and then three, and the store has every value."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from archioc.core.events import Reason
from tests.conftest import CaClientFactory, InfluxdFactory, RawWitnessFactory, SoftIocFactory
from tests.processes.ca_client import CaClient
from tests.processes.influxd import Influxd
from tests.processes.ports import free_ports
from tests.processes.raw_witness import stamps_of
from tests.processes.shards import Shards
from tests.processes.soft_ioc import SoftIoc
from tests.processes.stored_counters import check_stored, in_influxdb
from tests.processes.waiting import wait_until
from tests.proof.counts import counts
from tests.records.counters import counter_database, counter_names

MOST = 5
IOCS = 4
CALM_S = 2.0
"""Between the steps, so that there are samples of each state."""

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]


@dataclass(frozen=True, slots=True)
class Counters:
    """Records that count, on several soft IOCs."""

    names: list[str]
    iocs: list[SoftIoc]

    @property
    def ports(self) -> list[int]:
        """Of the IOCs."""
        return [ioc.port for ioc in self.iocs]


@pytest.fixture
def counters(softioc: SoftIocFactory, prefix: str) -> Counters:
    names = counter_names(prefix, counts().shard_counters)
    scan = f"{counts().shard_period_s:g} second".removeprefix("0")
    return Counters(names, [softioc(counter_database(names[first::IOCS], scan)) for first in range(IOCS)])


@pytest.fixture
def server(own_influxd: InfluxdFactory) -> Influxd:
    return own_influxd("tsi1")


@pytest.fixture
def shards(tmp_path: Path, prefix: str, counters: Counters, server: Influxd, repeater_port: int) -> Iterator[Shards]:
    """Four shards, and a fifth that does not run yet."""
    store = {"influxdb": {"url": server.url, "bucket": "epics"}}
    made = Shards(tmp_path, free_ports(MOST), f"{prefix}A", counters.ports, repeater_port, counters.names, store, 4, counts().handover_s)
    made.start(0, 1, 2, 3)
    yield made
    made.close()


def check_one_each(shards: Shards, *running: int) -> None:
    """By registry and channel table of each shard: every channel is archived by the one that owns it, and connected there."""
    for index in running:
        assert shards.holds(index) == shards.owned(index)
        shards.archivers[index].wait_connected(len(shards.owned(index)))
    assert sum(len(shards.holds(index)) for index in running) == len(shards.names)


def says(client: CaClient, pv: str, text: str) -> bool:
    """Whether a PV has this text."""
    return client.get_text(pv) == text


def test_four_then_five_then_three(
    shards: Shards,
    counters: Counters,
    server: Influxd,
    raw_witness: RawWitnessFactory,
    ca_client: CaClientFactory,
) -> None:
    """Outside hand-over each channel is archived by one shard; every update that a raw client saw is stored, and no count is missing."""
    names = counters.names
    client = ca_client([one.port for one in shards.archivers])
    check_one_each(shards, 0, 1, 2, 3)
    witness = raw_witness(names, counters.ports, int(len(names) / counts().shard_period_s * 400))
    time.sleep(CALM_S)
    before = {index: shards.owned(index) for index in range(4)}

    shards.change_count(5)
    shards.start(4)
    moved = {index: before[index] - shards.owned(index) for index in range(4)}
    assert all(moved.values())
    assert set().union(*moved.values()) == shards.owned(4) == shards.holds(4)
    for index in range(4):
        shards.apply(client, index)
        assert shards.leaving(client, index) == len(moved[index])
        assert shards.holds(index) == before[index]
        reason = client.get_text(f"{shards.archivers[index].prefix}CH:{min(moved[index])}:Reason")
        assert reason.startswith("moves to shard 4, archived here until ")
    shards.wait_handed_over(client, 0, 1, 2, 3)
    check_one_each(shards, 0, 1, 2, 3, 4)
    time.sleep(CALM_S)

    shards.change_count(3)
    shards.apply(client, 0, 1, 2)
    shards.wait_connected(0, 1, 2)
    shards.apply(client, 3, 4)
    shards.wait_handed_over(client, 3, 4)
    for index in (3, 4):
        one = shards.archivers[index]
        one.wait_connected(0)
        one.wait_for_empty_spool(timeout_s=120)
        reason = f"shard {index} owns no channels, since shard.count is 3"
        wait_until(partial(says, client, f"{one.prefix}StateReason", reason), 90, f"shard {index} says that it is idle", 0.2)
        assert client.get_text(f"{one.prefix}State") == "Running"
    shards.stop(3, 4)
    check_one_each(shards, 0, 1, 2)
    time.sleep(CALM_S)

    until_ns = time.time_ns()
    assert witness.stop() == 0
    for ioc in counters.iocs:
        ioc.stop()
    for index in range(3):
        shards.archivers[index].wait_for_empty_spool(timeout_s=240)
    shards.stop(0, 1, 2)
    for one in shards.archivers:
        one.check_balance()
    stored = in_influxdb(server.url, "epics", names)
    updates = witness.updates()
    assert len(updates) > 0.9 * len(names) / counts().shard_period_s * 2 * counts().handover_s
    check_stored(updates[stamps_of(updates) < until_ns], stored[stored["flags"] == 0], len(names))
    told = server.query(f"SELECT text FROM event WHERE code = '{Reason.REMOVED}'", "epics")
    assert len([row for row in told if row["text"] == f"moved to shard 4 ({shards.archivers[4].prefix})"]) == sum(map(len, moved.values()))
