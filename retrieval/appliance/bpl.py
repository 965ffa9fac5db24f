"""`/retrieval/bpl/...`: what the Archiver Appliance tells about itself and about names."""

from __future__ import annotations

import time
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from archioc import __version__
from archioc.core.spool.batch import ChannelMeta
from archioc.retrieval.app_state import archive_of, queries_of
from archioc.retrieval.appliance.request import channel_of, find_channel, whole_limit
from archioc.retrieval.appliance.runs import element_type
from archioc.retrieval.appliance.source import headers_of
from archioc.retrieval.faults import refusal
from archioc.retrieval.json_answers import answer_json
from archioc.retrieval.matching import searched_glob, searched_regex
from archioc.retrieval.query_pool.budget import Budget

MATCHES = 500
"""How many names are answered where no limit is given."""


async def get_version(_request: Request) -> Response:
    """The version, under the name that clients look for."""
    return JSONResponse({"version": f"Archiver Appliance Version ArchIOC {__version__}"})


async def ping(_request: Request) -> Response:
    """A sign of life."""
    return PlainTextResponse("pong")


async def get_matching_pvs(request: Request) -> Response:
    """Names that match the glob `pv`, or else as a whole the regular expression `regex`; at most `limit`, -1 means all.

    Both find what a person means: case does not matter, and brackets stand for themselves, too.
    """
    glob, regex = request.query_params.get("pv"), request.query_params.get("regex")
    if glob is None and regex is None:
        raise refusal(404, "one of pv (a glob) and regex is needed")
    limit, catalogue = whole_limit(request.query_params.get("limit", str(MATCHES))), archive_of(request).catalogue

    def find(budget: Budget) -> Sequence[str]:
        names = catalogue.names().all
        found = searched_regex(names, regex or "") if glob is None else searched_glob([*budget.watch(names)], glob)
        return found if limit < 0 else found[:limit]

    return await answer_json(request, find)


async def search_for_pvs_regex(request: Request) -> Response:
    """All names that match the regular expression as a whole, one a line."""
    regex = request.query_params.get("regex")
    if regex is None:
        raise refusal(404, "regex is needed")
    catalogue = archive_of(request).catalogue

    def find(_: Budget) -> bytes:
        return "".join(f"{name}\n" for name in searched_regex(catalogue.names().all, regex)).encode()

    return PlainTextResponse(await queries_of(request).run(find))


async def get_metadata(request: Request) -> Response:
    """What is known of a channel, all as text."""
    archive, name = archive_of(request), _name(request)

    def find(_: Budget) -> dict[str, str]:
        channel = channel_of(name, archive.catalogue)
        meta = archive.reader.meta(channel, time.time_ns())
        return {"pvName": channel} | ({} if meta is None else _described(meta))

    return await answer_json(request, find)


async def are_we_archiving_pv(request: Request) -> Response:
    """Whether a channel is archived."""
    archive, name = archive_of(request), _name(request)

    def find(_: Budget) -> dict[str, str]:
        found = find_channel(name, archive.catalogue)
        archived = found is not None and archive.catalogue.archived(found) is not None
        return {"status": "true" if archived else "false"}

    return await answer_json(request, find)


def _described(meta: ChannelMeta) -> dict[str, str]:
    kind = element_type(meta.dbr, meta.count)
    return {
        "DBRType": f"DBR_{kind.name}",
        "scalar": "false" if kind.is_waveform else "true",
        "elementCount": str(meta.count),
        "hostName": meta.host,
        "units": meta.units,
        **headers_of(meta),
    }


def _name(request: Request) -> str:
    name = request.query_params.get("pv")
    if not name:
        raise refusal(400, "pv is needed")
    return name


BPL_ROUTES = [
    Route("/retrieval/bpl/getVersion", get_version),
    Route("/retrieval/bpl/ping", ping),
    Route("/retrieval/bpl/getMatchingPVs", get_matching_pvs),
    Route("/retrieval/bpl/searchForPVsRegex", search_for_pvs_regex),
    Route("/retrieval/bpl/getMetadata", get_metadata),
    Route("/retrieval/bpl/areWeArchivingPV", are_we_archiving_pv),
]
