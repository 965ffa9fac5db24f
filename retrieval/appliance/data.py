"""`/retrieval/data/getData...`: samples of one channel or of several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from urllib.parse import parse_qs

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from archioc.retrieval.app_state import archive_of, queries_of
from archioc.retrieval.appliance.json_format import json_pieces, qw_pieces
from archioc.retrieval.appliance.payload import PayloadType
from archioc.retrieval.appliance.raw_format import raw_pieces
from archioc.retrieval.appliance.request import PvQuery, flag, names_in, parse_query, ranges_of
from archioc.retrieval.appliance.runs import Header, Run
from archioc.retrieval.appliance.series import SECOND_NS, Series, years_of
from archioc.retrieval.appliance.source import Range, Source
from archioc.retrieval.appliance.text_format import csv_pieces, txt_pieces
from archioc.retrieval.bodies import body_of
from archioc.retrieval.faults import refusal
from archioc.retrieval.query_pool.budget import Budget
from archioc.retrieval.query_pool.queries import Pieces

MAX_CHANNELS = 1000
"""Channels of one request."""

PING = "ArchApplPingPV"
"""A channel that every server has: ten numbers from 0.0 to 0.9, by which old clients try a connection."""

Format = Callable[[Iterable[Series]], Iterator[bytes]]

FORMATS: dict[str, tuple[Format, str]] = {
    "raw": (raw_pieces, "application/x-protobuf"),
    "json": (json_pieces, "application/json"),
    "qw": (qw_pieces, "application/json"),
    "csv": (csv_pieces, "text/csv"),
    "txt": (txt_pieces, "text/plain"),
}
OF_SEVERAL = ("raw", "json", "qw")


async def get_data(request: Request) -> Response:
    """Samples of one channel."""
    name = request.query_params.get("pv")
    if not name:
        raise refusal(400, "pv is needed")
    return await _answer(request, [name], tuple(FORMATS))


async def get_data_for_pvs(request: Request) -> Response:
    """Samples of several channels: `pv` several times or with commas, or a JSON list as the body of a POST."""
    names = names_in(request.query_params.getlist("pv"))
    if request.method == "POST":
        names += await names_of_body(request)
    if not names:
        raise refusal(400, "pv is needed")
    if len(names) > MAX_CHANNELS:
        raise refusal(400, f"{len(names)} channels: at most {MAX_CHANNELS} at a time")
    return await _answer(request, names, OF_SEVERAL)


async def names_of_body(request: Request) -> list[str]:
    """Names in a body: a JSON list, a form with `pv`, or lines. Raises HTTPException (400)."""
    body = await body_of(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind == "application/json":
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise refusal(400, f"the body is no JSON: {error}") from None
        if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
            raise refusal(400, "the body is a JSON list of names")
        return found
    if kind == "application/x-www-form-urlencoded":
        return names_in(parse_qs(body.decode(errors="replace")).get("pv", []))
    return names_in([body.decode(errors="replace")])


async def _answer(request: Request, names: Sequence[str], allowed: Sequence[str]) -> Response:
    extension = request.path_params["extension"]
    if extension not in allowed:
        raise refusal(400, f"{extension}: one of {', '.join(allowed)}")
    form, media_type = FORMATS[extension]
    ranges = ranges_of(request.query_params)
    archive, latest = archive_of(request), flag(request.query_params, "fetchLatestMetadata")
    post_processor = request.query_params.get("pp")

    def pieces(budget: Budget) -> Pieces:
        def series_of(wanted: PvQuery) -> Series:
            source = Source(archive.reader, wanted.channel, budget, latest=latest)
            return _series(wanted, source, ranges)

        wanted = [parse_query(name, post_processor, archive.catalogue) for name in names if name != PING]
        series = chain((_ping(ranges[0]) for name in names if name == PING), map(series_of, wanted))
        yield from form(series)

    return await queries_of(request).stream(pieces, media_type)


def _series(wanted: PvQuery, source: Source, ranges: Sequence[Range]) -> Series:
    """The samples, of which the first are looked for at once: what fails then is still answered with a status."""
    runs = chain.from_iterable(wanted.operate(source, span) for span in ranges)
    first = next(runs)
    return Series(wanted.asked, int(years_of(np.array([ranges[0].start_ns]))[0]), chain([first], runs))


def _ping(span: Range) -> Series:
    time = span.end_ns - np.arange(9, -1, -1) * SECOND_NS
    none = np.zeros(10, np.uint8)
    run = Run(Header(PING, PayloadType.SCALAR_DOUBLE), time, np.arange(10) / 10, none, none)
    return Series(PING, int(years_of(time)[0]), iter([run]))


DATA_ROUTES = [
    Route("/retrieval/data/getData.{extension}", get_data),
    Route("/retrieval/data/getDataForPVs.{extension}", get_data_for_pvs, methods=["GET", "POST"]),
]
