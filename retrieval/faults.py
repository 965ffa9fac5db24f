"""What goes wrong, as a client is told: JSON where its protocol has JSON, else one line of text; never a trace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from archioc.core.errors import ArchiocError, QueryError, RegistryError, RunDirError, StoreDenied, StoreUnavailable
from archioc.core.machine.rate_limited_log import Occurrences

_log = structlog.get_logger()

RETRY_AFTER_S = 5
"""What a client is told to wait before it asks again."""

SHOWN = 60
"""Letters of a client's text that an answer repeats."""

JSON_FAMILIES = ("/api/", "/archive/", "/readyz", "/healthz")
"""Paths whose errors are objects with the key `error`."""

Handler = Callable[[Request, Exception], Awaitable[Response]]


class Busy(ArchiocError):
    """More queries than can be worked on or wait."""


def shown(text: str, most: int = SHOWN) -> str:
    """A client's text as an answer repeats it: cut short, and on one line."""
    cut = text if len(text) <= most else f"{text[:most]}..."
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in cut)


def refusal(status: int, text: str) -> HTTPException:
    """A request that is answered with an error status and one line that says why."""
    return HTTPException(status, text)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_answer(request.scope["path"], error.status_code, error.detail, dict(error.headers or {}))


def _told_as(status: int, level: str = "info") -> Handler:
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}
    limited_log = Occurrences()

    async def tell(request: Request, error: Exception) -> Response:
        if times := limited_log.times():
            getattr(_log, level)("query_refused", path=shown(request.scope["path"]), status=status, error=str(error), times=times)
        return error_answer(request.scope["path"], status, str(error), headers)

    return tell


def error_answer(path: str, status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """An error in the form that the protocol of this path has."""
    if path.startswith(JSON_FAMILIES):
        return JSONResponse({"error": text}, status, headers)
    return PlainTextResponse(f"{text}\n", status, headers)


HANDLERS: dict[type[Exception], Handler] = {
    HTTPException: _refused,
    Busy: _told_as(503),
    StoreUnavailable: _told_as(503, "warning"),
    StoreDenied: _told_as(502, "warning"),
    QueryError: _told_as(504, "warning"),
    RunDirError: _told_as(503, "warning"),
    RegistryError: _told_as(503, "warning"),
}
"""Answers to what is raised on purpose; anything else is a fault of ours: 500 without a word, and the trace in the log."""
