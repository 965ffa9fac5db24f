"""One HTTP connection, on top of uvicorn's: whatever its client has to do has a time limit."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from typing import Any, Protocol

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

from archioc.core.machine.rate_limited_log import Occurrences

_log = structlog.get_logger()
_bad_requests = Occurrences()

_errors_only = logging.getLogger("archioc.http")
"""In place of uvicorn's logger: its warnings come as often as clients like, its errors are faults of ours."""
_errors_only.setLevel(logging.ERROR)

MAX_HEAD = 64_000
"""Bytes of the head of a request; of its address too."""

LEVEL = 1 << 16
"""Bytes that a client has to take of an answer to count as one that goes on."""

_REFUSAL = (
    b"HTTP/1.1 %b\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"X-Content-Type-Options: nosniff\r\nRetry-After: 5\r\nContent-Length: %d\r\n\r\n"
)

Waits = tuple[str, Hashable]
"""What a client has to do next, and something that changes when it has gone on.

`idle`: begin a request. `head`, `body`: end this part of it. `read`: take the answer.
"""


class Owner(Protocol):
    """Where all connections are known (`archioc.retrieval.connections`)."""

    def opened(self, connection: Connection) -> None:
        """There is one more."""

    def closed(self, connection: Connection) -> None:
        """There is one less."""


class Connection(H11Protocol):
    """A connection.

    address: of the client. since: loop time from which it waits for its client as it does now. is_gone: it is being closed.
    """

    def __init__(self, owner: Owner, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self.logger = _errors_only
        self._owner = owner
        self._requests = self._resumed = 0
        self._waits: Waits | None = None
        self.address = ""
        self.is_gone = False
        self.since = self.loop.time()

    def connection_made(self, transport: Any) -> None:
        """Also: make it known, which may close another one or this one."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._owner.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Also: no longer known."""
        super().connection_lost(exc)
        self._owner.closed(self)

    def on_response_complete(self) -> None:
        """Also: the next head has its own time."""
        self._requests += 1
        super().on_response_complete()

    def resume_writing(self) -> None:
        """Also: the client has taken something."""
        self._resumed += 1
        super().resume_writing()

    def waits_for(self) -> Waits | None:
        """What the client has to do now; None while the server works."""
        unsent = self.transport.get_write_buffer_size()
        if unsent:
            return "read", (unsent // LEVEL, self._resumed)
        if self.transport.is_closing():
            return None
        if self.conn.their_state is h11.IDLE:
            return "head" if self.conn.trailing_data[0] else "idle", self._requests
        return ("body", self._requests) if self.conn.their_state is h11.SEND_BODY else None

    def look(self, now: float) -> str | None:
        """What it waits for, `since` being put right. now: loop time."""
        found = self.waits_for()
        if found is None or found != self._waits:
            self._waits, self.since = found, now
        return None if found is None else found[0]

    def refuse(self, status: bytes, text: str) -> None:
        """Answer in place of the application unless that has begun to, and close."""
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.cut()
            return
        self._forget_request()
        body = f"{text}\n".encode()
        self.is_gone = True
        self.transport.write(_REFUSAL % (status, len(body)) + body)
        self.transport.close()

    def cut(self) -> None:
        """Close at once, whatever is on its way."""
        self.is_gone = True
        self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """The client has sent what is not HTTP: an answer, if none has begun, and the end of the connection."""
        if times := _bad_requests.times():
            _log.info("bad_request", address=self.address, times=times)
        self._forget_request()
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.close()  # an answer has begun
            return
        super().send_400_response(msg)

    def _forget_request(self) -> None:
        """What the application still sends goes nowhere, and what it waits for does not come."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
