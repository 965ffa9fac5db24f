"""Bodies of requests."""

from __future__ import annotations

from starlette.requests import Request

from archioc.retrieval.faults import refusal

MAX_BODY = 4_000_000
"""Bytes."""


async def body_of(request: Request) -> bytes:
    """The body. Raises HTTPException (413) where it is longer than MAX_BODY."""
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > MAX_BODY:
            raise refusal(413, f"a body has at most {MAX_BODY} bytes")
    return bytes(found)
