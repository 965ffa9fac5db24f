"""`/mgmt/bpl/...`: the management calls of the Archiver Appliance that read; those that change something are refused."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from archioc.retrieval.app_state import archive_of
from archioc.retrieval.mgmt.about import ABOUT_ROUTES
from archioc.retrieval.mgmt.details import DETAIL_ROUTES
from archioc.retrieval.mgmt.names import NAME_ROUTES
from archioc.retrieval.mgmt.reports import REPORT_ROUTES

INSTEAD = {
    "archivePV": "Add",
    "pauseArchivingPV": "CH:<name>:Enable",
    "resumeArchivingPV": "CH:<name>:Enable",
    "abortArchivingPV": "Remove",
    "deletePV": "Remove",
    "changeArchivalParameters": "CH:<name>:Mode and CH:<name>:Rate",
    "renamePV": "Rename",
    "addAlias": "Rename",
    "removeAlias": "Rename",
    "appendAndAliasPV": "Rename",
    "changeTypeForPV": "Add",
    "putPVTypeInfo": "Add",
}
"""What to put to in place of each call that changes something."""


async def refuse(request: Request) -> Response:
    """403, with the PV that does it."""
    call = request.scope["path"].rsplit("/", 1)[1]
    prefix = archive_of(request).config.archiver.prefix
    names = " and ".join(f"{prefix}{name}" for name in INSTEAD[call].split(" and "))
    return PlainTextResponse(f"{call}: nothing is changed over HTTP; put to {names} over Channel Access\n", 403)


MGMT_ROUTES = [
    *ABOUT_ROUTES,
    *NAME_ROUTES,
    *DETAIL_ROUTES,
    *REPORT_ROUTES,
    *(Route(f"/mgmt/bpl/{call}", refuse, methods=["GET", "POST"]) for call in INSTEAD),
]
