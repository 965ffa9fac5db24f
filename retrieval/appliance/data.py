"""`/retrieval/data/getData...`: samples of one channel or of several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from archioc.retrieval.app_state import archive_of, queries_of
from archioc.retrieval.appliance.json_format import json_pieces, qw_pieces
from archioc.retrieval.appliance.name_lists import name_list_of
from archioc.retrieval.appliance.payload import PayloadType
from archioc.retrieval.appliance.raw_format import raw_pieces
from archioc.retrieval.appliance.request import PvQuery, flag, parse_query, ranges_of
from archioc.retrieval.appliance.runs import Header, Run
from archioc.retrieval.appliance.series import SECOND_NS, Series, years_of
from archioc.retrieval.appliance.source import Range, Source
from archioc.retrieval.appliance.text_format import csv_pieces, txt_pieces
from archioc.retrieval.faults import refusal, shown
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
    return await _answer(request, lambda: [name], tuple(FORMATS))


async def get_data_for_pvs(request: Request) -> Response:
    """Samples of several channels: `pv` several times or with commas, or a JSON list as the body of a POST."""
    asked = await name_list_of(request)

    def names() -> list[str]:
        found = asked.names(MAX_CHANNELS)
        if not found:
            raise refusal(400, "pv is needed")
        return found

    return await _answer(request, names, OF_SEVERAL)


async def _answer(request: Request, names_of: Callable[[], Sequence[str]], allowed: Sequence[str]) -> Response:
    """names_of: reads the names, which may take long, so it is called in a thread."""
    extension = request.path_params["extension"]
    if extension not in allowed:
        raise refusal(400, f"{shown(extension)}: one of {', '.join(allowed)}")
    form, media_type = FORMATS[extension]
    archive, latest = archive_of(request), flag(request.query_params, "fetchLatestMetadata")
    post_processor = request.query_params.get("pp")

    def pieces(budget: Budget) -> Pieces:
        ranges, names = ranges_of(request.query_params), names_of()

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
