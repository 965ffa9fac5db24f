"""`/archive/...`: the JSON archive access protocol 1.0, which Phoebus' Data Browser reads (`json:http://HOST:PORT`)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Generator
from urllib.parse import unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from archioc.db.bins import MAX_BINS
from archioc.retrieval.app_state import archive_of, queries_of
from archioc.retrieval.appliance.request import LAST_NS, MAX_NAME, channel_of
from archioc.retrieval.appliance.source import Range, Source
from archioc.retrieval.archive_access.answer import answer
from archioc.retrieval.faults import refusal, shown
from archioc.retrieval.json_answers import answer_json
from archioc.retrieval.matching import check_length
from archioc.retrieval.query_pool.budget import Budget

KEY = "1"
"""Of the one archive that there is."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")


async def archives(_request: Request) -> Response:
    """The archives of this server: one."""
    return JSONResponse([{"key": int(KEY), "name": "ArchIOC", "description": "All channels of this archiver"}])


async def channels_by_pattern(request: Request) -> Response:
    """Names that match a glob (`*`, `?`), whatever their case."""
    glob = _last(request)
    check_length(glob)
    catalogue = archive_of(request).catalogue

    def find(budget: Budget) -> list[str]:
        # Python's translation of a glob never goes back over what a star has taken
        match = re.compile(fnmatch.translate(glob.replace("[", "[[]")), re.IGNORECASE).match
        return [*filter(match, budget.watch(catalogue.names().all))]

    return await answer_json(request, find)


async def samples(request: Request) -> Response:
    """Samples of a channel from the last at or before `start` up to `end`; with `count` about so many at most."""
    archive, name = archive_of(request), _last(request)
    if len(name) > MAX_NAME:
        raise refusal(404, f"a name has at most {MAX_NAME} letters")
    span, count = _span(request), _count(request)

    def find(budget: Budget) -> Generator[bytes, None, None]:
        channel = channel_of(name, archive.catalogue)
        yield from answer(Source(archive.reader, channel, budget), span, count)

    return await queries_of(request).stream(find, "application/json")


def _last(request: Request) -> str:
    """The end of the path as the client wrote it: form-encoded, a plus is a blank."""
    if request.path_params["key"] != KEY:
        raise refusal(404, f"archive {shown(request.path_params['key'])}: there is only archive {KEY}")
    parts = request.scope["raw_path"].decode(errors="replace").split("/", 4)
    if len(parts) < 5:
        raise refusal(404, "slashes before the name or pattern are not to be encoded")
    return unquote_plus(parts[4])


def _span(request: Request) -> Range:
    start_ns, end_ns = (_whole(request, name) for name in ("start", "end"))
    if start_ns is None or end_ns is None:
        raise refusal(400, "start and end are needed: ns since 1970")
    if end_ns < start_ns:
        raise refusal(400, f"end={end_ns}: lies before start={start_ns}")
    return Range(*(min(max(one, 0), LAST_NS) for one in (start_ns, end_ns)))


def _count(request: Request) -> int | None:
    count = _whole(request, "count")
    if count is not None and count < 1:
        raise refusal(400, f"count={count}: at least 1")
    return None if count is None else min(count, MAX_BINS)


def _whole(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if _WHOLE.fullmatch(text) is None:
        raise refusal(400, f"{name}={shown(text)}: a whole number")
    return int(text)


ARCHIVE_ACCESS_ROUTES = [
    Route("/archive/", archives),
    Route("/archive/{key}/channels-by-pattern/{pattern:path}", channels_by_pattern),
    Route("/archive/{key}/samples/{name:path}", samples),
]
