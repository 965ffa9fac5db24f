"""Servers that send what nobody asked for, with both event callbacks over real circuits."""

from __future__ import annotations

import time

import pytest

from archioc.core.dbr import Dbr
from archioc.core.events import Reason
from archioc.core.table.table import ChannelState
from archioc.engine.ca.libca_guard import GUARD_BUILT
from tests.conftest import CaClientFactory, EngineFactory, HostileServerFactory, SoftIocFactory
from tests.processes.engine_process import with_both, with_one
from tests.processes.tools import missing_tool
from tests.processes.waiting import wait_until

GOOD = """
record(ao, "$(P)GOOD") { field(PINI, "YES") }
record(stringout, "$(P)TEXT") { field(PINI, "YES") }
record(waveform, "$(P)WAVE") { field(PINI, "YES") field(FTVL, "LONG") field(NELM, "9") }
"""
BURST = 60
PUTS = 40
LOOKED_AT_S = 4.0


@pytest.fixture(autouse=True)
def needs_the_guard() -> None:
    if not GUARD_BUILT:
        missing_tool("cc", "install a C compiler, then ArchIOC again")


@with_both
def test_a_healthy_ioc_loses_nothing_beside_a_hostile_server(
    softioc: SoftIocFactory, ca_client: CaClientFactory, hostile_server: HostileServerFactory, engine_process: EngineFactory, prefix: str
) -> None:
    """Thousands of messages of wrong length, type and number cost neither the engine nor a value of another IOC."""
    ioc = softioc(GOOD, f"P={prefix}")
    server = hostile_server(burst=BURST, ends=True)
    engine = engine_process([ioc.port, server.port])
    for name in ("GOOD", "TEXT", "WAVE"):
        engine.archive.add(prefix + name)
    engine.start()
    for name in ("GOOD", "TEXT", "WAVE"):
        engine.wait_for_samples(prefix + name, 1)
    hostile = [f"{prefix}X:{native.value}:{count}" for native in Dbr for count in (1, 8)]
    for name in hostile:
        engine.archive.add(name)
    client = ca_client([ioc.port])
    for number in range(PUTS):
        client.put(prefix + "GOOD", number)
    client.put(prefix + "TEXT", "still here")
    client.put(prefix + "WAVE", [1, 2, 3])
    wait_until(lambda: all(server.attacks.get(name) for name in hostile), 60, "each channel is attacked")
    engine.wait_for_samples(prefix + "WAVE", 2)
    engine.wait_for_samples(prefix + "GOOD", PUTS)
    assert engine.stop() == 0
    assert engine.values(prefix + "GOOD")[-PUTS:] == [float(number) for number in range(PUTS)]
    assert engine.values(prefix + "TEXT")[-1] == b"still here"
    assert engine.values(prefix + "WAVE")[-1] == [1, 2, 3]
    assert "Traceback" not in engine.log.read_text(errors="replace")
    engine.check_conservation()


@with_both
@pytest.mark.parametrize("elements", [0, 3, 40])
def test_more_than_was_asked_for_is_refused_in_words(
    hostile_server: HostileServerFactory, engine_process: EngineFactory, prefix: str, elements: int
) -> None:
    """A server that answers a subscription of one element with another number is refused with words, and asked no more."""
    server = hostile_server(burst=20, only=elements)
    name = f"{prefix}X:6:1"
    engine = engine_process([server.port])
    engine.archive.add(name)
    engine.start()
    engine.wait_for_state(name, ChannelState.REJECTED)
    wait_until(lambda: server.cancels, 60, "the subscription is ended")
    words = f"sends {elements} elements for a subscription of 1"
    state, reason = engine.state(name)
    assert (state, words in reason) == (ChannelState.REJECTED, True), reason
    assert f":{server.port} " in reason
    assert engine.stop() == 0
    assert [words in event.text for event in engine.events(name, Reason.REJECTED)] == [True]
    assert {one.value for one in engine.samples(name)} == {0.0}  # the one true value
    engine.check_conservation()


@with_one
def test_a_server_that_refuses_a_channel_is_told_so_and_left_in_peace(
    hostile_server: HostileServerFactory, engine_process: EngineFactory, prefix: str
) -> None:
    """A server that answers the search and then refuses to create the channel is named as the reason, and asked no more than libca asks."""
    server = hostile_server(refuses=f"{prefix}X:")
    name = f"{prefix}X:6:1"
    engine = engine_process([server.port])
    engine.archive.add(name)
    engine.start()
    wait_until(lambda: engine.state(name)[1] == "a server answers the search, but refuses the channel", 60, "the reason is told")
    begin = server.creates[name]
    time.sleep(LOOKED_AT_S)
    assert server.creates[name] - begin <= 1
    assert engine.stop() == 0


@with_one
def test_a_connected_channel_without_a_value_is_told_so(
    hostile_server: HostileServerFactory, engine_process: EngineFactory, prefix: str
) -> None:
    """A server that takes the subscription and sends nothing is connected, and the gap says since when."""
    server = hostile_server(silent=True)
    name = f"{prefix}X:6:1"
    engine = engine_process([server.port])
    engine.archive.add(name)
    engine.start()
    wait_until(lambda: engine.events(name, Reason.NO_VALUE), 60, "the gap is told", 0.2)
    state, reason = engine.state(name)
    assert (state, reason[:13], reason[-14:]) == (ChannelState.ARCHIVING, "connected at ", ", no value yet")
    assert engine.events(name, Reason.DISCONNECTED) == []
    assert engine.stop() == 0
