"""The HTTP application: its routes and how it answers errors."""

from __future__ import annotations

from pathlib import Path

import yaml
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archioc.retrieval.appliance.at_time import AT_TIME_ROUTES
from archioc.retrieval.appliance.bpl import BPL_ROUTES
from archioc.retrieval.appliance.data import DATA_ROUTES
from archioc.retrieval.archive import Archive
from archioc.retrieval.archive_access.routes import ARCHIVE_ACCESS_ROUTES
from archioc.retrieval.columns.routes import COLUMN_ROUTES
from archioc.retrieval.faults import HANDLERS
from archioc.retrieval.health import HEALTH_ROUTES
from archioc.retrieval.metrics import METRICS_ROUTES
from archioc.retrieval.mgmt.routes import MGMT_ROUTES
from archioc.retrieval.page.api import API_ROUTES
from archioc.retrieval.page.files import PAGE_ROUTES
from archioc.retrieval.query_pool.queries import Queries

OPENAPI = Path(__file__).with_name("openapi.yaml")
"""The contract, written by hand; in the documentation a link leads to it."""


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
        # Viewers are pages of other servers; there is nothing here that a page must not read.
        middleware=[Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"])],
        exception_handlers=HANDLERS,
    )
    app.state.archive, app.state.queries = archive, queries
    return app
