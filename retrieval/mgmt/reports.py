"""The reports of the Archiver Appliance, each over all archived channels; all values are texts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from archioc.core.dbr import Dbr
from archioc.core.events import Reason
from archioc.core.table.table import ChannelState
from archioc.core.timestamp import SECOND
from archioc.retrieval.app_state import archive_of
from archioc.retrieval.appliance.payload import WAVEFORMS
from archioc.retrieval.appliance.source import java_double
from archioc.retrieval.archive import Archive
from archioc.retrieval.json_answers import answer_json
from archioc.retrieval.matching import matching_regex
from archioc.retrieval.mgmt.about import IDENTITY
from archioc.retrieval.mgmt.asking import limit_of
from archioc.retrieval.mgmt.rows import NEVER, ChannelRow, rows_of, time_text
from archioc.retrieval.query_pool.budget import Budget

Told = dict[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """Which channels are in it, in which order, and what is told of each beside its name."""

    wanted: Callable[[ChannelRow], bool]
    order: Callable[[ChannelRow], float]
    tell: Callable[[ChannelRow], Told]

    def of(self, archive: Archive) -> list[Told]:
        """All rows of the report."""
        rows = rows_of(archive, sorted(archive.catalogue.names().archived)).values()
        return [{"pvName": row.name, "instance": IDENTITY, **self.tell(row)} for row in sorted(filter(self.wanted, rows), key=self.order)]


def _any(_row: ChannelRow) -> bool:
    return True


def _by_name(_row: ChannelRow) -> float:
    return 0.0


def _disconnected(row: ChannelRow) -> Told:
    since_ns = int(row.ledger["gap_start"]) if int(row.ledger["gap"]) == Reason.DISCONNECTED else 0
    return {
        "hostName": row.host,
        "lastKnownEvent": time_text(int(row.status["time"])),
        "connectionLostAt": time_text(since_ns),
        "noConnectionAsOfEpochSecs": str(since_ns // SECOND),
        "commandThreadID": "0",
    }


def _storage_rate(row: ChannelRow) -> Told:
    rate = float(row.status["sample_rate"]) * row.bytes_per_sample
    scales = {"KBperHour": 3600 / 1e3, "MBperDay": 86_400 / 1e6, "GBperYear": 365 * 86_400 / 1e9}
    return {f"storageRate_{unit}": java_double(rate * scale) for unit, scale in scales.items()}


def _waveform(row: ChannelRow) -> Told:
    return {
        "samplingmethod": row.method,
        "samplingperiod": java_double(row.period_s),
        "elementCount": str(int(row.status["count"])),
        "dbrtype": f"DBR_{WAVEFORMS[Dbr(int(row.status['dbr']))].name}",
    }


def _losses(row: ChannelRow) -> Told:
    return {"eventsDropped": str(row.dropped), "totalEvents": str(int(row.ledger["committed"]))}


def _lost_connections(row: ChannelRow) -> Told:
    return {"currentlyConnected": "Yes" if row.connected else "No", "lostConnections": str(int(row.status["disconnects"]))}


REPORTS = {
    "getNeverConnectedPVs": Report(
        lambda row: row.never_connected and not row.paused,
        _by_name,
        lambda _: {"requestTime": NEVER, "startOfWorkflow": NEVER, "currentState": "METAINFO_REQUESTED", "appliance": IDENTITY},
    ),
    "getCurrentlyDisconnectedPVs": Report(
        lambda row: row.state is ChannelState.DISCONNECTED and not row.never_connected, _by_name, _disconnected
    ),
    "getPausedPVsReport": Report(lambda row: row.paused, _by_name, lambda _: {"modificationTime": NEVER}),
    "getEventRateReport": Report(
        _any, lambda row: -float(row.status["event_rate"]), lambda row: {"eventRate": java_double(float(row.status["event_rate"]))}
    ),
    "getStorageRateReport": Report(_any, lambda row: -float(row.status["sample_rate"]) * row.bytes_per_sample, _storage_rate),
    "getLostConnectionsReport": Report(_any, lambda row: -float(row.status["disconnects"]), _lost_connections),
    "getSilentPVsReport": Report(
        _any, lambda row: float(row.status["time"]), lambda row: {"lastKnownEvent": time_text(int(row.status["time"]))}
    ),
    "getPVsByDroppedEventsBuffer": Report(lambda row: row.dropped > 0, lambda row: -row.dropped, _losses),
    "getPVsByDroppedEventsTimestamp": Report(lambda _: False, _by_name, _losses),
    "getPVsByDroppedEventsTypeChange": Report(lambda _: False, _by_name, _losses),
    "getSlowChangingPVsWithDroppedEvents": Report(
        lambda row: row.dropped > int(row.ledger["committed"]), lambda row: -row.dropped, _losses
    ),
    "getArchivedWaveforms": Report(lambda row: row.is_array, lambda row: -int(row.status["count"]), _waveform),
}
"""By the name of the call. Nothing is dropped here for its time stamp or a changed type, so these two are empty."""


def _endpoint(report: Report) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        archive, limit = archive_of(request), limit_of(request, -1)
        return await answer_json(request, lambda _: report.of(archive)[:limit])

    return answer


async def get_time_span_report(request: Request) -> Response:
    """By name, of the channels that match `regex` if it is given: since when it is archived, and its newest value (seconds since 1970)."""
    archive, regex = archive_of(request), request.query_params.get("regex")

    def find(_: Budget) -> dict[str, Told]:
        archived = archive.catalogue.names().archived
        names = sorted(archived)
        rows = rows_of(archive, matching_regex(names, regex) if regex else names)
        return {name: _time_span(row, archived[name].added_ns) for name, row in rows.items()}

    return await answer_json(request, find)


def _time_span(row: ChannelRow, added_ns: int) -> Told:
    return {
        "pvName": row.name,
        "creationTS": str(added_ns // SECOND),
        "lastEvent": str(int(row.status["time"]) // SECOND),
        "paused": "true" if row.paused else "false",
    }


async def get_appliance_metrics(request: Request) -> Response:
    """How many channels the one appliance has."""
    archive = archive_of(request)

    def find(_: Budget) -> list[Told]:
        return [{"instance": IDENTITY, "pvCount": str(len(archive.catalogue.names().archived)), "status": "Working"}]

    return await answer_json(request, find)


REPORT_ROUTES = [
    *(Route(f"/mgmt/bpl/{name}", _endpoint(report)) for name, report in REPORTS.items()),
    Route("/mgmt/bpl/getTimeSpanReport", get_time_span_report),
    Route("/mgmt/bpl/getApplianceMetrics", get_appliance_metrics),
]
