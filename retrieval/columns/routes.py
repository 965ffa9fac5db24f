"""`/api/samples`, `/api/bins`, `/api/alarms`, `/api/events`: columns of one channel, in the lines of the query socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from archioc.db.bins import MAX_BINS
from archioc.db.query_socket import query_messages as wire
from archioc.retrieval.app_state import archive_of, queries_of
from archioc.retrieval.appliance.request import channel_of
from archioc.retrieval.appliance.source import Range, Source
from archioc.retrieval.parameters import name_of, span_of, whole_of
from archioc.retrieval.query_pool.budget import Budget
from archioc.retrieval.query_pool.queries import Pieces

MEDIA_TYPE = "application/octet-stream"

BINS = 1000
"""Bins where no number is given."""

Lines = Callable[[Source], Iterator[dict[str, Any]]]


async def get_samples(request: Request) -> Response:
    """The last sample at or before `from`, then all up to `to`."""
    span = span_of(request.query_params)
    return await _answer(request, span, lambda source: ({"samples": wire.pack_columns(part)} for part in source.samples(span)))


async def get_bins(request: Request) -> Response:
    """Statistics of `from` <= time < `to` in `bins` bins of equal width, empty ones too."""
    span, count = span_of(request.query_params, empty=False), whole_of(request.query_params, "bins", BINS, MAX_BINS)
    return await _answer(
        request, span, lambda source: iter([{"bins": wire.pack_bins(source.bins(span.start_ns, span.end_ns, count, times=True))}])
    )


async def get_alarms(request: Request) -> Response:
    """The alarm state in force at `from`, then each that was written up to `to`."""
    span = span_of(request.query_params)
    return await _answer(request, span, lambda source: ({"alarms": wire.pack_alarms(part)} for part in source.alarms(span)))


async def get_events(request: Request) -> Response:
    """Metadata and events alone."""
    return await _answer(request, span_of(request.query_params), lambda _: iter(()))


async def _answer(request: Request, span: Range, make: Lines) -> Response:
    """Metadata and events of the range in one line, then what is asked for, then the end mark."""
    archive, name = archive_of(request), name_of(request.query_params)

    def lines(budget: Budget) -> Pieces:
        channel = channel_of(name, archive.catalogue)
        source = Source(archive.reader, channel, budget)
        meta = source.meta(span.end_ns)
        told = {"channel": channel, "meta": None if meta is None else wire.pack_meta(meta), "events": source.events(span)}
        found = make(source)
        # The first of them is looked for at once: what fails then is still answered with a status.
        first = next(found, None)
        yield wire.encode(told) + (b"" if first is None else wire.encode(first))
        for line in found:
            yield wire.encode(line)
        yield wire.encode({"done": True})

    return await queries_of(request).stream(lines, MEDIA_TYPE, {"Cache-Control": "no-store"})


COLUMN_ROUTES = [
    Route("/api/samples", get_samples),
    Route("/api/bins", get_bins),
    Route("/api/alarms", get_alarms),
    Route("/api/events", get_events),
]
