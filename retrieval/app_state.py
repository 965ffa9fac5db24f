"""What a request finds in the application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from archioc.retrieval.archive import Archive
from archioc.retrieval.query_pool.budget import Budget
from archioc.retrieval.query_pool.queries import Pieces, Queries

T = TypeVar("T")

PEER = "archioc.peer"
"""Key of the scope: the IP address that the connection comes from, whatever a header says."""


def archive_of(request: Request) -> Archive:
    """The archive that is served."""
    archive: Archive = request.app.state.archive
    return archive


@dataclass(frozen=True, slots=True)
class QueriesOfClient:
    """Where the queries of one address run."""

    queries: Queries
    address: str

    async def run(self, work: Callable[[Budget], T]) -> T:
        """The result of one query (`Queries.run`)."""
        return await self.queries.run(self.address, work)

    async def stream(self, work: Callable[[Budget], Pieces], media_type: str, headers: Mapping[str, str] | None = None) -> Response:
        """A response that is made piece by piece (`Queries.stream`)."""
        return await self.queries.stream(self.address, work, media_type, headers)


def queries_of(request: Request) -> QueriesOfClient:
    """Where its queries run."""
    return QueriesOfClient(request.app.state.queries, request.scope.get(PEER, ""))
