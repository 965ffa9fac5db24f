"""The HTTP application: its routes and how it answers errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from archioc.core.config_http import Http
from archioc.retrieval.appliance.at_time import AT_TIME_ROUTES
from archioc.retrieval.appliance.bpl import BPL_ROUTES
from archioc.retrieval.appliance.data import DATA_ROUTES
from archioc.retrieval.archive import Archive
from archioc.retrieval.archive_access.routes import ARCHIVE_ACCESS_ROUTES
from archioc.retrieval.bodies import BodyRoom
from archioc.retrieval.columns.routes import COLUMN_ROUTES
from archioc.retrieval.faults import HANDLERS
from archioc.retrieval.gate import Gate
from archioc.retrieval.health import HEALTH_ROUTES
from archioc.retrieval.metrics import METRICS_ROUTES
from archioc.retrieval.mgmt.routes import MGMT_ROUTES
from archioc.retrieval.own_names import OwnNames
from archioc.retrieval.page.api import API_ROUTES
from archioc.retrieval.page.files import PAGE_ROUTES
from archioc.retrieval.query_pool.queries import Queries
from archioc.retrieval.shared_work import SharedWork

OPENAPI = Path(__file__).with_name("openapi.yaml")
"""The contract, written by hand; in the documentation a link leads to it."""


class PlainHeaders:
    """Adds the header that keeps browsers from guessing what an answer is: a name or a value may look like a page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the header."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        await self._app(scope, receive, sent)


def make_app(archive: Archive, queries: Queries) -> Starlette:
    """All endpoints over one archive. They find the two as `request.app.state.archive` and `.queries`."""
    contract = JSONResponse(yaml.safe_load(OPENAPI.read_text()))

    async def openapi(_request: Request) -> Response:
        return contract

    app = Starlette(
        routes=[
            Route("/openapi.json", openapi),
            *HEALTH_ROUTES,
            *METRICS_ROUTES,
            *BPL_ROUTES,
            *DATA_ROUTES,
            *AT_TIME_ROUTES,
            *ARCHIVE_ACCESS_ROUTES,
            *MGMT_ROUTES,
            *COLUMN_ROUTES,
            *API_ROUTES,
            *PAGE_ROUTES,
        ],
        middleware=[Middleware(PlainHeaders), *_for_origins(archive.config.http.allowed_origins)],
        exception_handlers=HANDLERS,
    )
    app.state.archive, app.state.queries, app.state.body_room = archive, queries, BodyRoom()
    app.state.health, app.state.metrics = SharedWork("health"), SharedWork("metrics")
    return app


def gated(app: ASGIApp, config: Http) -> ASGIApp:
    """The application behind what every request passes first. A proxy on this machine may name its client and scheme."""
    behind: Any = ProxyHeadersMiddleware  # the types of starlette and of uvicorn for the same protocol do not know each other
    return Gate(behind(app, trusted_hosts="127.0.0.1"), OwnNames(config.host, config.allowed_hosts))


def _for_origins(origins: Sequence[str]) -> list[Middleware]:
    """Nothing where none is allowed: then a browser keeps the answers from pages of other servers."""
    if not origins:
        return []
    return [Middleware(CORSMiddleware, allow_origins=[*origins], allow_methods=["GET", "POST"], allow_headers=["*"])]
