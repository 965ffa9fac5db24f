"""A Channel Access server that lies about everything, beside a healthy one; with both event callbacks."""

from __future__ import annotations

import time

import pytest

from archioc.core.dbr import Dbr
from archioc.core.events import Reason
from archioc.engine.ca.libca_guard import GUARD_BUILT
from tests.conftest import CaWatchFactory, EngineFactory, HostileServerFactory, SoftIocFactory
from tests.processes.engine_process import with_both
from tests.processes.tools import missing_tool
from tests.processes.waiting import wait_until
from tests.proof.counts import counts

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1800)]

COUNTERS = 20
CHANNELS = 2
"""Of each type and shape."""
BURST = 500
SETTLED_S = 0.3
MESSAGES = counts().hostile_messages


def counter_records(count: int) -> str:
    return "".join(
        f'record(calc, "$(P)COUNT{at}") {{ field(SCAN, ".1 second") field(INPA, "$(P)COUNT{at} NPP NMS") field(CALC, "A+1") }}\n'
        for at in range(count)
    )


@with_both
def test_a_lying_server_costs_nobody_anything(
    softioc: SoftIocFactory, ca_watch: CaWatchFactory, hostile_server: HostileServerFactory, engine_process: EngineFactory, prefix: str
) -> None:
    """After a million messages of wrong length, type, number and order the same engine runs, and has every value of a healthy IOC."""
    if not GUARD_BUILT:
        missing_tool("cc", "install a C compiler, then ArchIOC again")
    healthy = softioc(counter_records(COUNTERS), f"P={prefix}")
    server = hostile_server(burst=BURST, ends=True)
    counters = [f"{prefix}COUNT{at}" for at in range(COUNTERS)]
    engine = engine_process([healthy.port, server.port], rows=512, ring_bytes=64_000_000)
    for name in counters:
        engine.archive.add(name)
    engine.start()
    watch = ca_watch(counters, [healthy.port])
    watch.wait_for(3, counters[-1])
    kinds = [f"{native.value}:{count}:{at}" for native in Dbr for count in (1, 8) for at in range(CHANNELS)]
    deadline, turn = time.monotonic() + 1500, 0
    while server.sent < MESSAGES:
        assert time.monotonic() < deadline
        turn += 1
        names = [f"{prefix}X:{kind}:{turn}" for kind in kinds]
        for name in names:
            engine.archive.add(name)
        wait_until(lambda names=names: all(server.attacks.get(name) for name in names), 60, "each channel is attacked")  # type: ignore[misc]
        time.sleep(SETTLED_S)
        assert engine.running, engine.log
        if server.sent < MESSAGES:
            for name in names:
                engine.archive.remove(name)
    assert watch.stop() == 0
    seen = {name: [float(str(one.value)) for one in updates] for name, updates in watch.by_channel().items()}
    wait_until(lambda: engine.has_last(seen), 60, "the engine has what the other client has", 0.2)
    assert engine.stop() == 0
    assert engine.missing_of(seen) == []
    told = {event.text for batch in engine.archive.published() for event in batch.events if event.reason is Reason.REJECTED}
    for words in ("elements for a subscription of 1", " for a subscription of TIME_", "in too few bytes"):
        assert any(words in text for text in told), told
    engine.check_conservation()
    assert "Traceback" not in engine.log.read_text(errors="replace")
