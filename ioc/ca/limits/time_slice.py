"""Splits long work into short slices so that other clients are served in between."""

from __future__ import annotations

import asyncio
import time
from collections import deque

SLICE_S = 0.0005
"""How long one piece of work may keep the loop, in wall time: where the machine is busy there is less work in it."""


class LoopSharing:
    """All that have much to do wait here between two slices of their work. One of them goes on in each round of the loop, in order.

    So a round takes about a slice however many clients there are, and a put, which takes some rounds, is not held up by them.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def next(self) -> None:
        """Wait for a turn."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if len(self._waiting) == 1:
            loop.call_soon(self._grant)
        await turn

    def _grant(self) -> None:
        while self._waiting:
            turn = self._waiting[0]
            if turn.done():  # who waited was cancelled
                self._waiting.popleft()
                continue
            turn.set_result(None)
            break
        if self._waiting:
            # It stays at the head until the next round, so that nobody who comes meanwhile has a second one granted in this.
            asyncio.get_running_loop().call_soon(self._grant)


class TimeSlice:
    """A stretch of work that gives way once it has lasted SLICE_S."""

    def __init__(self, sharing: LoopSharing | None = None) -> None:
        self._sharing = sharing
        self._until = time.perf_counter() + SLICE_S

    @property
    def over(self) -> bool:
        """Whether it is time to give way."""
        return time.perf_counter() >= self._until

    async def give_way(self) -> None:
        """Let the loop look at everything else, if it is time."""
        if self.over:
            await (self._sharing.next() if self._sharing is not None else asyncio.sleep(0))
            self._until = time.perf_counter() + SLICE_S
