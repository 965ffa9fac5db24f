"""A CA server whose channels have not changed for a long time: `python -m tests.processes.old_stamps_program PREFIX COUNT YEARS`.

Channel k of n is PREFIX + k, a double with value k and a time stamp k / n * YEARS before the start. The port comes from
EPICS_CAS_SERVER_PORT. It speaks as much of the protocol (Channel Access Protocol Specification, version 4.13) as libca needs: a
library's server gives no say in time stamps or takes minutes for so many channels.
"""

from __future__ import annotations

import asyncio
import os
import struct
import sys
import time
from typing import cast

from tests.processes.old_stamps import stamp_age_s

VERSION, EVENT_ADD, EVENT_CANCEL, SEARCH, READ_NOTIFY, CLEAR, CREATE, ACCESS_RIGHTS, ECHO = 0, 1, 2, 6, 15, 12, 18, 22, 23
DOUBLE, TIME_DOUBLE, GR_DOUBLE, CTRL_DOUBLE = 6, 20, 27, 34
ECA_NORMAL, READ_ONLY = 1, 1
EPICS_EPOCH = 631_152_000
_MINOR = 13
_HEADER = struct.Struct(">HHHHII")
_DATAGRAM = 1400


class Channels:
    """All channels, by number."""

    def __init__(self, prefix: str, count: int, years: float) -> None:
        self._prefix, self._count, self._years = prefix.encode(), count, years
        self._start = time.time()

    def number(self, name: bytes) -> int | None:
        """Which channel a name stands for, None for none of ours."""
        rest = name.rstrip(b"\0")
        if not rest.startswith(self._prefix) or not rest[len(self._prefix) :].isdigit():
            return None
        number = int(rest[len(self._prefix) :])
        return number if number < self._count else None

    def payload(self, number: int, dbr: int) -> bytes:
        """Its value as a DBR type."""
        value = struct.pack(">d", float(number))
        if dbr == TIME_DOUBLE:
            stamp = self._start - stamp_age_s(number, self._count, self._years) - EPICS_EPOCH
            return struct.pack(">HHIII", 0, 0, int(stamp), int(stamp % 1 * 1e9), 0) + value
        before = {DOUBLE: 0, GR_DOUBLE: 64, CTRL_DOUBLE: 80}[dbr]
        return bytes(before) + value


def messages(data: bytes) -> tuple[list[tuple[int, int, int, int, int, bytes]], int]:
    """Complete messages as command, type, count, two parameters and payload, and how many bytes they are."""
    found, at = [], 0
    while at + _HEADER.size <= len(data):
        command, size, dtype, count, first, second = _HEADER.unpack_from(data, at)
        end = at + _HEADER.size + size
        if end > len(data):
            break
        found.append((command, dtype, count, first, second, data[at + _HEADER.size : end]))
        at = end
    return found, at


class Searches(asyncio.DatagramProtocol):
    """Answers searches by UDP, with the sequence number of the request, without which libca drops an answer."""

    def __init__(self, channels: Channels, port: int) -> None:
        self._channels, self._port = channels, port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        version = _HEADER.pack(VERSION, 0, 0, _MINOR, 0, 0)
        answers: list[bytes] = []
        for command, dtype, _, first, second, payload in messages(data)[0]:
            if command == VERSION:
                version = _HEADER.pack(VERSION, 0, dtype, _MINOR, first, second)
            elif command == SEARCH and self._channels.number(payload) is not None:
                answers.append(_HEADER.pack(SEARCH, 8, self._port, 0, 0xFFFFFFFF, first) + struct.pack(">H6x", _MINOR))
        per_datagram = _DATAGRAM // (_HEADER.size + 8)
        for at in range(0, len(answers), per_datagram):
            self._transport.sendto(version + b"".join(answers[at : at + per_datagram]), addr)


async def serve_circuit(channels: Channels, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One client: creates channels and gives each subscription its one update. The channel's number is its server id."""
    writer.write(_HEADER.pack(VERSION, 0, 0, _MINOR, 0, 0))
    data = b""
    while chunk := await reader.read(1 << 20):
        data += chunk
        found, used = messages(data)
        data = data[used:]
        for command, dtype, _, first, second, payload in found:
            if command == CREATE and (number := channels.number(payload)) is not None:
                writer.write(_HEADER.pack(ACCESS_RIGHTS, 0, 0, 0, first, READ_ONLY))
                writer.write(_HEADER.pack(CREATE, 0, DOUBLE, 1, first, number))
            elif command in {EVENT_ADD, READ_NOTIFY}:
                value = channels.payload(first, dtype)
                writer.write(_HEADER.pack(command, len(value), dtype, 1, ECA_NORMAL, second) + value)
            elif command == EVENT_CANCEL:
                writer.write(_HEADER.pack(EVENT_ADD, 0, dtype, 1, first, second))
            elif command in {CLEAR, ECHO}:
                writer.write(_HEADER.pack(command, 0, 0, 0, first, second))
        await writer.drain()
    writer.close()


async def serve(channels: Channels, port: int) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: Searches(channels, port), local_addr=("127.0.0.1", port))
    server = await asyncio.start_server(lambda reader, writer: serve_circuit(channels, reader, writer), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Channels(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])), int(os.environ["EPICS_CAS_SERVER_PORT"])))
