"""Servers that hang, refuse or send too much, beside healthy ones; with both event callbacks."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archioc.core.events import Reason
from archioc.core.table.table import ChannelState
from archioc.demo.ca_environment import server_variables, with_variables
from archioc.demo.child import Child
from tests.conftest import CaClientFactory, CaWatchFactory, EngineFactory, RawWitnessFactory, SoftIocFactory
from tests.processes.engine_process import EngineProcess, with_both
from tests.processes.silent_server import SilentServer
from tests.processes.waiting import wait_until

pytestmark = [pytest.mark.proof, pytest.mark.timeout(400)]


def counter_records(count: int) -> str:
    return "".join(
        f'record(calc, "$(P)COUNT{at}") {{ field(SCAN, ".1 second") field(INPA, "$(P)COUNT{at} NPP NMS") field(CALC, "A+1") }}\n'
        for at in range(count)
    )


COUNTERS = counter_records(50)
GUARD = """
ASG(DEFAULT) { INPA($(P)GUARD) RULE(1, READ) { CALC("A=1") } }
ASG(OPEN) { RULE(1, WRITE) }
"""


LAG_S = 1.0
LOOKS = 20
ENDED_S = 24.0
"""Three times what the engine gives itself to end."""
ATTEMPTS = 15
ENOUGH = 20_000
"""Updates of a thousand counters in two seconds."""
CAPACITY = 2_000_000


def received(engine: EngineProcess) -> int:
    """Updates that have come to it."""
    return int(engine.archive.table.ledger.cells["received"].sum())


def longest_lag(engine: EngineProcess) -> float:
    """The longest round of the engine's loop (s) within two seconds; where a server holds it up, it does so all the time."""
    worst = 0.0
    for _ in range(LOOKS):
        time.sleep(0.1)
        worst = max(worst, float(engine.archive.table.status.head["loop_lag"][0]))
    return worst


@pytest.fixture
def silent_server(ports: Callable[[int], list[int]]) -> Iterator[tuple[SilentServer, int]]:
    (port,) = ports(1)
    server = SilentServer(port)
    yield server, port
    server.close()


@pytest.fixture
def guarded_ioc(repeater_port: int, ports: Callable[[int], list[int]], tmp_path: Path, prefix: str) -> Iterator[int]:
    """The port of an IOC whose record `LOCKED` may be read while `GUARD` is 1, which it is not."""
    (port,) = ports(1)
    acf, database = tmp_path / "guard.acf", tmp_path / "guarded.db"
    acf.write_text(GUARD.replace("$(P)", prefix))
    database.write_text(
        f'record(ao, "{prefix}LOCKED") {{ field(PINI, "YES") field(VAL, "4") }}\nrecord(ao, "{prefix}GUARD") {{ field(ASG, "OPEN") }}'
    )
    environment = with_variables(server_variables(port, repeater_port))
    command = [sys.executable, "-m", "tests.processes.guarded_ioc", str(os.getpid()), str(acf), str(database)]
    child = Child("guarded IOC", command, tmp_path / "guarded.log", environment)
    child.wait_for_output("serving\n", 60)
    yield port
    child.stop()


