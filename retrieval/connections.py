"""All HTTP connections: how many there may be, and how long each may wait for its client."""

from __future__ import annotations

import asyncio
import errno
import resource
from collections import Counter
from dataclasses import dataclass
from typing import Any

import structlog

from archioc.core.machine.rate_limited_log import Occurrences
from archioc.retrieval.connection import Connection

_log = structlog.get_logger()

IDLE_S = 5.0
"""How long a connection may stay without a request."""

LOOK_S = 0.5
"""How often all connections are looked at."""

READ_S = 60.0
"""A client that takes less than `connection.LEVEL` bytes of its answer in this time, and not the rest of it, is cut off."""

SPARE_DESCRIPTORS = 64
"""Descriptors that are not for clients: log, files, the sockets of queries."""

FEWEST = 8
"""Connections where descriptors are very scarce."""

OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """most: connections at a time. head_s, body_s: how long these parts of a request may take."""

    most: int
    head_s: float
    body_s: float


def raise_descriptor_limit() -> int:
    """Allow this process as many open files as the system lets it; how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 20


def connections_within(wanted: int, descriptors: int) -> int:
    """How many connections there may be so that descriptors are left for the rest of the work."""
    return min(wanted, max((descriptors - SPARE_DESCRIPTORS) // 2, FEWEST))  # one may read a file of the page, which is open meanwhile


class Connections:
    """The connections of one server. To be used in the event loop only.

    Beyond the limit, of the address with most connections the one that has waited longest for its client is closed, never one that is
    being worked for. So a newcomer gets its place whoever holds the others, and clients that are idle or slow lose theirs first.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._open: dict[Connection, None] = {}
        self._lack, self._slow, self._full = Occurrences(), Occurrences(), Occurrences()

    @property
    def number(self) -> int:
        """Connections that are open."""
        return len(self._open)

    def protocol(self, **uvicorn: Any) -> Connection:
        """What uvicorn makes for a new connection."""
        return Connection(self, **uvicorn)

    def opened(self, connection: Connection) -> None:
        """There is one more: another one may have to go for it."""
        self._open[connection] = None
        if len(self._open) <= self._limits.most:
            return
        if not self._close_one(besides=connection):
            connection.refuse(b"503 Service Unavailable", f"{len(self._open)} connections are open; try again")
        if times := self._full.times():
            _log.warning("too_many_connections", most=self._limits.most, address=connection.address, times=times)

    def closed(self, connection: Connection) -> None:
        """There is one less."""
        self._open.pop(connection, None)

    async def watch(self) -> None:
        """Look at all of them, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look(asyncio.get_running_loop().time())

    def look(self, now: float) -> None:
        """Cut off the clients whose time is over. now: loop time."""
        allowed = {"idle": IDLE_S, "head": self._limits.head_s, "body": self._limits.body_s, "read": READ_S}
        for connection in [*self._open]:
            waits = connection.look(now)
            if waits is None or now - connection.since <= allowed[waits]:
                continue
            if waits == "idle":
                connection.cut()
                continue
            if times := self._slow.times():
                _log.info("slow_client_cut_off", address=connection.address, waited_for=waits, after_s=allowed[waits], times=times)
            if waits == "read":
                connection.cut()
            else:
                connection.refuse(b"408 Request Timeout", f"the {waits} of a request has to arrive within {allowed[waits]:g} s")

    def on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What asyncio tells: where connections cannot be accepted, one line and some room; anything else as usual."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in OUT_OF_RESOURCES or "accept" not in str(context.get("message")):
            loop.default_exception_handler(context)
            return
        times = self._lack.times()
        if times:
            _log.error("cannot_accept_connections", error=str(error), open=len(self._open), times=times)
            for _ in range(FEWEST):
                self._close_one()

    def _close_one(self, besides: Connection | None = None) -> bool:
        """Whether there was one to be closed."""
        number = Counter(connection.address for connection in self._open)
        idle = [one for one in self._open if one is not besides and not one.is_gone and one.waits_for() is not None]
        if not idle:
            return False
        longest = min(idle, key=lambda one: (-number[one.address], one.since))
        longest.cut()
        return True
