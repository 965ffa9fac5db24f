"""Answers to Channel Access searches over UDP."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from typing import cast

import structlog

from archioc.ioc.ca.messages import search_reply, version_over_udp

_HEADER = struct.Struct(">HHHHII")
_VERSION, _SEARCH = 0, 6
_SEQUENCE_VALID = 1
REPLIES_PER_DATAGRAM = 50
"""24 bytes each: stays within an Ethernet frame."""

log = structlog.get_logger()


class SearchProtocol(asyncio.DatagramProtocol):
    """Replies to searches for names that `has` knows, from the socket on which they came."""

    def __init__(self, has: Callable[[str], bool], tcp_port: int) -> None:
        self._has, self._tcp_port = has, tcp_port
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        sequence: int | None = None
        found: list[bytes] = []
        for command, data_type, first, second, payload in _messages(data):
            if command == _VERSION:
                sequence = first if data_type & _SEQUENCE_VALID else None
            elif command == _SEARCH and self._has(payload.split(b"\0", 1)[0].decode(errors="replace")):
                found.append(search_reply(self._tcp_port, second))
        for start in range(0, len(found), REPLIES_PER_DATAGRAM):
            self._transport.sendto(version_over_udp(sequence) + b"".join(found[start : start + REPLIES_PER_DATAGRAM]), addr)

    def error_received(self, exc: Exception) -> None:
        """A client that is gone (ICMP) is no concern of ours; anything else is worth a line."""
        if not isinstance(exc, ConnectionRefusedError):
            log.warning("search_socket_error", error=str(exc))


def _messages(data: bytes) -> Iterator[tuple[int, int, int, int, bytes]]:
    """Command, data type, both parameters and payload of each message of a datagram; stops at a broken one."""
    at = 0
    while at + _HEADER.size <= len(data):
        command, size, data_type, _, first, second = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        if at + size > len(data):
            return
        yield command, data_type, first, second, data[at : at + size]
        at += size


def search_socket(interface: str, port: int) -> socket.socket:
    """A UDP socket for searches, shared with other IOCs of this host as is usual. Raises OSError."""
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.setblocking(False)
        found.bind((interface, port))
    except OSError:
        found.close()
        raise
    return found
