"""Which channels there are, and what they are doing: `getAllPVs`, `getPVStatus`, `archivedPVs` and their like."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from archioc.core.table.table import ChannelState
from archioc.retrieval.app_state import archive_of
from archioc.retrieval.appliance.name_lists import name_list_of
from archioc.retrieval.appliance.source import java_double
from archioc.retrieval.json_answers import answer_json
from archioc.retrieval.matching import matching_glob, matching_regex
from archioc.retrieval.mgmt.about import IDENTITY
from archioc.retrieval.mgmt.asking import MAX_NAMES, expanded, limit_of
from archioc.retrieval.mgmt.rows import NEVER, ChannelRow, rows_of, time_text
from archioc.retrieval.query_pool.budget import Budget

MATCHES = 500
"""How many names are answered where no limit is given."""

UNKNOWN = "Not being archived"


async def get_all_pvs(request: Request) -> Response:
    """Archived channels that match the glob `pv` or else the regular expression `regex`; at most `limit`, -1 means all."""
    catalogue, limit = archive_of(request).catalogue, limit_of(request, MATCHES)
    glob, regex = request.query_params.get("pv"), request.query_params.get("regex")

    def find(budget: Budget) -> list[str]:
        names = sorted(catalogue.names().archived)
        if glob:
            names = matching_glob(budget.watch(names), glob)
        elif regex:
            names = matching_regex(names, regex)
        return names[:limit]

    return await answer_json(request, find)


async def get_all_expanded(request: Request) -> Response:
    """All archived channels; the first element is a name that every appliance has."""
    catalogue = archive_of(request).catalogue
    return await answer_json(request, lambda _: ["EPICS:Archiver:Appliance", *sorted(catalogue.names().archived)])


async def get_pv_status(request: Request) -> Response:
    """What the channels of `pv` are doing, in the order of the request; of all where none is named."""
    archive, asked = archive_of(request), await name_list_of(request)

    def find(budget: Budget) -> list[dict[str, str]]:
        channels = expanded(asked.names(MAX_NAMES), archive.catalogue, budget)
        rows = rows_of(archive, (name for name in channels.values() if name))
        return [_status(name, rows.get(channel or "")) for name, channel in channels.items()]

    return await answer_json(request, find)


async def archived_pvs(request: Request) -> Response:
    """Those of the names that are archived."""
    return await _sorted_out(request, archived=True)


async def unarchived_pvs(request: Request) -> Response:
    """Those of the names that are not archived."""
    return await _sorted_out(request, archived=False)


async def _sorted_out(request: Request, *, archived: bool) -> Response:
    catalogue, asked = archive_of(request).catalogue, await name_list_of(request)

    def find(budget: Budget) -> list[str]:
        names = asked.names(MAX_NAMES)
        known = catalogue.names().archived
        return [name for name, channel in expanded(names, catalogue, budget).items() if (channel in known) is archived] if names else []

    return await answer_json(request, find)


def _status(asked: str, row: ChannelRow | None) -> dict[str, str]:
    if row is None or (row.state is ChannelState.REJECTED and not row.paused):
        return {"pvName": asked, "status": UNKNOWN}
    named = {"pvName": asked, "pvNameOnly": row.name, "appliance": IDENTITY}
    if row.paused:
        return {**named, "status": "Paused"}
    return {
        **named,
        "status": "Initial sampling" if row.never_connected else "Being archived",
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
