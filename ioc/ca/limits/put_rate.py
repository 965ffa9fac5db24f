"""How often a peer without any right to write may try to put."""

from __future__ import annotations

import asyncio
import time

PUTS_PER_S = 20.0
"""Puts of one address, once it has used up BURST."""

BURST = 100.0
"""Puts at once: more than anybody makes who opens a display and tries all its fields."""

REMEMBERED = 1000
"""Addresses whose puts are counted; the one that has put last the longest ago is forgotten first."""


class PutRate:
    """Holds up the puts of each address to PUTS_PER_S; the circuit takes no request meanwhile once its queue is full."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, float]] = {}  # puts that it has left, and when that was

    async def wait(self, address: str) -> None:
        """Wait until this address may put once more, and count the put."""
        delay = self.take(address, time.monotonic())
        if delay > 0:
            await asyncio.sleep(delay)

    def take(self, address: str, now: float) -> float:
        """Count a put; for how long it must wait (s). now: s, monotonic."""
        left, at = self._left.pop(address, (BURST, now))
        left = min(left + (now - at) * PUTS_PER_S, BURST) - 1
        self._left[address] = left, now
        if len(self._left) > REMEMBERED:
            del self._left[next(iter(self._left))]
        return max(-left / PUTS_PER_S, 0.0)
