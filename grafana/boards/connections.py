from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from archioc.grafana import board
from archioc.grafana.health import growth, over_time
from archioc.grafana.influxql import InfluxQuery
from archioc.grafana.panels import channel_link, graph, in_unit, rows

_EVENT_COLUMNS = 'SELECT "pv", "archiver", "reason", "text", "end_ns" / 1000000 AS "end" FROM "event" WHERE $timeFilter AND "code"'


def connections() -> Dashboard:
    """What comes in, and from whom nothing comes."""
    gone = InfluxQuery(f"{_EVENT_COLUMNS} = '1' ORDER BY time DESC LIMIT 200")
    changed = InfluxQuery(f"{_EVENT_COLUMNS} =~ /^(7|8|9|10|14)$/ ORDER BY time DESC LIMIT 200")
    lost = InfluxQuery(
        'SELECT sum("count") FROM "event" WHERE $timeFilter AND "code" =~ /^(5|6|11)$/ GROUP BY time($__interval), "code" fill(none)',
        "code $tag_code",
    )
    columns = {"pv": channel_link(), "end": in_unit("dateTimeAsIso")}
    return board.make(
        "archioc-connections",
        "ArchIOC: connections and ingest",
        "What comes in, how fast it is taken, and which channels are away.",
        [
            graph("Channels", "Connected, not connected, enabled", [over_time("connected", "disconnected", "enabled", how="last")]),
            graph("Updates", "Received and collected a second", [over_time("event_rate", "sample_rate")], "cps"),
            graph("Event ring", "Fullest that it was; at 100 % updates are lost", [over_time("ring_fill_pct", how="max")], "percent"),
            graph("Delay of the collector", "Longest time between two looks into the ring", [over_time("loop_lag", how="max")], "s"),
            graph("Unusable and late stamps", "Updates in each bin", [growth("bad_time", "late")]),
            graph("Filtered and generated", "Updates and samples in each bin", [growth("filtered", "generated")]),
            graph("Losses by reason", "Samples dropped in each bin", [growth("dropped_overflow", "dropped_spool_full", "dropped_quota")]),
            graph("Losses told by events", "Code 5: the ring was full, 6: the spool was, 11: beyond the quota", [lost]),
            rows("Disconnections", "The newest 200; without an end the channel is still away", gone, columns=columns),
            rows("Refusals and changes", "Refused values, unusable stamps, other types, settings, removals", changed, columns=columns),
        ],
        [board.archiver_choice()],
    )
