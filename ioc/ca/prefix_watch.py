"""Notices that somebody else serves PVs with our prefix: a second archiver, started with a copy of a configuration perhaps.

Clients then reach the one or the other by chance. Nobody can tell which of the two is wrong, and collecting does not depend on the
PVs, so the archiver runs all the same and says who it is.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable, Mapping, Sequence

import caproto as ca
import structlog

from archioc.core.config.config import Config

ANSWERS_S = 1.0
"""How long answers to a search are waited for; half of it after the second time that it is sent."""

PERIOD_S = 60.0
PERIOD_OF_CONFLICT_S = 5.0
"""Between two searches, as long as nobody else and as long as somebody else answers."""

DEFAULT_PORT = 5064
EVERYBODY = "255.255.255.255"
_SEARCH_ID = 1
_MINOR_VERSION = 13
_HEADER = struct.Struct(">HHHHII")
_SEARCH = 6
_SENDERS_ADDRESS = 0xFFFFFFFF

Address = tuple[str, int]

log = structlog.get_logger()


def search_targets(config: Config, environment: Mapping[str, str] = os.environ) -> list[Address]:
    """Where somebody may serve the prefix: where our clients are (beacons), and where channels are searched for.

    An archiver that serves on loopback alone looks there alone.
    """
    variables = {**environment, **config.ca.environment()}
    port = int(variables.get("EPICS_CA_SERVER_PORT", DEFAULT_PORT))
    found = [(address.partition(":")[0], config.ioc.port) for address in config.ioc.beacon_addr_list]
    for address in variables.get("EPICS_CA_ADDR_LIST", "").split():
        host, _, its_port = address.partition(":")
        found.append((host, int(its_port or port)))
    if variables.get("EPICS_CA_AUTO_ADDR_LIST", "YES").upper() != "NO":
        found += [(EVERYBODY, config.ioc.port), (EVERYBODY, port)]
    if all(_is_loopback(interface) for interface in config.ioc.interfaces):
        found = [target for target in found if _is_loopback(target[0])]
    return list(dict.fromkeys(found))


class PrefixWatch:
    """Searches for `<prefix>HEARTBEAT`, at once when it is started and then now and then.

    is_ours: whether an address and TCP port are those of our own server. others: who else answers, `host:port`.
    """

    def __init__(self, prefix: str, targets: Sequence[Address], is_ours: Callable[[Address], bool]) -> None:
        self._prefix, self._targets, self._is_ours = prefix, targets, is_ours
        self.others: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """What is wrong, for people; empty when nothing is."""
        return f"{self._prefix} is also served by {', '.join(self.others)}" if self.others else ""

    async def watch_forever(self) -> None:
        """Search until cancelled."""
        if not self._targets:
            await asyncio.Event().wait()
        while True:
            try:
                self._show(await search(f"{self._prefix}HEARTBEAT", self._targets))
            except OSError as error:  # no socket to be had; clients will have said so louder
                log.warning("prefix_not_searched", error=str(error))
            await asyncio.sleep(PERIOD_OF_CONFLICT_S if self.others else PERIOD_S)

    def _show(self, answered: set[Address]) -> None:
        others = tuple(f"{host}:{port}" for host, port in sorted(answered) if not self._is_ours((host, port)))
        if others != self.others:
            if others:
                log.error("prefix_served_elsewhere", prefix=self._prefix, servers=list(others))
            else:
                log.info("prefix_ours_alone", prefix=self._prefix)
        self.others = others


def is_own_address(host: str, interfaces: Sequence[str]) -> bool:
    """Whether a server at this address is one of this machine, on interfaces that we serve on."""
    if not any(interface == "0.0.0.0" for interface in interfaces):  # noqa: S104 - compared with, not bound to
        return host in interfaces
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


async def search(name: str, targets: Sequence[Address]) -> set[Address]:
    """The servers that say that they have a PV, by address and TCP port, within ANSWERS_S. Raises OSError."""
    addresses = [found for target in targets if (found := await _resolved(target)) is not None]
    transport, answers = await asyncio.get_running_loop().create_datagram_endpoint(_Answers, family=socket.AF_INET, allow_broadcast=True)
    try:
        for _ in range(2):  # one datagram may be lost
            for address in addresses:
                transport.sendto(_request(name), address)
            await asyncio.sleep(ANSWERS_S / 2)
    finally:
        transport.close()
    return answers.servers


async def _resolved(target: Address) -> Address | None:
    """An address in numbers; None for a name that nobody knows just now."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(*target, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    except socket.gaierror:
        return None
    host, port = found[0][4][:2]
    return str(host), int(port)


class _Answers(asyncio.DatagramProtocol):
    """Gathers who answers."""

    def __init__(self) -> None:
        self.servers: set[Address] = set()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.servers.update(servers_in(data, addr[0]))

    def error_received(self, exc: Exception) -> None:
        """Where nobody listens there is nobody to answer."""


def _request(name: str) -> bytes:
    messages = (ca.VersionRequest(0, _MINOR_VERSION), ca.SearchRequest(name, _SEARCH_ID, _MINOR_VERSION))
    return b"".join(bytes(part) for message in messages for part in (message.header, *message.buffers))


def servers_in(data: bytes, sender: str) -> list[Address]:
    """The servers that a datagram names as having what was searched for. Whatever else may be in it is left out."""
    found = []
    at = 0
    while at + _HEADER.size <= len(data):
        command, size, port, _, server, search_id = _HEADER.unpack_from(data, at)
        if command == _SEARCH and search_id == _SEARCH_ID:
            found.append((sender if server in (0, _SENDERS_ADDRESS) else socket.inet_ntoa(struct.pack(">I", server)), port))
        at += _HEADER.size + size
    return found


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.")
