"""Accepts TCP connections.

In place of `asyncio.start_server`, which after a failed accept tries a hundred times more, with a traceback each.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from archioc.core.machine.rate_limited_log import RateLimitedLog

BACKLOG = 100
"""Connections that the kernel keeps until they are accepted."""

PAUSE_S = 0.5
"""How long no connection is accepted after one could not be: descriptors or memory were missing."""

log = RateLimitedLog()


Accepted = Callable[[socket.socket, str, int], Awaitable[None]]
"""What becomes of a connection from an address and port."""


async def accept_forever(listening: socket.socket, accepted: Accepted) -> None:
    """Accept connections, one after the other, until cancelled. listening: bound, not blocking; it is closed at the end."""
    loop = asyncio.get_running_loop()
    with listening:
        listening.listen(BACKLOG)
        while True:
            try:
                connection, (address, port) = await loop.sock_accept(listening)
            except OSError as error:
                log.warning("connection_not_accepted", error=str(error))
                await asyncio.sleep(PAUSE_S)
                continue
            await accepted(connection, address, port)
            await asyncio.sleep(0)  # a connection that is there is accepted without a round of the loop
