from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from archioc.grafana import board
from archioc.grafana.health import growth, newest, over_time
from archioc.grafana.influxql import InfluxQuery
from archioc.grafana.palette import STORE_STATES, low_limits, words
from archioc.grafana.panels import big_number, channel_link, graph, rows

DISK_IN_A_WEEK = 'last("disk_free_pct") - 28 * (first("disk_free_pct") - last("disk_free_pct"))'
"""What would be free in 7 days at the pace of the last 6 hours, in percent; below 0 the disk is full by then."""


def storage() -> Dashboard:
    """How samples get to the store, and how much room there is."""
    busiest = InfluxQuery(
        'SELECT top("samples", "pv", 20) AS "samples" FROM'
        ' (SELECT count("value") AS "samples" FROM "sample" WHERE $timeFilter GROUP BY "pv")'
    )
    return board.make(
        "archioc-storage",
        "ArchIOC: storage",
        "How samples get to the store, how much waits, how much room there is.",
        [
            big_number("Store", "How the store answers", newest('last("store_state")'), mapping=words(STORE_STATES), size=(6, 4)),
            big_number("Waiting", "Bytes in the spool", newest('last("spool_bytes")'), "bytes", size=(6, 4)),
            big_number(
                "Disk free",
                "Of the disk of the spool",
                newest('last("disk_free_pct")'),
                "percent",
                thresholds=low_limits(5, 10),
                size=(6, 4),
            ),
            big_number(
                "Disk free in a week",
                "At the pace of the last 6 hours; below 0: full by then",
                newest(DISK_IN_A_WEEK),
                "percent",
                thresholds=low_limits(0, 10),
                size=(6, 4),
            ).time_from("6h"),
            graph("Stored", "Samples a second", [over_time("write_rate")], "cps"),
            graph(
                "Writes",
                "How long the last write took, and commit to acknowledgement",
                [over_time("write_time", "write_lag", how="max")],
                "s",
            ),
            graph("Spool", "Bytes that wait", [over_time("spool_bytes", how="max")], "bytes"),
            graph("Oldest batch", "How long it has waited", [over_time("spool_age", how="max")], "s"),
            graph("Repeated and refused", "Writes repeated and samples refused for good, in each bin", [growth("retries", "rejected")]),
            graph("Disk", "Free part of the disk of the spool", [over_time("disk_free_pct", how="min")], "percent"),
            rows("Most samples", "Channels with most samples, last 15 min", busiest, columns={"pv": channel_link()}).time_from("15m"),
            graph("Kept for later", "Values that wait, and samples in the spool", [over_time("pending", how="last")], size=(12, 9)),
        ],
        [board.archiver_choice()],
    )
