"""HTTP by the byte: clients that do not end what they have begun."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence

TIMEOUT_S = 20.0


@contextlib.contextmanager
def connected(address: tuple[str, int], number: int = 1, source: str = "127.0.0.1") -> Iterator[list[socket.socket]]:
    """So many connections from an address of this machine."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(address, TIMEOUT_S, (source, 0))) for _ in range(number)]


def asked(path: str, headers: Sequence[str] = (), method: str = "GET", host: str = "127.0.0.1") -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode()


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the server closes; what came before where it resets the connection."""
    found = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            found += piece
    return bytes(found)


def answer_to_the_end(connection: socket.socket, quiet_s: float) -> bytes:
    """All that comes; the client's own side is closed when nothing has come for a while, since the request may not be complete."""
    found = bytearray()
    connection.settimeout(quiet_s)
    with contextlib.suppress(ConnectionResetError, TimeoutError):
        while piece := connection.recv(1 << 16):
            found += piece
        return bytes(found)
    connection.settimeout(TIMEOUT_S)
    with contextlib.suppress(OSError):  # it has been closed meanwhile
        connection.shutdown(socket.SHUT_WR)
    return bytes(found) + answer_of(connection)


def ask(address: tuple[str, int], request: bytes, source: str = "127.0.0.1") -> tuple[int, bytes]:
    """Status and whole answer of a request on a connection of its own, which shall close it."""
    with connected(address, 1, source) as (connection,):
        connection.sendall(request)
        found = answer_of(connection)
    return int(found.split(b" ", 2)[1]), found
