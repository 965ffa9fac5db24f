"""The defects of caproto's own server for which ours was written (decision 0009): each is seen there, and not here."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import caproto as ca
import pytest

from bench.ca_load import RawCircuit
from tests.conftest import CaEnvironment
from tests.processes.raw_ca import RawCa
from tests.processes.resources import resources_of
from tests.processes.served_pvs import FIELDS, MANY, OurServer, ServedPvs, StockServer
from tests.processes.waiting import PATIENCE_S, wait_until

DBR_CTRL_DOUBLE = 34
NOTHING_S = 2.0
"""When what is not to come has not come for so long, it does not."""
DEAF_MONITORS = 11_000
DEAF_S, BEAT_S = 4.0, 0.2
LEFT_AT_ONCE = 400
LEFT_BYTES_EACH = 1000
"""What an ended subscription may leave behind, far less than a PV takes."""


@pytest.fixture(params=["ours", "stock"])
def server(
    request: pytest.FixtureRequest, tmp_path: Path, ports: Callable[[int], list[int]], prefix: str, ca_environment: CaEnvironment
) -> Iterator[ServedPvs]:
    (port,) = ports(1)
    made: ServedPvs
    made = OurServer(tmp_path, port, prefix) if request.param == "ours" else StockServer(port, prefix, ca_environment([port]))
    yield made
    made.close()


def patience(expected: bool) -> float:
    """How long to wait (s) for what this server should do, or should not."""
    return PATIENCE_S if expected else NOTHING_S


def answers(circuit: RawCa, channel: ca.CreateChanResponse, expected: bool) -> bool:
    """Whether a read of a channel is answered."""
    circuit.send(ca.ReadNotifyRequest(ca.ChannelType.DOUBLE, 0, channel.sid, 999))
    try:
        circuit.wait_for(ca.ReadNotifyResponse, patience(expected))
    except TimeoutError:
        return False
    return True


def test_search_reply_repeats_the_sequence_number(server: ServedPvs, prefix: str) -> None:
    """A search reply repeats the sequence number of its request, without which libca stays at 40 names a datagram and round trip."""
    name = f"{prefix}CH:A:Value".encode() + b"\0"
    name = name.ljust(-(-len(name) // 8) * 8, b"\0")
    request = struct.pack(">HHHHII", 0, 0, 1, 13, 1234, 0) + struct.pack(">HHHHII", 6, len(name), 5, 13, 77, 77) + name
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE_S)
        client.sendto(request, ("127.0.0.1", server.udp_port))
        command, _, valid, _, sequence, _ = struct.unpack_from(">HHHHII", client.recv(2048))
    assert (command, valid & 1) == (0, 1)
    assert (sequence == 1234) is server.ours


def test_client_that_stops_reading_disturbs_nobody(server: ServedPvs, prefix: str) -> None:
    """While a client with 11 000 monitors reads nothing, and after its death, others get their events, and the server takes new ones."""
    with RawCa(server.tcp_port) as good:
        _, channel = good.open(f"{prefix}CH:B:Value")
        good.monitor(channel, ca.ChannelType.DOUBLE, 1)
        assert good.wait_for(ca.EventAddResponse).data.tolist() == [0.0]
        with RawCircuit(server.tcp_port) as deaf:
            deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            (sid,) = deaf.open([f"{prefix}CH:A:Value"])
            deaf.monitor([sid] * DEAF_MONITORS, DBR_CTRL_DOUBLE)
            last = 0.0
            until = time.monotonic() + DEAF_S
            while time.monotonic() < until:
                last += 1
                server.show(last)
                time.sleep(BEAT_S)
            told_meanwhile = comes(good, last, server.ours)
        time.sleep(0.5)
        server.show(last + 1)
        told_afterwards = comes(good, last + 1, server.ours)
    assert (told_meanwhile and told_afterwards and takes_a_client(server, f"{prefix}CH:B:Value")) is server.ours


def comes(circuit: RawCa, value: float, expected: bool) -> bool:
    """Whether an event with this value comes."""
    deadline = time.monotonic() + patience(expected)
    try:
        while circuit.wait_for(ca.EventAddResponse, deadline - time.monotonic()).data[0] != value:
            pass
    except (TimeoutError, AssertionError):  # nothing, or the circuit was closed
        return False
    return True


def takes_a_client(server: ServedPvs, name: str) -> bool:
    try:
        with RawCa(server.tcp_port) as late:
            return answers(late, late.open(name)[1], server.ours)
    except (OSError, AssertionError):
        return False


def test_monitor_mask_is_honoured(server: ServedPvs, prefix: str) -> None:
    """A monitor for alarms alone gets no event when only the value changes."""
    with RawCa(server.tcp_port) as client:
        _, channel = client.open(f"{prefix}CH:A:Value")
        client.monitor(channel, ca.ChannelType.TIME_DOUBLE, ca.SubscriptionType.DBE_ALARM)
        client.wait_for(ca.EventAddResponse)
        server.show(5.0)
        assert comes(client, 5.0, not server.ours) is not server.ours


def test_removed_pv_takes_no_others_along(server: ServedPvs, prefix: str) -> None:
    """A client that has a PV open which is removed can still read its others."""
    with RawCa(server.tcp_port) as client:
        _, removed = client.open(f"{prefix}CH:A:Value")
        _, kept = client.open(f"{prefix}CH:B:Value")
        client.monitor(removed, ca.ChannelType.DOUBLE, 1)
        client.wait_for(ca.EventAddResponse)
        server.remove()
        time.sleep(0.5)
        client.send(ca.ReadNotifyRequest(ca.ChannelType.DOUBLE, 0, removed.sid, 998))
        assert answers(client, kept, server.ours) is server.ours


def test_ended_subscriptions_leave_nothing_behind(server: ServedPvs, prefix: str) -> None:
    """Memory does not grow with the PVs that clients have had monitors on and left."""
    held: list[int] = []

    def grown() -> float:
        return (resources_of(server.pid).memory - held[0]) / (MANY * (len(FIELDS) - 1))

    for field in FIELDS:
        for begin in range(0, MANY, LEFT_AT_ONCE):
            with RawCircuit(server.tcp_port) as client:
                client.monitor(client.open([f"{prefix}CH:N{number}:{field}" for number in range(begin, begin + LEFT_AT_ONCE)]))
                client.wait_for_events(LEFT_AT_ONCE)
        time.sleep(0.5)
        held.append(resources_of(server.pid).memory)
    if server.ours:
        wait_until(lambda: grown() < LEFT_BYTES_EACH, PATIENCE_S, f"what clients have left is given back: {held}")
    else:
        assert grown() >= LEFT_BYTES_EACH, held


@pytest.mark.parametrize("name", ["SR:X", "SR:X.HIHI"])
def test_name_with_a_dot_has_fields(server: ServedPvs, prefix: str, name: str) -> None:
    """A PV of a channel whose name holds a dot is found with a field behind it, as that of any other channel."""
    with RawCa(server.tcp_port) as client:
        client.send(ca.CreateChanRequest(f"{prefix}CH:{name}:Rate.VAL", 1, 13))
        try:
            client.wait_for(ca.CreateChanResponse, patience(server.ours or "." not in name))
            found = True
        except TimeoutError:
            found = False
    assert found is (server.ours or "." not in name)
