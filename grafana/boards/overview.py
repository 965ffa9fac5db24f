from __future__ import annotations

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard

from archioc.grafana import board
from archioc.grafana.health import grown, newest, newest_of_all, over_time
from archioc.grafana.palette import CLOCK, RED, STORE_STATES, YELLOW, limits, low_limits, words
from archioc.grafana.panels import as_words, big_number, graph, in_unit, rows


def overview() -> Dashboard:
    """Is the archiver well?"""
    return board.make(
        "archioc-overview",
        "ArchIOC: overview",
        "Is the archiver well? All numbers come from its own health, written every 10 s.",
        [*_samples(), *_processes(), *_graphs(), _archivers()],
        [board.archiver_choice()],
    )


def _samples() -> list[stat.Panel]:
    lost = limits((1, RED))
    return [
        big_number("Channels", "Channels that are to be archived", newest('last("channels")')),
        big_number(
            "Disconnected",
            "Part of the channels that is not connected",
            newest('last("disconnected") / last("channels") * 100'),
            "percent",
            thresholds=limits((5, YELLOW), (10, RED)),
        ),
        big_number("Samples", "Samples collected a second", newest('last("sample_rate")'), "cps"),
        big_number("Store", "How the store answers", newest('last("store_state")'), mapping=words(STORE_STATES)),
        big_number("Dropped", "Samples lost within the range, whatever the reason", grown("dropped"), thresholds=lost),
        big_number("Rejected", "Samples that the store refused for good within the range", grown("rejected"), thresholds=lost),
    ]


def _processes() -> list[stat.Panel]:
    return [
        big_number(
            "Oldest batch",
            "How long the oldest batch has waited for the store",
            newest('last("spool_age")'),
            "s",
            thresholds=limits((60, YELLOW), (300, RED)),
        ),
        big_number("Disk free", "Of the disk of the spool", newest('last("disk_free_pct")'), "percent", thresholds=low_limits(5, 10)),
        big_number("Clock", "The archiver's own clock against those of the IOCs", newest('last("clock_suspect")'), mapping=words(CLOCK)),
        big_number("Restarts", "Of the collecting process since the archiver started", newest('last("engine_restarts")')),
        big_number("Writer", "Time since the last sign of life", newest('last("db_age")'), "s", thresholds=limits((5, RED))),
        big_number("Control", "Time since the last sign of life", newest('last("ioc_age")'), "s", thresholds=limits((5, RED))),
    ]


def _graphs() -> list[timeseries.Panel]:
    return [
        graph(
            "Rates",
            "Updates received, samples collected, samples stored",
            [over_time("event_rate", "sample_rate", "write_rate")],
            "cps",
        ),
        graph("Connections", "Channels connected and not connected", [over_time("connected", "disconnected", how="last")]),
        graph(
            "Waiting for the store",
            "Age of the oldest batch, and time from commit to acknowledgement",
            [over_time("spool_age", "write_lag", how="max")],
            "s",
        ),
    ]


def _archivers() -> table.Panel:
    return rows(
        "Archivers",
        "The newest numbers of each archiver that writes to this store",
        newest_of_all("channels", "connected", "enabled", "sample_rate", "store_state", "spool_bytes", "disk_free_pct", "dropped"),
        columns={
            "store_state": as_words(words(STORE_STATES)),
            "sample_rate": in_unit("cps"),
            "spool_bytes": in_unit("bytes"),
            "disk_free_pct": in_unit("percent"),
        },
        size=(12, 8),
    )
