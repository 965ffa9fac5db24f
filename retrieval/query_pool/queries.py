"""Queries of clients: so many at a time, the others wait their turn, and no client holds up another."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

import structlog
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from archioc.core.errors import StoreError
from archioc.retrieval.places import OPEN, Places
from archioc.retrieval.query_pool.budget import Budget
from archioc.retrieval.query_pool.threads import Threads

_log = structlog.get_logger()

AT_ONCE = 4
"""Queries that are worked on at the same time."""

SLOW_S = 60.0
"""A client that takes nothing of its answer for so long is cut off."""

SLICE = 1 << 17
"""Bytes handed to the connection at a time, so that what a slow client has not taken stays small."""

T = TypeVar("T")
Pieces = Generator[bytes, None, None]


class Queries:
    """Runs what waits for the store in threads.

    limit_s: how long a query may work for a piece of its answer (s). per_address: how many places one address may have.
    """

    def __init__(self, limit_s: float, per_address: int = OPEN) -> None:
        self._limit_s = limit_s
        self._threads = Threads(AT_ONCE)
        self.places = Places(per_address)

    async def run(self, address: str, work: Callable[[Budget], T]) -> T:
        """The result of one query of an address. Raises Busy, and what `work` raises."""
        await self.places.take(address)
        budget = Budget(self._limit_s)

        def step() -> T:
            budget.begin()
            return work(budget)

        future = self._threads.submit(step)
        self._release_after(future, address)
        return await asyncio.wrap_future(future)

    async def stream(
        self, address: str, work: Callable[[Budget], Pieces], media_type: str, headers: Mapping[str, str] | None = None
    ) -> Response:
        """A response whose body is made piece by piece as the client takes it.

        The first piece is made before the response begins, so that what fails at once is answered with a status. What
        fails later ends the connection without the end of the answer, which a client notices. Raises Busy, and what `work` raises.
        """
        await self.places.take(address)
        budget = Budget(self._limit_s)
        steps = _Steps(work(budget), budget, address)
        try:
            first = await self._next(steps)
        except BaseException:
            self._close(steps)
            raise
        return _Streamed(self._pieces(first, steps), headers=headers, media_type=media_type)

    async def _pieces(self, first: bytes | None, steps: _Steps) -> AsyncIterator[bytes]:
        piece = first
        try:
            while piece is not None:
                following = self._threads.submit(steps.next)  # it is made while the client takes this one
                yield piece
                piece = await asyncio.wrap_future(following)
        finally:
            self._close(steps)

    async def _next(self, steps: _Steps) -> bytes | None:
        return await asyncio.wrap_future(self._threads.submit(steps.next))

    def _close(self, steps: _Steps) -> None:
        self._release_after(self._threads.submit(steps.close), steps.address)

    def _release_after(self, future: Future[Any], address: str) -> None:
        """A query counts as open until its thread has let go of it, also when its client has gone."""
        loop = asyncio.get_running_loop()

        def release(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the process ends
                loop.call_soon_threadsafe(self.places.give_back, address)

        future.add_done_callback(release)


class _Steps:
    """Makes the pieces of one answer, one at a time, in whichever thread. address: whose place it has."""

    def __init__(self, pieces: Pieces, budget: Budget, address: str) -> None:
        self._found, self._budget, self.address = pieces, budget, address
        self._lock = threading.Lock()

    def next(self) -> bytes | None:
        """The next piece that is not empty; None at the end."""
        with self._lock:
            self._budget.begin()
            return next(filter(None, self._found), None)

    def close(self) -> None:
        """Let go of the store. Waits for a piece that is still being made."""
        with self._lock:
            self._found.close()


class _Streamed(StreamingResponse):
    """Sends pieces in slices that a slow client takes within SLOW_S each, or not at all."""

    body_iterator: AsyncIterator[bytes]

    async def stream_response(self, send: Send) -> None:
        """Send all pieces; on failure return before the end of the body, whereupon the connection is closed."""
        async with contextlib.aclosing(self.body_iterator) as pieces:  # type: ignore[type-var]
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            try:
                async for piece in pieces:
                    for at in range(0, len(piece), SLICE):
                        async with asyncio.timeout(SLOW_S):
                            await send({"type": "http.response.body", "body": piece[at : at + SLICE], "more_body": True})
            except StoreError as error:
                _log.warning("answer_cut_short", error=str(error))
                return
            except TimeoutError:
                _log.warning("slow_client_cut_off", after_s=SLOW_S)
                return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
