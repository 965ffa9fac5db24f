"""Very many channels that all go at once, and come back at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from archioc.core.table.table import ChannelTable
from bench.synthetic import PREFIX, NoCompiler, UpdateServer, build
from tests.conftest import ArchiverFactory
from tests.processes.archiver import Archiver
from tests.processes.ports import free_ports
from tests.processes.resources import Resources, resources_of
from tests.processes.tools import missing_tool
from tests.processes.waiting import wait_until
from tests.proof.counts import counts

SERVERS = 4
HERTZ = 0.1
LOSSES = 4
START_S, LOST_S, BACK_S = 180.0, 60.0, 120.0
GROWTH = 1.05
"""What remains of pages that the allocator keeps."""
SLACK_BYTES = 4_000_000
SETTLE_S = 30.0
"""What is only held for a moment is let go of by then; what leaks never is."""
LOOKED_AT = 20
"""Channels whose whole history is looked at, spread over all servers; of the others the counts are."""

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1200)]


@pytest.fixture
def servers(repeater_port: int, tmp_path: Path) -> list[UpdateServer]:
    """Synthetic servers, not started, that share the channels."""
    try:
        program = build(tmp_path)
    except NoCompiler as error:
        missing_tool("cc", str(error))
    each = counts().many // SERVERS
    return [UpdateServer(program, port, repeater_port, at * each, each, HERTZ) for at, port in enumerate(free_ports(SERVERS))]


def test_all_channels_are_lost_and_regained(archiver: ArchiverFactory, servers: list[UpdateServer]) -> None:
    """All servers killed and started again, four times: every channel is back with one closed gap each time, nothing overflows or grows."""
    many = counts().many
    names = [f"{PREFIX}{at}" for at in range(many)]
    made = archiver(names, [server.port for server in servers], more={"archiver": {"max_channels": many}, "log": {"level": "warning"}})
    try:
        start_all(servers)
        made.launch()
        made.wait_running(START_S)
        made.wait_connected(many, START_S)
        connected_ns = time.time_ns()
        engine = made.pid_of("engine")
        held = []
        for loss in range(1, LOSSES + 1):
            kill_all(servers)
            made.wait_connected(0, LOST_S)
            lost_ns = time.time_ns()
            start_all(servers)
            made.wait_connected(many, BACK_S)
            wait_until(lambda: oldest_update(made) > lost_ns, BACK_S, "every channel has sent a value again")  # noqa: B023 - called at once
            assert disconnects(made) == {loss}
            held.append(resources_of(engine))
        made.wait_for_empty_spool()
        wait_until(lambda: has_not_grown(engine, held), SETTLE_S, f"the engine holds no more than before: {held}", 0.1)
        assert made.pid_of("engine") == engine
        assert made.stop(60.0) == 0
    finally:
        kill_all(servers)
    total = made.status().total
    assert total.balanced
    assert (total.pending, total.rejected, total.dropped) == (0, 0, 0), total
    for name in names[:: many // LOOKED_AT]:
        # a start of so many may last longer than new channels are given to connect: their gap until then is told as well
        gaps = [gap for gap in made.history(name).gaps("disconnected") if gap.time_ns >= connected_ns]
        assert len(gaps) == LOSSES
        assert all(gap.end_ns is not None for gap in gaps)


def has_not_grown(engine: int, held: list[Resources]) -> bool:
    """Whether it holds hardly more memory than after the second loss, and nothing else more than after the first."""
    return resources_of(engine).within(replace(held[0], memory=held[1].memory), GROWTH, SLACK_BYTES)


def start_all(servers: list[UpdateServer]) -> None:
    for server in servers:
        server.start()


def kill_all(servers: list[UpdateServer]) -> None:
    for server in servers:
        server.kill()


def oldest_update(made: Archiver) -> int:
    """When that channel last sent a value which has sent none for longest (ns since 1970)."""
    with table_of(made) as table:
        return int(table.status.cells["received_at"].min())


def disconnects(made: Archiver) -> set[int]:
    """How often the channels were lost."""
    with table_of(made) as table:
        return set(table.status.cells["disconnects"].tolist())


@contextmanager
def table_of(made: Archiver) -> Iterator[ChannelTable]:
    table = ChannelTable(made.directories.run)
    table.open()
    yield table
    table.close()