@with_both
def test_servers_that_hang_or_refuse_delay_nobody(
    softioc: SoftIocFactory,
    ca_watch: CaWatchFactory,
    ca_client: CaClientFactory,
    engine_process: EngineFactory,
    silent_server: tuple[SilentServer, int],
    guarded_ioc: int,
    prefix: str,
) -> None:
    """An IOC that hangs, a server that never answers and one that allows no reading leave all others alone, and the engine's stop too."""
    server, silent_port = silent_server
    healthy = softioc(COUNTERS, f"P={prefix}")
    hanging = softioc(COUNTERS, f"P={prefix}H:")
    counters = [f"{prefix}COUNT{at}" for at in range(50)]
    engine = engine_process(
        [healthy.port, hanging.port, guarded_ioc],
        {"name_servers": [f"127.0.0.1:{silent_port}"]},
        rows=128,
    )
    for name in (*counters, *(f"{prefix}H:COUNT{at}" for at in range(50)), prefix + "LOCKED"):
        engine.archive.add(name)
    engine.start()
    engine.wait_for_state(f"{prefix}H:COUNT49", ChannelState.ARCHIVING)
    engine.wait_for_state(prefix + "LOCKED", ChannelState.REJECTED)
    assert engine.state(prefix + "LOCKED")[1] == "no read access"
    wait_until(lambda: server.circuits, 60, "the silent server is asked")
    watch = ca_watch(counters, [healthy.port])
    watch.wait_for(3, counters[-1])
    os.kill(hanging.pid, signal.SIGSTOP)
    try:
        engine.archive.add(counters[0] + ".CALC")
        engine.wait_for_state(counters[0] + ".CALC", ChannelState.ARCHIVING)
        wait_until(lambda: longest_lag(engine) < LAG_S, 60, "the engine's loop is not held up")
        ca_client([guarded_ioc]).put(prefix + "GUARD", 1)
        engine.wait_for_state(prefix + "LOCKED", ChannelState.ARCHIVING)
        engine.wait_for_samples(prefix + "LOCKED", 1)
        wait_until(lambda: longest_lag(engine) < LAG_S, 60, "the engine's loop is not held up")
        assert watch.stop() == 0
        seen = {name: [float(str(one.value)) for one in updates] for name, updates in watch.by_channel().items()}
        wait_until(lambda: engine.has_last(seen), 60, "the engine has what the other client has", 0.2)
        started = time.monotonic()
        assert engine.stop() == 0
        assert time.monotonic() - started < ENDED_S
    finally:
        os.kill(hanging.pid, signal.SIGCONT)
    assert engine.missing_of(seen) == []
    assert [one.text for one in engine.events(prefix + "LOCKED", Reason.REJECTED)] == ["no read access"]
    engine.check_conservation()


@with_both
def test_a_large_array_stalls_no_scalar(
    softioc: SoftIocFactory, raw_witness: RawWitnessFactory, ca_client: CaClientFactory, engine_process: EngineFactory, prefix: str
) -> None:
    """Beside a million doubles ten times a second every count of 1000 scalars is stored, and arrays that find no room are counted."""
    large = 'record(waveform, "$(P)LARGE") { field(SCAN, ".1 second") field(FTVL, "DOUBLE") field(NELM, "1000000") }'
    ioc = softioc(counter_records(1000) + large, f"P={prefix}")
    ca_client([ioc.port]).put(prefix + "LARGE", [0.5] * 1_000_000, timeout_s=60)
    counters = [f"{prefix}COUNT{at}" for at in range(1000)]
    engine = engine_process([ioc.port], rows=1001, ring_bytes=64_000_000)
    engine.archive.add(prefix + "LARGE", quota=0.0, max_elements=1000)
    for name in counters:
        engine.archive.add(name)
    engine.start()
    engine.wait_for_samples(prefix + "LARGE", 2)
    wait_until(lambda: longest_lag(engine) < LAG_S, 60, "the engine's loop is not held up")
    missing = [""]
    for _ in range(ATTEMPTS):  # an IOC that gets no processor for a while merges what it sends; no engine can have that
        witness = raw_witness(counters, [ioc.port], CAPACITY)
        enough = received(engine) + ENOUGH
        wait_until(lambda enough=enough: received(engine) >= enough, 60, "the engine has had updates")  # type: ignore[misc]
        assert witness.stop() == 0
        updates = witness.updates()
        assert len(updates) > ENOUGH // 2
        seen = {name: updates["value"][updates["row"] == row].tolist() for row, name in enumerate(counters)}
        wait_until(lambda seen=seen: engine.has_last(seen), 60, "the engine has what the other client has", 0.5)  # type: ignore[misc]
        missing = engine.missing_of(seen)
        if not missing:
            break
    assert missing == []
    wait_until(lambda: longest_lag(engine) < LAG_S, 60, "the engine's loop is not held up")
    assert engine.stop() == 0
    assert engine.values(prefix + "LARGE")[-1] == [1e6, 0.5, 0.5, 0.5, 0.0]
    scalars = [engine.archive.registry.channels[name].row for name in counters]
    assert not engine.archive.table.ledger.cells["dropped_overflow"][scalars].any()
    engine.check_conservation()
