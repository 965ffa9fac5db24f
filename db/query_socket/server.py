"""Answers queries on a Unix socket: one request a connection, one line of JSON; the answer is lines of JSON and bytes.

Requests and answers: `docs/reference/contract/files.md`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import structlog

from archioc.core.errors import QueryError, StoreError
from archioc.db.query_socket import query_messages as wire
from archioc.db.query_socket import unix_socket
from archioc.db.query_socket.answers import answers, may_read
from archioc.db.query_socket.query_messages import Part
from archioc.db.store import QUERY_S, Reader

_log = structlog.get_logger()

AT_ONCE = 4
"""Queries that the store works on at the same time."""

CLIENTS = 40
"""Connections at the same time; more are refused.

The http process has 34 at most: an answer to each of 30 clients, and a question beside it in each of 4 threads (`retrieval.queries`). The
others are for the command line.
"""

CLIENT_TIMEOUT_S = 30.0
"""A client that neither sends nor takes anything for so long is cut off."""

SEND_BUFFER = 1 << 20
"""Bytes, where the kernel allows so many: a piece of an answer, so that the next one is made while the client takes it."""

WAIT_S = 20.0
"""Longest wait for its turn; a client waits a little longer."""

CLOSE_S = 2.0
"""Longest wait for queries to end when the server is closed."""

MAX_REQUEST = 65_536


class QueryServer:
    """Serves a reader until it is closed; in threads of its own, so that no client holds up delivery."""

    def __init__(self, path: Path, reader: Reader) -> None:
        self._path, self._reader = path, reader
        self._socket = unix_socket.listen(path, CLIENTS)
        self._running = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._clients: dict[socket.socket, threading.Thread] = {}
        self._thread = threading.Thread(target=self._accept, name="query_socket", daemon=True)
        self._thread.start()

    def close(self) -> bool:
        """Stop serving and cut off those who are being served; whether all queries have ended by then."""
        # Only a shutdown wakes a thread that waits in accept().
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        self._path.unlink(missing_ok=True)
        with self._lock:
            threads = list(self._clients.values())
            for client in self._clients:
                with contextlib.suppress(OSError):  # the client has gone first
                    client.shutdown(socket.SHUT_RDWR)
        until = time.monotonic() + CLOSE_S
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return  # closed
            client.settimeout(CLIENT_TIMEOUT_S)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            with self._lock:
                crowded = len(self._clients) >= CLIENTS
                if not crowded:
                    thread = threading.Thread(target=self._serve, args=(client,), name="query", daemon=True)
                    self._clients[client] = thread
                    thread.start()
            if crowded:
                with client, contextlib.suppress(OSError):
                    client.sendall(_error(QueryError(f"{CLIENTS} queries are running or waiting; try again")))

    def _serve(self, client: socket.socket) -> None:
        try:
            for part in self._answer(client):
                client.sendall(part)
        except OSError as error:
            _log.debug("query_client_gone", error=str(error))
        finally:
            with self._lock:
                del self._clients[client]
                client.close()

    def _answer(self, client: socket.socket) -> Iterator[Part]:
        request: object = None
        try:
            request = _read_request(client)
            _refuse_strangers(client, request)
            yield from self._parts(request)
            yield b'{"done":true}\n'
        except StoreError as error:
            yield _error(error)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - the client is told, the log has the trace, other queries go on
            _log.exception("query_failed", request=request)
            yield _error(QueryError(f"internal error: {error}"))

    def _parts(self, request: object) -> Iterator[Part]:
        """The answer piece by piece. The store is free for others while a client takes a piece, however long that takes."""
        spent = 0.0
        with contextlib.closing(answers(self._reader, request)) as found:
            while True:
                if not self._running.acquire(timeout=WAIT_S):
                    raise QueryError(f"{AT_ONCE} queries have been running for {WAIT_S:.0f} s; try again")
                try:
                    started = time.monotonic()
                    answer = next(found, None)
                    parts = None if answer is None else wire.parts(answer)
                    spent += time.monotonic() - started
                finally:
                    self._running.release()
                if parts is None:
                    return
                yield from parts
                del answer, parts  # a piece is gone when the next one is made
                if spent > QUERY_S and may_read(request):
                    raise QueryError(f"the store has worked for {QUERY_S:.0f} s on this query; ask for a shorter range")


def _refuse_strangers(client: socket.socket, request: object) -> None:
    """Raise QueryError where a request changes the store and its sender is neither our user nor root: the group may read."""
    if not may_read(request) and (user := unix_socket.user_of(client)) not in {0, os.geteuid()}:
        raise QueryError(f"only the user of the archiver may change or copy what is stored, not user {user}")


def _read_request(client: socket.socket) -> object:
    received = b""
    until = time.monotonic() + CLIENT_TIMEOUT_S
    while not received.endswith(b"\n"):
        if time.monotonic() > until:
            raise QueryError(f"a request comes within {CLIENT_TIMEOUT_S:.0f} s")
        more = client.recv(MAX_REQUEST)
        if not more or len(received) + len(more) > MAX_REQUEST:
            raise QueryError(f"a request is one line of at most {MAX_REQUEST} bytes")
        received += more
    try:
        return orjson.loads(received)
    except orjson.JSONDecodeError as error:
        raise QueryError(f"a request is a line of JSON: {error}") from None


def _error(error: StoreError) -> bytes:
    return orjson.dumps({"error": {"type": type(error).__name__, "text": str(error)}}, option=orjson.OPT_APPEND_NEWLINE)
