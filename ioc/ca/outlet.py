"""The way to one client: whatever is sent to it waits here while the client does not read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

HIGH_BYTES = 2**16
"""64 kB. While more waits, nothing more is added: no request is taken, and no event made. What is sent at once is at most some 300 kB."""


LINGER_S = 1.0
"""How long after the end of a circuit its client may still take what waits."""


class Outlet:
    """Sends to one client. on_full: called when more than HIGH_BYTES wait for it."""

    def __init__(self, writer: asyncio.StreamWriter, on_full: Callable[[], None]) -> None:
        self._writer, self._on_full = writer, on_full
        writer.transport.set_write_buffer_limits(high=HIGH_BYTES)

    @property
    def waiting_bytes(self) -> int:
        """What the connection has not taken yet, beside what the kernel keeps."""
        return self._writer.transport.get_write_buffer_size()

    async def send(self, data: bytes) -> None:
        """Send, and wait while more than HIGH_BYTES wait, before and after. Raises OSError when the connection is lost."""
        await self._room()
        if data and not self._writer.is_closing():
            self._writer.write(data)
            if self.waiting_bytes > HIGH_BYTES:
                self._on_full()
                await self._room()

    async def _room(self) -> None:
        while self.waiting_bytes > HIGH_BYTES:
            await self._writer.drain()

    def close(self) -> None:
        """End the connection; what waits has LINGER_S to be taken."""
        self._writer.close()
        if self.waiting_bytes:
            asyncio.get_running_loop().call_later(LINGER_S, self._writer.transport.abort)

    def cut(self) -> None:
        """End the connection now."""
        self._writer.transport.abort()
