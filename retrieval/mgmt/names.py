"""Which channels there are, and what they are doing: `getAllPVs`, `getPVStatus`, `archivedPVs` and their like."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archioc.core.table.table import ChannelState
from archioc.retrieval.app_state import archive_of, queries_of
from archioc.retrieval.appliance.source import java_double
from archioc.retrieval.matching import matching_glob, matching_regex
from archioc.retrieval.mgmt.about import IDENTITY
from archioc.retrieval.mgmt.asking import expanded, limit_of, names_asked
from archioc.retrieval.mgmt.rows import NEVER, ChannelRow, rows_of, time_text

MATCHES = 500
"""How many names are answered where no limit is given."""

UNKNOWN = "Not being archived"


async def get_all_pvs(request: Request) -> Response:
    """Archived channels that match the glob `pv` or else the regular expression `regex`; at most `limit`, -1 means all."""
    catalogue, limit = archive_of(request).catalogue, limit_of(request, MATCHES)
    glob, regex = request.query_params.get("pv"), request.query_params.get("regex")

    def find() -> list[str]:
        names = sorted(catalogue.names().archived)
        if glob:
            names = matching_glob(names, glob)
        elif regex:
            names = matching_regex(names, regex)
        return names[:limit]

    return JSONResponse(await queries_of(request).run(lambda _: find()))


async def get_all_expanded(request: Request) -> Response:
    """All archived channels; the first element is a name that every appliance has."""
    catalogue = archive_of(request).catalogue
    names = await queries_of(request).run(lambda _: sorted(catalogue.names().archived))
    return JSONResponse(["EPICS:Archiver:Appliance", *names])


async def get_pv_status(request: Request) -> Response:
    """What the channels of `pv` are doing, in the order of the request; of all where none is named."""
    archive, asked = archive_of(request), await names_asked(request)

    def find() -> list[dict[str, str]]:
        channels = expanded(asked, archive.catalogue)
        rows = rows_of(archive, (name for name in channels.values() if name))
        return [_status(name, rows.get(channel or "")) for name, channel in channels.items()]

    return JSONResponse(await queries_of(request).run(lambda _: find()))


async def archived_pvs(request: Request) -> Response:
    """Those of the names that are archived."""
    return JSONResponse([name for name, archived in (await _sorted_out(request)).items() if archived])


async def unarchived_pvs(request: Request) -> Response:
    """Those of the names that are not archived."""
    return JSONResponse([name for name, archived in (await _sorted_out(request)).items() if not archived])


async def _sorted_out(request: Request) -> dict[str, bool]:
    catalogue, asked = archive_of(request).catalogue, await names_asked(request)

    def find() -> dict[str, bool]:
        archived = catalogue.names().archived
        return {name: channel in archived for name, channel in expanded(asked, catalogue).items()}

    return await queries_of(request).run(lambda _: find()) if asked else {}


def _status(asked: str, row: ChannelRow | None) -> dict[str, str]:
    if row is None or (row.state is ChannelState.REJECTED and not row.paused):
        return {"pvName": asked, "status": UNKNOWN}
    named = {"pvName": asked, "pvNameOnly": row.name, "appliance": IDENTITY}
    if row.paused:
        return {**named, "status": "Paused"}
    return {
        **named,
        "status": "Initial sampling" if row.state is ChannelState.CONNECTING else "Being archived",
        "isMonitored": "true" if row.method == "MONITOR" else "false",
        "samplingPeriod": java_double(row.period_s),
        "connectionState": "true" if row.connected else "false",
        "lastEvent": time_text(int(row.status["time"])),
        "lastRotateLogs": NEVER,
        "connectionFirstEstablished": NEVER,
        "connectionLastRestablished": NEVER,
        "connectionLossRegainCount": str(int(row.status["disconnects"])),
    }


NAME_ROUTES = [
    Route("/mgmt/bpl/getAllPVs", get_all_pvs),
    Route("/mgmt/bpl/getAllExpandedPVNames", get_all_expanded),
    Route("/mgmt/bpl/getPVStatus", get_pv_status, methods=["GET", "POST"]),
    Route("/mgmt/bpl/archivedPVs", archived_pvs, methods=["GET", "POST"]),
    Route("/mgmt/bpl/unarchivedPVs", unarchived_pvs, methods=["GET", "POST"]),
]
