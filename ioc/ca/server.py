"""The Channel Access server of the control PVs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from archioc.core.config.access import Access
from archioc.core.errors import ServeError
from archioc.core.machine.descriptors import raise_descriptor_limit
from archioc.core.machine.rate_limited_log import RateLimitedLog
from archioc.ioc.ca.accepting import accept_forever
from archioc.ioc.ca.beacons import send_beacons
from archioc.ioc.ca.circuit import Circuit
from archioc.ioc.ca.limits.allowance import CHANNELS, CHANNELS_OF_CLIENT, MONITORS, MONITORS_OF_CLIENT, Allowance
from archioc.ioc.ca.limits.backlog import Backlog
from archioc.ioc.ca.limits.circuit_places import CircuitPlaces, circuits_within
from archioc.ioc.ca.limits.put_rate import PutRate
from archioc.ioc.ca.limits.time_slice import LoopSharing
from archioc.ioc.ca.pv import PV
from archioc.ioc.ca.search import SearchProtocol, search_socket
from archioc.ioc.ca.serving import PutAudit, PvNames, Serving
from archioc.ioc.peer import Peer

FREE_PORT_ATTEMPTS = 20
"""Free ports tried on the first interface until one is free on all of them."""

log, limited_log = structlog.get_logger(), RateLimitedLog()


class ControlServer:
    """Serves PVs.

    tcp_port: the port of the circuits; the configured one, or another where that is in use.
    circuits: the clients that are connected.
    """

    def __init__(self, names: PvNames, audit: PutAudit, access: Access) -> None:
        self._names, self._audit, self._access = names, audit, access
        self.circuits: set[Circuit] = set()
        self.tcp_port = 0
        self._places = CircuitPlaces(circuits_within(raise_descriptor_limit()))
        self._accepting: list[asyncio.Task[None]] = []
        self._searches: list[asyncio.DatagramTransport] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._beacons: asyncio.Task[None] | None = None

    async def start(self, interfaces: Sequence[str], port: int, beacon_addresses: Sequence[str]) -> None:
        """Listen on all interfaces. Raises ServeError when an address or the port cannot be had."""
        udp = _searching(interfaces, port)
        self.tcp_port, tcp = _listening(interfaces, port)
        serving = Serving(
            self._names,
            self._audit,
            LoopSharing(),
            self.tcp_port,
            self.may_write,
            self._has_rights,
            Allowance("channels", CHANNELS_OF_CLIENT, CHANNELS),
            Allowance("subscriptions", MONITORS_OF_CLIENT, MONITORS),
            Backlog(self.circuits),
            PutRate(),
        )
        self._accepting = [asyncio.create_task(accept_forever(listening, partial(self._accept, serving))) for listening in tcp]
        loop = asyncio.get_running_loop()
        for connection in udp:
            transport, _ = await loop.create_datagram_endpoint(lambda: SearchProtocol(self._names.has, self.tcp_port), sock=connection)
            self._searches.append(transport)
        self._beacons = asyncio.create_task(send_beacons(beacon_addresses, self.tcp_port))
        self._keep(self._beacons)
        log.info("serving", interfaces=list(interfaces), udp_port=port, tcp_port=self.tcp_port, most_circuits=self._places.most)

    async def stop(self) -> None:
        """Disconnect all clients and listen no more."""
        for transport in self._searches:
            transport.close()
        for task in self._accepting:
            task.cancel()
        if self._beacons is not None:
            self._beacons.cancel()
        for circuit in self.circuits:
            circuit.close()
        await asyncio.gather(*self._accepting, *self._tasks, return_exceptions=True)

    def may_write(self, pv: PV, peer: Peer) -> bool:
        """Whether a client may write a PV: by where it is, not by what it says."""
        if pv.spec.access in {"read", "anyone"}:
            return pv.spec.access == "anyone"
        return self._access.allows(pv.spec.access, peer.address, peer.user)

    def _has_rights(self, peer: Peer) -> bool:
        return self._access.allows("control", peer.address, peer.user)

    def use_access(self, access: Access) -> None:
        """Let other rules say who may write, from now on and for the clients that are connected."""
        if access == self._access:
            return
        self._access = access
        log.info("access_changed", control=len(access.control), expert=len(access.expert))
        self._keep(asyncio.create_task(self._tell_rights()))

    async def _tell_rights(self) -> None:
        for circuit in list(self.circuits):
            await circuit.send_rights()

    def drop(self, gone: Callable[[PV], bool]) -> None:
        """Disconnect these PVs at every client."""
        self._names.forget(gone)
        self._keep(asyncio.create_task(self._drop(gone)))

    async def _drop(self, gone: Callable[[PV], bool]) -> None:
        for circuit in list(self.circuits):
            await circuit.drop(gone)

    async def _accept(self, serving: Serving, connection: socket.socket, address: str, port: int) -> None:
        if not self._places.admit(address):
            connection.close()
            return
        try:
            reader, writer = await asyncio.open_connection(sock=connection)
        except OSError:  # the client is gone already
            connection.close()
            return
        circuit = Circuit(serving, reader, writer, Peer(address, port))
        self._places.take(circuit)
        self.circuits.add(circuit)
        self._keep(asyncio.create_task(self._serve(circuit)))

    async def _serve(self, circuit: Circuit) -> None:
        try:
            await circuit.run()
        except Exception as error:  # noqa: BLE001 - what one client brings about ends its own circuit alone
            limited_log.error("circuit_failed", peer=circuit.address, error=f"{type(error).__name__}: {error}", exc_info=True)
        finally:
            self.circuits.discard(circuit)
            self._places.leave(circuit)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _searching(interfaces: Sequence[str], port: int) -> list[socket.socket]:
    """UDP sockets for searches on the configured port, which is where clients search. Raises ServeError."""
    bound: list[socket.socket] = []
    for interface in interfaces:
        try:
            bound.append(search_socket(interface, port))
        except OSError as error:
            for other in bound:
                other.close()
            raise ServeError(f"ioc.interfaces and ioc.port: cannot listen on {interface}:{port} (UDP): {error.strerror}") from None
    return bound


def _listening(interfaces: Sequence[str], port: int) -> tuple[int, list[socket.socket]]:
    """TCP sockets on the configured port, or, where another IOC of this host has it, on one that is free; the port is the same on all.

    Search replies tell clients the port. Raises ServeError.
    """
    reason = ""
    for wanted in (port, *[0] * FREE_PORT_ATTEMPTS):
        bound: list[socket.socket] = []
        try:
            for interface in interfaces:
                number = bound[0].getsockname()[1] if bound else wanted
                bound.append(_tcp_socket(interface, number))
        except OSError as error:
            reason = f"cannot listen on {interface}:{wanted} (TCP): {error.strerror}"
            for other in bound:
                other.close()
        else:
            return bound[0].getsockname()[1], bound
    raise ServeError(f"ioc.interfaces and ioc.port: {reason}")


def _tcp_socket(interface: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setblocking(False)
        made.bind((interface, port))
    except OSError:
        made.close()
        raise
    return made
