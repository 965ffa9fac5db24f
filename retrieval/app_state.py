"""What a request finds in the application."""

from __future__ import annotations

from starlette.requests import Request

from archioc.retrieval.archive import Archive
from archioc.retrieval.query_pool.queries import Queries


def archive_of(request: Request) -> Archive:
    """The archive that is served."""
    archive: Archive = request.app.state.archive
    return archive


def queries_of(request: Request) -> Queries:
    """Where its queries run."""
    queries: Queries = request.app.state.queries
    return queries
