"""`/api/...`: what the page asks; JSON in, JSON out."""

from __future__ import annotations

import time
from dataclasses import asdict

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from archioc.core.events import GAPS, ChannelEvent
from archioc.core.spool.batch import ChannelMeta
from archioc.retrieval.app_state import archive_of, queries_of
from archioc.retrieval.appliance.request import channel_of
from archioc.retrieval.appliance.source import Source
from archioc.retrieval.faults import refusal
from archioc.retrieval.page.drawing import Line, Told, draw
from archioc.retrieval.page.finding import find_names
from archioc.retrieval.page.states import NS_PER_MS, lines_of
from archioc.retrieval.parameters import name_of, span_of, whole_of
from archioc.retrieval.query_pool.budget import Budget

ROWS = 50
"""Channels of one list where no limit is given."""

MAX_ROWS = 200

BINS = 600
"""Bins where no number is given."""

MAX_BINS = 4000

NO_STORE = {"Cache-Control": "no-store"}


async def get_channels(request: Request) -> Response:
    """The state of the channels `pv`, or of the first ones that `search` finds."""
    names, archive = request.query_params.getlist("pv"), archive_of(request)
    search, limit = request.query_params.get("search", ""), whole_of(request.query_params, "limit", ROWS, MAX_ROWS)
    if len(names) > MAX_ROWS:
        raise refusal(400, f"pv: {len(names)} channels, at most {MAX_ROWS}")

    def find(budget: Budget) -> bytes:
        found = [channel_of(name, archive.catalogue) for name in names] or find_names(budget.watch(archive.catalogue.names().all), search)
        now_ns = time.time_ns()
        shown = found if names else found[:limit]
        lines = [asdict(line) for line in lines_of(archive, shown, now_ns, budget)]
        return orjson.dumps({"now_ms": now_ns / NS_PER_MS, "found": len(found), "channels": lines})

    return _json(await queries_of(request).run(find))


async def get_plot(request: Request) -> Response:
    """What is drawn of the channel `pv` from `from` to `to`: at most `bins` samples, or so many bins."""
    name, archive = name_of(request.query_params), archive_of(request)
    bins, span = whole_of(request.query_params, "bins", BINS, MAX_BINS), span_of(request.query_params, empty=False)

    def make(budget: Budget) -> bytes:
        channel = channel_of(name, archive.catalogue)
        source = Source(archive.reader, channel, budget)
        line, told = draw(source, archive.reader, span, bins)
        return orjson.dumps(
            {"channel": channel, "now_ms": time.time_ns() / NS_PER_MS}
            | {"from_ms": span.start_ns / NS_PER_MS, "to_ms": span.end_ns / NS_PER_MS}
            | _described(source.meta(span.end_ns))
            | _of_line(line)
            | _of_events(told),
            option=orjson.OPT_SERIALIZE_NUMPY,
        )

    return _json(await queries_of(request).run(make))


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers=NO_STORE)


def _described(meta: ChannelMeta | None) -> dict[str, object]:
    return {"units": "" if meta is None else meta.units, "labels": [] if meta is None else [*meta.labels]}


def _of_line(line: Line) -> dict[str, object]:
    return {
        "binned": line.binned,
        "time_ms": line.time / NS_PER_MS,
        "mean": line.mean,
        "min": line.min,
        "max": line.max,
        "severity": line.severity,
        "text": line.text,
    }


def _of_events(told: Told) -> dict[str, object]:
    return {"events": [_event(event) for event in told.events], "events_left_out": told.left_out}


def _event(event: ChannelEvent) -> dict[str, object]:
    return {
        "reason": event.reason.word,
        "gap": event.reason in GAPS,
        "from_ms": event.time_ns / NS_PER_MS,
        "to_ms": None if event.end_ns is None else event.end_ns / NS_PER_MS,
        "count": event.count,
        "text": ": ".join(filter(None, (event.archiver, event.text))),
    }


API_ROUTES = [Route("/api/channels", get_channels), Route("/api/plot", get_plot)]
