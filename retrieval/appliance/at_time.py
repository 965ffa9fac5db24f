"""`getDataAtTime`: the values of many channels at one moment."""

from __future__ import annotations

import re
import time

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from archioc.core.timestamp import SECOND
from archioc.retrieval.app_state import archive_of, queries_of
from archioc.retrieval.appliance.data import MAX_CHANNELS
from archioc.retrieval.appliance.json_format import json_values
from archioc.retrieval.appliance.name_lists import NameList, name_list_of
from archioc.retrieval.appliance.request import LAST_NS, find_channel, time_of
from archioc.retrieval.appliance.runs import Run
from archioc.retrieval.appliance.source import Range, Source
from archioc.retrieval.faults import refusal, shown
from archioc.retrieval.query_pool.budget import Budget

_PERIOD = re.compile(r"P(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?")
_DAYS = (365, 30, 7, 1)


async def get_data_at_time(request: Request) -> Response:
    """For each channel that has one, the sample in force at `at`, if it is not older than `searchPeriod` (left out: however old)."""
    asked = await name_list_of(request)
    text, period = request.query_params.get("at"), request.query_params.get("searchPeriod")
    at_ns = min(max(time_of(text, "at") if text else time.time_ns(), 0), LAST_NS)
    since_ns = at_ns - _period(period) if period else 0
    archive = archive_of(request)

    def find(budget: Budget) -> bytes:
        names = NameList((), asked.body, asked.media_type).names(MAX_CHANNELS)
        found: list[bytes] = []
        for name in budget.watch(dict.fromkeys(names)):
            channel = find_channel(name, archive.catalogue)
            if channel is None:
                continue
            run = next(Source(archive.reader, channel, budget).runs(Range(at_ns, at_ns)))
            if len(run) and since_ns <= int(run.time[0]) <= at_ns:
                found.append(orjson.dumps(name) + b":" + _sample(run))
        return b"{" + b",\n".join(found) + b"}\n"

    return Response(await queries_of(request).run(find), media_type="application/json")


def _sample(run: Run) -> bytes:
    seconds, nanos = divmod(int(run.time[0]), SECOND)
    meta = {"DBRType": f"DBR_{run.header.kind.name}", **run.header.headers}
    told = orjson.dumps(dict(run.fields.get(0, {})))
    numbers = (seconds, nanos, json_values(run)[0], int(run.severity[0]), int(run.status[0]), orjson.dumps(meta), told)
    return b'{"secs":%d,"nanos":%d,"val":%b,"severity":%d,"status":%d,"meta":%b,"fields":%b}' % numbers


def _period(text: str) -> int:
    """A period of ISO 8601 in ns, with months of 30 and years of 365 days. Raises HTTPException (400)."""
    found = _PERIOD.fullmatch(text)
    if found is None or not any(found.groups()):
        raise refusal(400, f"searchPeriod={shown(text)}: years, months, weeks and days such as P1D")
    days = sum(int(number or 0) * length for number, length in zip(found.groups(), _DAYS, strict=True))
    return days * 86_400 * SECOND


AT_TIME_ROUTES = [Route("/retrieval/data/getDataAtTime", get_data_at_time, methods=["POST"])]
