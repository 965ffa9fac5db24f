"""Work that many ask for at once and that is done once for all of them, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from archioc.retrieval.query_pool.threads import Threads

T = TypeVar("T")


class SharedWork(Generic[T]):
    """So a flood of requests costs no more than one at a time, and is never behind other work. To be used in the event loop only."""

    def __init__(self, name: str) -> None:
        self._threads = Threads(1, name)
        self._running: Future[T] | None = None

    async def result(self, work: Callable[[], T]) -> T:
        """The result of `work`, or that of the same work which is under way. Raises what it raises."""
        if self._running is None or self._running.done():
            self._running = self._threads.submit(work)
        return await asyncio.shield(asyncio.wrap_future(self._running))
