"""What every request passes first: its length, and the name by which it calls this server."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from archioc.retrieval.app_state import PEER
from archioc.retrieval.connection import MAX_HEAD
from archioc.retrieval.faults import error_answer, shown
from archioc.retrieval.own_names import OwnNames


class Gate:
    """An application in front of the others; it notes where a connection comes from before a proxy's header is believed."""

    def __init__(self, app: ASGIApp, names: OwnNames) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is not to go on."""
        scope[PEER] = scope["client"][0] if scope.get("client") else ""
        length = len(scope["raw_path"]) + len(scope["query_string"])
        if length > MAX_HEAD:
            text = f"the address of a request has at most {MAX_HEAD} bytes, this one {length}; POST longer lists of names"
            await error_answer(scope["path"], 414, text)(scope, receive, send)
            return
        host = next((value.decode("latin-1").strip() for name, value in scope["headers"] if name == b"host"), None)
        # Without a Host header no browser asks; HTTP/1.0 does not need one.
        if host is not None and not self._names.allow(host, scope["server"][0]):
            text = f"Host {shown(host)} is not a name of this server; use its own name or address, or add the name to http.allowed_hosts"
            await error_answer(scope["path"], 421, text)(scope, receive, send)
            return
        await self._app(scope, receive, send)
