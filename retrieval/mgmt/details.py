"""What is known of one channel: `getPVTypeInfo`, `getPVDetails`, `getStoresForPV`."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from archioc.core.spool.batch import ChannelMeta
from archioc.retrieval.app_state import archive_of
from archioc.retrieval.appliance.request import channel_of
from archioc.retrieval.appliance.runs import element_type
from archioc.retrieval.appliance.source import java_double
from archioc.retrieval.faults import refusal, shown
from archioc.retrieval.json_answers import answer_json
from archioc.retrieval.mgmt.about import IDENTITY
from archioc.retrieval.mgmt.asking import name_asked
from archioc.retrieval.mgmt.rows import ChannelRow, rows_of, time_text
from archioc.retrieval.query_pool.budget import Budget

_LIMITS = {"Display": "display", "Ctrl": "control", "Alarm": "alarm", "Warning": "warning"}

Described = Callable[[ChannelRow, ChannelMeta | None], object]


async def get_pv_type_info(request: Request) -> Response:
    """Type, metadata and settings, all as text. Raises HTTPException (404) for a channel that is not archived."""
    return await _describe(request, _type_info)


async def get_pv_details(request: Request) -> Response:
    """What the engine knows, under the labels that clients look up. Raises HTTPException (404) for a channel that is not archived."""
    return await _describe(request, _details)


async def get_stores_for_pv(request: Request) -> Response:
    """The one store that there is, by its kind. Raises HTTPException (404) for a channel that is not archived."""
    kind = "embedded" if archive_of(request).config.store.influxdb is None else "influxdb"
    return await _describe(request, lambda _row, _meta: {"store": kind})


async def _describe(request: Request, described: Described) -> Response:
    archive, name = archive_of(request), name_asked(request)

    def find(_: Budget) -> object:
        channel = channel_of(name, archive.catalogue)
        row = rows_of(archive, [channel]).get(channel)
        if row is None:
            raise refusal(404, f"{shown(name)}: is not being archived")
        return described(row, archive.reader.meta(channel, time.time_ns()))

    return await answer_json(request, find)


def _type_info(row: ChannelRow, meta: ChannelMeta | None) -> dict[str, object]:
    found: dict[str, object] = {
        "pvName": row.name,
        "applianceIdentity": IDENTITY,
        "hostName": row.host,
        "samplingMethod": row.method,
        "samplingPeriod": java_double(row.period_s),
        "paused": _word(row.paused),
        "usePVAccess": "false",
        "computedEventRate": java_double(float(row.status["event_rate"])),
        "computedStorageRate": java_double(float(row.status["sample_rate"]) * row.bytes_per_sample),
        "computedBytesPerEvent": str(row.bytes_per_sample),
        "hasReducedDataSet": "false",
        "dataStores": [],
        "archiveFields": [],
        "extraFields": {},
    }
    if meta is None:
        return found
    kind = element_type(meta.dbr, meta.count)
    found |= {"DBRType": f"DBR_{kind.name}", "scalar": _word(not kind.is_waveform), "elementCount": str(meta.count), "units": meta.units}
    if meta.precision is not None:
        found["precision"] = java_double(float(meta.precision))
    for word, limit in _LIMITS.items():
        for end, which in (("lower", "low"), ("upper", "high")):
            value = getattr(meta, f"{limit}_{which}")
            if value is not None:
                found[f"{end}{word}Limit"] = java_double(value)
    return found


def _details(row: ChannelRow, meta: ChannelMeta | None) -> list[dict[str, str]]:
    committed, lost = int(row.ledger["committed"]), "How many events lost because"
    mb_a_day = float(row.status["sample_rate"]) * row.bytes_per_sample * 86_400 / 1e6
    values = {
        "PV Name": row.name,
        "Instance archiving PV": IDENTITY,
        "Archiver DBR type (from typeinfo):": "" if meta is None else f"DBR_{element_type(meta.dbr, meta.count).name}",
        "Are we using PVAccess?": "No",
        "Is this PV paused:": _yes(row.paused),
        "Sampling method:": row.method,
        "Sampling period:": java_double(row.period_s),
        "Hostname of PV from CA": row.host,
        "Is this PV currently connected?": _yes(row.connected),
        "Estimated event rate (events/sec)": java_double(float(row.status["event_rate"])),
        "Estimated storage rate (MB/day)": java_double(mb_a_day),
        "How many events so far?": str(committed),
        "How many events lost totally so far?": str(row.dropped),
        f"{lost} the timestamp is in the far future or past so far?": "0",
        f"{lost} the sample buffer is full so far?": str(row.dropped),
        f"{lost} the DBR_Type of the PV has changed from what it used to be?": "0",
        "When did we receive the last event?": time_text(int(row.status["received_at"])),
        "How many times have we lost and regained the connection to this PV?": str(int(row.status["disconnects"])),
    }
    return [{"name": name, "value": value, "source": "pv"} for name, value in values.items()]


def _word(holds: bool) -> str:
    return "true" if holds else "false"


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


DETAIL_ROUTES = [
    Route("/mgmt/bpl/getPVTypeInfo", get_pv_type_info),
    Route("/mgmt/bpl/getPVDetails", get_pv_details),
    Route("/mgmt/bpl/getStoresForPV", get_stores_for_pv),
]
