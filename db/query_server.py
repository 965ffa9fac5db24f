"""Answers queries on a Unix socket: one request a connection, one line of JSON; the answer is lines of JSON.

Requests and answers: `docs/reference/contract/files.md`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import structlog

from archioc.core.errors import QueryError, StoreError
from db import unix_socket, wire
from db.store import Reader

_log = structlog.get_logger()

AT_ONCE = 4
"""Queries that are answered at the same time."""

WAITING = 32
"""Connections that may wait for their turn; more are refused."""

CLIENT_TIMEOUT_S = 30.0
"""A client that neither sends nor takes anything for so long is cut off."""

WAIT_S = 20.0
"""Longest wait for its turn; a client waits a little longer."""

CLOSE_S = 2.0
"""Longest wait for queries to end when the server is closed."""

MAX_REQUEST = 65_536
NAMES_A_LINE = 1000

_MODE = 0o660


class QueryServer:
    """Serves a reader until it is closed; in threads of its own, so that no client holds up delivery."""

    def __init__(self, path: Path, reader: Reader) -> None:
        self._path, self._reader = path, reader
        self._socket = unix_socket.listen(path, WAITING, _MODE)
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
            with self._lock:
                crowded = len(self._clients) >= AT_ONCE + WAITING
                if not crowded:
                    thread = threading.Thread(target=self._serve, args=(client,), name="query", daemon=True)
                    self._clients[client] = thread
                    thread.start()
            if crowded:
                with client, contextlib.suppress(OSError):
                    client.sendall(_error(QueryError(f"{AT_ONCE + WAITING} queries are running or waiting; try again")))

    def _serve(self, client: socket.socket) -> None:
        try:
            if not self._running.acquire(timeout=WAIT_S):
                client.sendall(_error(QueryError(f"{AT_ONCE} queries have been running for {WAIT_S:.0f} s; try again")))
                return
            try:
                for line in self._answer(client):
                    client.sendall(line)
            finally:
                self._running.release()
        except OSError as error:
            _log.debug("query_client_gone", error=str(error))
        finally:
            with self._lock:
                del self._clients[client]
                client.close()

    def _answer(self, client: socket.socket) -> Iterator[bytes]:
        request: object = None
        try:
            request = _read_request(client)
            for answer in answers(self._reader, request):
                yield orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)
            yield b'{"done":true}\n'
        except StoreError as error:
            yield _error(error)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - the client is told, the log has the trace, other queries go on
            _log.exception("query_failed", request=request)
            yield _error(QueryError(f"internal error: {error}"))


def answers(reader: Reader, request: object) -> Iterator[dict[str, Any]]:
    """The lines that answer a request. Raises QueryError for a request that is none, and what the reader raises."""
    if not isinstance(request, dict):
        raise QueryError("a request is a JSON object")
    try:
        match request.get("query"):
            case "samples":
                start, end, previous = int(request["start_ns"]), int(request["end_ns"]), bool(request.get("with_previous", True))
                for columns in reader.samples(str(request["channel"]), start, end, with_previous=previous):
                    yield {"samples": wire.pack_columns(columns)}
            case "last_before":
                last = reader.last_before(str(request["channel"]), int(request["t_ns"]))
                yield {"samples": None if last is None else wire.pack_columns(last)}
            case "names":
                names = list(reader.names(str(request.get("pattern", "*"))))
                for at in range(0, len(names), NAMES_A_LINE):
                    yield {"names": names[at : at + NAMES_A_LINE]}
            case "events":
                yield {"events": reader.events(str(request["channel"]), int(request["start_ns"]), int(request["end_ns"]))}
            case "meta":
                meta = reader.meta(str(request["channel"]), int(request["at_ns"]))
                yield {"meta": None if meta is None else wire.pack_meta(meta)}
            case other:
                raise QueryError(f"query {other!r} is none of samples, last_before, names, events, meta")
    except (KeyError, TypeError, ValueError) as error:
        raise QueryError(f"request {request}: {type(error).__name__} {error}") from error


def _read_request(client: socket.socket) -> object:
    received = b""
    while not received.endswith(b"\n"):
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
