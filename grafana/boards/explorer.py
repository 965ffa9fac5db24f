from __future__ import annotations

from grafana_foundation_sdk.builders import statetimeline, table, timeseries
from grafana_foundation_sdk.models.dashboard import Dashboard, DynamicConfigValue

from archioc.grafana import board
from archioc.grafana.influxql import KNOWN_STATE, OF_PV, InfluxAnnotation, InfluxQuery
from archioc.grafana.palette import BLUE, GREY, RED, SEVERITIES, YELLOW, words
from archioc.grafana.panels import as_words, channel_link, graph, in_unit, rows, strip

GAP_CODES = "^(1|2|3|4|12|15|16|17|19)$"
LOSS_CODES = "^(5|6|7|8|9|10|11|14|18)$"
"""Tag `code` of the measurement `event`: docs/reference/contract/events.md."""

_BINS = 'GROUP BY time($__interval), "pv" fill(none)'


def explorer() -> Dashboard:
    """Values of some channels, with their alarms and the reasons of their gaps."""
    return board.make(
        "archioc-explorer",
        "ArchIOC: channels",
        "Values of channels with their alarms; where there are none, the reason.",
        [
            _mean(),
            _severity(),
            _band(),
            _arrays(),
            *_newest(),
        ],
        [board.search_box(), board.channel_choice()],
        _annotations(),
        since="now-1h",
        refresh="",
    )


def _mean() -> timeseries.Panel:
    return graph(
        "Mean",
        "Mean of each bin; a channel that did not change has no point",
        [InfluxQuery(f'SELECT mean("value") FROM "sample" WHERE {OF_PV} {_BINS}', "$tag_pv")],
        interval="100ms",
        size=(24, 9),
    ).span_nulls(True)


def _severity() -> statetimeline.Panel:
    severity = InfluxQuery(f'SELECT last("severity") FROM "alarm" WHERE "pv" =~ /^${{pv:regex}}$/ AND {KNOWN_STATE} {_BINS}', "$tag_pv")
    return strip("Alarm", "Severity of each channel; known from an hour before the range on", severity, words(SEVERITIES))


def _band() -> timeseries.Panel:
    query = InfluxQuery(
        f'SELECT mean("value") AS "mean", min("value") AS "min", max("value") AS "max" FROM "sample" WHERE {OF_PV} {_BINS}', "$col"
    )
    panel = graph("$pv", "Mean of each bin within the band from the smallest to the largest value", [query], interval="100ms", size=(24, 8))
    panel.span_nulls(True).repeat("pv").repeat_direction("h").max_per_row(2)
    panel.override_by_name("mean", [_fixed(BLUE), DynamicConfigValue("custom.lineWidth", 2)])
    panel.override_by_name("min", [_fixed(BLUE), DynamicConfigValue("custom.lineWidth", 0)])
    band = [_fixed(BLUE), DynamicConfigValue("custom.lineWidth", 0), DynamicConfigValue("custom.fillOpacity", 25)]
    return panel.override_by_name("max", [*band, DynamicConfigValue("custom.fillBelowTo", "min")])


def _arrays() -> timeseries.Panel:
    return graph(
        "Arrays",
        "Mean, smallest and largest element of arrays, mean of each bin",
        [
            InfluxQuery(
                f'SELECT mean("mean") AS "mean", min("min") AS "min", max("max") AS "max" FROM "array" WHERE {OF_PV} {_BINS}',
                "$tag_pv $col",
            )
        ],
        interval="100ms",
        size=(24, 7),
    ).span_nulls(True)


def _newest() -> list[table.Panel]:
    samples = InfluxQuery(
        f'SELECT "pv", "value", "label", "text", "severity", "status", "flags" FROM "sample" WHERE {OF_PV} ORDER BY time DESC LIMIT 200'
    )
    events = InfluxQuery(
        f'SELECT "pv", "archiver", "reason", "text", "count", "end_ns" / 1000000 AS "end" FROM "event" '
        f"WHERE {OF_PV} AND \"code\" <> '13' ORDER BY time DESC LIMIT 200"
    )
    return [
        rows(
            "Samples",
            "The newest 200 samples within the range",
            samples,
            columns={"pv": channel_link(), "severity": as_words(words(SEVERITIES))},
        ),
        rows(
            "Events",
            "The newest 200 gaps and losses that began within the range, of each archiver; a gap without an end is open",
            events,
            columns={"pv": channel_link(), "end": in_unit("dateTimeAsIso")},
        ),
    ]


def _fixed(color: str) -> DynamicConfigValue:
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})


def _annotations() -> list[InfluxAnnotation]:
    told = f'FROM "event" WHERE {OF_PV} AND "code" =~'
    gaps = f'SELECT "reason", "text", "archiver", "end_ns" / 1000000 AS "end_ms" {told} /{GAP_CODES}/ LIMIT 500'
    starts = f'SELECT "reason", "text", "archiver" {told} /{GAP_CODES}/ LIMIT 500'
    losses = f'SELECT "reason", "text", "archiver" {told} /{LOSS_CODES}/ LIMIT 500'
    alarms = f'SELECT "status_text" FROM "alarm" WHERE {OF_PV} AND "severity" > 0 LIMIT 500'
    put = '"pv" =~ /:CH:${pv:regex}:[A-Za-z]+$/ AND "outcome" = \'done\''
    puts = f'SELECT "new", "user", "pv" FROM "audit" WHERE {put} AND $timeFilter LIMIT 500'
    return [
        InfluxAnnotation("Gaps", gaps, GREY, text="event.reason", end="event.end_ms", tags="event.text,event.archiver"),
        InfluxAnnotation("Gaps begin", starts, GREY, text="event.reason", tags="event.text,event.archiver"),
        InfluxAnnotation("Losses and changes", losses, RED, text="event.reason", tags="event.text,event.archiver"),
        InfluxAnnotation("Alarms", alarms, YELLOW, text="alarm.status_text", enable=False),
        InfluxAnnotation("Puts", puts, BLUE, text="audit.new", tags="audit.user,audit.pv"),
    ]
