"""What a server that refuses channels is asked by the engine, and by libca alone."""

from __future__ import annotations

import time

import pytest

from tests.conftest import CaWatchFactory, EngineFactory, HostileServerFactory
from tests.processes.hostile_server import HostileServer
from tests.processes.waiting import wait_until
from tests.proof.counts import counts

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]

NAMES = 20
MOST = 1.2
REFUSED_S = counts().refused_s


def requests(server: HostileServer) -> int:
    return sum(server.searches.values()) + sum(server.creates.values())


@pytest.mark.parametrize("engine_process", ["compiled"], indirect=True)
def test_a_refusing_server_is_asked_hardly_more_than_by_libca(
    ca_watch: CaWatchFactory, hostile_server: HostileServerFactory, engine_process: EngineFactory, prefix: str
) -> None:
    """For 20 names that a server finds and refuses the engine sends at most 1.2 times the searches and creates of libca alone."""
    ours, theirs = hostile_server(refuses=prefix), hostile_server(refuses=prefix)
    names = [f"{prefix}X:6:1:{at}" for at in range(NAMES)]
    engine = engine_process([ours.port])
    for name in names:
        engine.archive.add(name)
    engine.start()
    ca_watch(names, [theirs.port])
    for server in (ours, theirs):
        wait_until(lambda server=server: len(server.creates) == NAMES, 60, "all are refused once")  # type: ignore[misc]
    time.sleep(REFUSED_S)
    asked, yardstick = requests(ours), requests(theirs)
    assert yardstick > 2 * NAMES
    assert asked <= MOST * yardstick, (asked, yardstick)
    assert {engine.state(name)[1] for name in names} == {"a server answers the search, but refuses the channel"}
    assert engine.stop() == 0
