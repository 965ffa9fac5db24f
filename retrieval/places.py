"""Places for queries: so many are open at a time, of one address fewer, and the others wait their turn."""

from __future__ import annotations

import asyncio
from collections import Counter

from archioc.retrieval.faults import Busy

OPEN = 30
"""Queries that are worked on or whose answer is being taken; fewer than the db process serves (`query_socket.server.CLIENTS`)."""

QUEUE = 64
"""Queries that may wait for a place; more are refused."""

WAIT_S = 20.0
"""Longest wait for a place."""

WAITING_PER_PLACE = 2
"""Of one address so many may wait for each place that it may have, so that it does not fill the queue either."""


class Places:
    """Places of all queries. per_address: how many of them one address may have. To be used in the event loop only."""

    def __init__(self, per_address: int) -> None:
        self._per_address = min(per_address, OPEN)
        self._open: Counter[str] = Counter()
        self._queue: list[tuple[str, asyncio.Future[None]]] = []

    @property
    def waiting(self) -> int:
        """Queries that wait for a place."""
        return len(self._queue)

    async def take(self, address: str) -> None:
        """Wait for a place, which `give_back` ends. Raises Busy."""
        if self._has_room(address):
            self._open[address] += 1
            return
        if len(self._queue) >= QUEUE:
            raise Busy(f"{self._open.total()} queries are open and {len(self._queue)} wait; try again")
        queued = sum(one == address for one, _ in self._queue)
        if queued >= self._per_address * WAITING_PER_PLACE:
            raise Busy(f"{self._open[address]} queries of {address} are open (http.places_per_address) and {queued} wait; try again")
        turn = asyncio.get_running_loop().create_future()
        self._queue.append((address, turn))
        try:
            async with asyncio.timeout(WAIT_S):
                await turn
        except TimeoutError:
            self._leave(address, turn)
            raise Busy(f"no place was free for {WAIT_S:.0f} s: {self._open.total()} queries are open; try again") from None
        except asyncio.CancelledError:
            self._leave(address, turn)
            raise

    def _leave(self, address: str, turn: asyncio.Future[None]) -> None:
        """Nobody waits any more. A place that came together with the end of the wait goes back."""
        if (address, turn) in self._queue:
            self._queue.remove((address, turn))
        else:
            self.give_back(address)

    def give_back(self, address: str) -> None:
        """A query has ended; the first that may have its place gets it."""
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]
        for at, (waits, turn) in enumerate(self._queue):
            if not turn.done() and self._has_room(waits):
                del self._queue[at]
                self._open[waits] += 1
                turn.set_result(None)
                return

    def _has_room(self, address: str) -> bool:
        return self._open.total() < OPEN and self._open[address] < self._per_address
