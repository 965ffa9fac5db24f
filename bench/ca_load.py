"""Clients of Channel Access that cost next to nothing, so that the server is what is measured.

`python -m bench.ca_load PORT CLIENTS NAMES` reads the file NAMES, opens all of them, a share for each client (or all for each, with
`--same`), monitors them, and counts what comes. It tells what it has done in lines of JSON.
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

_HEADER = struct.Struct(">HHHHII")
_EXTENDED = struct.Struct(">II")
_EVENT, _VERSION, _READ_NOTIFY, _CREATE, _WRITE_NOTIFY, _HOST, _USER = 1, 0, 15, 18, 19, 21, 20
_CREATE_FAILED, _ERROR, _GONE = 26, 11, 27
DBE_VALUE = 1
DBR_STRING, DBR_CHAR, DBR_DOUBLE, DBR_TIME_DOUBLE = 0, 4, 6, 20
ANSWER_S = 120.0
READ_BYTES = 262_144


class PutRefused(Exception):
    """The server has answered a put with an error."""


DEAF_BUFFER_BYTES = 16_384


class RawCircuit:
    """A circuit whose messages are made and taken apart here; every call waits."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._ids = 0
        self.socket.sendall(
            _message(_VERSION, b"", 0, 13, 0, 0) + _message(_HOST, _text("bench"), 0, 0, 0, 0) + _message(_USER, _text("bench"), 0, 0, 0, 0)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def open(self, names: Sequence[str]) -> list[int]:
        """The server's numbers of these channels. Raises LookupError when there is no such channel."""
        self.socket.sendall(b"".join(_message(_CREATE, _text(name), 0, 0, cid, 13) for cid, name in enumerate(names)))
        found: dict[int, int] = {}
        while len(found) < len(names):
            command, first, second, _ = self._wait_for(_CREATE, _CREATE_FAILED)
            if command == _CREATE_FAILED:
                raise LookupError(names[first])
            found[first] = second
        return [found[cid] for cid in range(len(names))]

    def monitor(self, sids: Sequence[int], data_type: int = DBR_TIME_DOUBLE, mask: int = DBE_VALUE) -> None:
        """Subscribe to these channels; the events are for the caller to read."""
        payload = struct.pack(">fffHH", 0, 0, 0, mask, 0)
        self.socket.sendall(b"".join(_message(_EVENT, payload, data_type, 1, sid, at) for at, sid in enumerate(sids)))

    def put(self, sid: int, payload: bytes, data_type: int, count: int) -> float:
        """Put with completion; the seconds it took. Raises PutRefused."""
        self._ids += 1
        begun = time.perf_counter()
        self.socket.sendall(_message(_WRITE_NOTIFY, payload, data_type, count, sid, self._ids))
        command, _, _, words = self._wait_for(_WRITE_NOTIFY, _ERROR)
        if command == _ERROR:
            raise PutRefused(words[16:].rstrip(b"\0").decode(errors="replace"))
        return time.perf_counter() - begun

    def put_number(self, sid: int, value: float) -> float:
        """As `put`."""
        return self.put(sid, struct.pack(">d", value), DBR_DOUBLE, 1)

    def put_text(self, sid: int, text: str) -> float:
        """As `put`, to an array of characters."""
        raw = text.encode() + b"\0"
        return self.put(sid, raw, DBR_CHAR, len(raw))

    def get_number(self, sid: int) -> float:
        """Read a channel."""
        self._ids += 1
        self.socket.sendall(_message(_READ_NOTIFY, b"", DBR_DOUBLE, 1, sid, self._ids))
        return float(struct.unpack(">d", self._wait_for(_READ_NOTIFY)[3][:8])[0])

    def wait_for_events(self, count: int) -> None:
        """Wait until so many more events have come."""
        for _ in range(count):
            self._wait_for(_EVENT)

    def _wait_for(self, *commands: int) -> tuple[int, int, int, bytes]:
        while True:
            for command, first, second, payload in self._messages():
                if command in commands:
                    return command, first, second, payload
            data = self.socket.recv(READ_BYTES)
            if not data:
                raise ConnectionError("the server has closed the circuit")
            self._received += data

    def _messages(self) -> Iterator[tuple[int, int, int, bytes]]:
        """What has been received whole, one after the other; what is not asked for stays."""
        at, received = 0, self._received
        try:
            while at + 16 <= len(received):
                command, size, _, _, first, second = _HEADER.unpack_from(received, at)
                begin = at + 16
                if size == 0xFFFF:
                    if begin + 8 > len(received):
                        return
                    size, begin = _EXTENDED.unpack_from(received, begin)[0], begin + 8
                if begin + size > len(received):
                    return
                at = begin + size
                yield command, first, second, received[begin:at]
        finally:
            self._received = received[at:]


def _message(command: int, payload: bytes, data_type: int, count: int, first: int, second: int) -> bytes:
    payload = payload.ljust(-(-len(payload) // 8) * 8, b"\0")
    if len(payload) >= 0xFFFF:
        return _HEADER.pack(command, 0xFFFF, data_type, 0, first, second) + _EXTENDED.pack(len(payload), count) + payload
    return _HEADER.pack(command, len(payload), data_type, count, first, second) + payload


def _text(text: str) -> bytes:
    return text.encode() + b"\0"


EVENT_BYTES = 40
"""Of an event of DBR_TIME_DOUBLE with one element."""


def _shares(names: Sequence[str], clients: int, *, same: bool) -> list[Sequence[str]]:
    each = len(names) // clients
    return [names if same else names[at * each : (at + 1) * each] for at in range(clients)]


def main() -> int:
    """Open, say `{"opened": seconds}`, then each second of how many events have come; ends with its standard input."""
    arguments = argparse.ArgumentParser(prog="bench.ca_load")
    arguments.add_argument("port", type=int)
    arguments.add_argument("clients", type=int)
    arguments.add_argument("names", type=Path)
    arguments.add_argument("--same", action="store_true", help="each client opens all names")
    arguments.add_argument("--deaf", action="store_true", help="read nothing after the monitors have been asked for")
    given = arguments.parse_args()
    begun = time.perf_counter()
    circuits = []
    for share in _shares(given.names.read_text().split(), given.clients, same=given.same):
        circuit = RawCircuit(given.port)
        if given.deaf:
            # Else the kernel takes megabytes in its place, and it is for a quarter of a minute a client that reads.
            circuit.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DEAF_BUFFER_BYTES)
        circuit.monitor(circuit.open(share))
        circuits.append(circuit)
    _say(opened=time.perf_counter() - begun)
    if given.deaf:
        sys.stdin.read()
    else:
        _count(circuits)
    return 0


def _count(circuits: Sequence[RawCircuit]) -> None:
    buffer = bytearray(READ_BYTES)
    selector = selectors.DefaultSelector()
    received = [0] * len(circuits)
    for at, circuit in enumerate(circuits):
        circuit.socket.setblocking(False)
        selector.register(circuit.socket, selectors.EVENT_READ, at)
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    said = time.monotonic()
    while True:
        for key, _ in selector.select(0.1):
            if key.data is None:
                return
            received[key.data] += circuits[key.data].socket.recv_into(buffer)
        if time.monotonic() - said >= 1.0:
            said = time.monotonic()
            _say(at_s=said, events=sum(received) // EVENT_BYTES, fewest=min(received) // EVENT_BYTES)


def _say(**words: float) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
