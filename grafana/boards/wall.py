from __future__ import annotations

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models.dashboard import Dashboard

from archioc.grafana import board
from archioc.grafana.health import EVERY_ARCHIVER, grown, newest, over_time
from archioc.grafana.palette import RED, STORE_STATES, YELLOW, limits, low_limits, words
from archioc.grafana.panels import big_number, graph

_WIDE = (6, 7)


def wall() -> Dashboard:
    """For a screen on the wall: nothing to choose, health only, so that it costs the same with any number of channels."""
    return board.make(
        "archioc-wall",
        "ArchIOC: wall",
        "For a screen on the wall. Health of all archivers of this store; open it with ?kiosk.",
        [
            *_numbers(),
            graph("Samples over time", "Samples collected a second", [over_time("sample_rate", where=EVERY_ARCHIVER)], "cps", size=(24, 9)),
        ],
        since="now-3h",
        refresh="10s",
    )


def _numbers() -> list[stat.Panel]:
    return [
        big_number("Channels", "Channels that are to be archived", newest('last("channels")', EVERY_ARCHIVER), size=_WIDE),
        big_number(
            "Disconnected",
            "Channels that are not connected",
            newest('last("disconnected")', EVERY_ARCHIVER),
            thresholds=limits((1, YELLOW), (100, RED)),
            size=_WIDE,
        ),
        big_number("Samples", "Samples collected a second", newest('last("sample_rate")', EVERY_ARCHIVER), "cps", size=_WIDE),
        big_number(
            "Store", "How the store answers", newest('last("store_state")', EVERY_ARCHIVER), mapping=words(STORE_STATES), size=_WIDE
        ),
        big_number("Dropped", "Samples lost within the range", grown("dropped", EVERY_ARCHIVER), thresholds=limits((1, RED)), size=_WIDE),
        big_number(
            "Oldest batch",
            "How long it has waited for the store",
            newest('last("spool_age")', EVERY_ARCHIVER),
            "s",
            thresholds=limits((60, YELLOW), (300, RED)),
            size=_WIDE,
        ),
        big_number(
            "Disk free",
            "Of the disk of the spool",
            newest('last("disk_free_pct")', EVERY_ARCHIVER),
            "percent",
            thresholds=low_limits(5, 10),
            size=_WIDE,
        ),
        big_number(
            "Rejected",
            "Samples refused for good within the range",
            grown("rejected", EVERY_ARCHIVER),
            thresholds=limits((1, RED)),
            size=_WIDE,
        ),
    ]
