"""Bodies of requests."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from archioc.retrieval.faults import Busy, refusal

MAX_BODY = 4_000_000
"""Bytes."""

MAX_ALL = 64_000_000
"""Bytes of all bodies that are on their way; a body that comes slowly is kept meanwhile."""


class BodyRoom:
    """Room for the bodies that are on their way. To be used in the event loop only."""

    def __init__(self) -> None:
        self._taken = 0

    async def read(self, request: Request) -> bytes:
        """The body. Raises HTTPException (413) where it is longer than MAX_BODY, Busy where all room is taken."""
        found = bytearray()
        try:
            async for piece in request.stream():
                found += piece
                self._taken += len(piece)
                if len(found) > MAX_BODY:
                    raise refusal(413, f"a body has at most {MAX_BODY} bytes")
                if self._taken > MAX_ALL:
                    raise Busy(f"{MAX_ALL} bytes of other bodies are on their way; try again")
        except ClientDisconnect:
            raise refusal(400, "the client has gone before the end of the body") from None
        finally:
            self._taken -= len(found)
        return bytes(found)


async def body_of(request: Request) -> bytes:
    """The body of a request. Raises HTTPException (400, 413), Busy."""
    room: BodyRoom = request.app.state.body_room
    return await room.read(request)
