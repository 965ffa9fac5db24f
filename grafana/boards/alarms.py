from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Dashboard

from archioc.grafana import board
from archioc.grafana.influxql import KNOWN_STATE, MATCHING, InfluxQuery
from archioc.grafana.palette import SEVERITIES, limits, words
from archioc.grafana.panels import as_words, big_number, channel_link, graph, rows

_NAMED = '"pv" =~ /(?i)${search:regex}/'
_STATES = f'SELECT last("severity") AS "severity", "status_text" FROM "alarm" WHERE {_NAMED} AND {KNOWN_STATE} GROUP BY "pv"'
_CHANGES = f'SELECT difference("severity") AS "step" FROM "alarm" WHERE {MATCHING} GROUP BY "pv"'
"""The state is written again every hour, which is no change."""


def alarms() -> Dashboard:
    """What is in alarm, what was, and what never ceases to be."""
    now = InfluxQuery(f'SELECT "severity", "status_text" FROM ({_STATES}) WHERE "severity" > 0 GROUP BY "pv" LIMIT 200')
    transitions = InfluxQuery(
        f'SELECT "pv", "severity", "status_text" FROM "alarm" WHERE {MATCHING} AND "severity" > 0 ORDER BY time DESC LIMIT 200'
    )
    talkers = InfluxQuery(
        'SELECT top("changes", "pv", 20) AS "changes" FROM'
        f' (SELECT count("step") AS "changes" FROM ({_CHANGES}) WHERE "step" != 0 GROUP BY "pv")'
    )
    raised = InfluxQuery(f'SELECT count("step") FROM ({_CHANGES}) WHERE "step" > 0 GROUP BY time($__interval) fill(0)', "raised")
    severity = {"pv": channel_link(), "severity": as_words(words(SEVERITIES))}
    return board.make(
        "archioc-alarms",
        "ArchIOC: alarm history",
        "Alarms of the archived channels, as their IOCs told them.",
        [
            *[
                big_number(
                    f"{word} at the end of the range",
                    f"Channels with severity {word}",
                    InfluxQuery(f'SELECT count("severity") FROM ({_STATES}) WHERE "severity" = {number}', word),
                    thresholds=limits((1, color)),
                    size=(6, 4),
                    no_value="0",
                )
                for number, (word, color) in enumerate(SEVERITIES)
            ],
            rows("In alarm at the end of the range", "Up to 200 channels; the time is that of the state", now, columns=severity),
            rows("Alarm states", "The newest 200 states above NO_ALARM within the range", transitions, columns=severity),
            graph("Alarms raised", "How often a severity rose, last 24 h of the range at most", [raised], size=(12, 8)).time_from("24h"),
            rows(
                "Most changes",
                "Channels whose severity changed most often, last 24 h",
                talkers,
                columns={"pv": channel_link()},
                size=(12, 8),
            ).time_from("24h"),
        ],
        [board.search_box()],
        since="now-24h",
        refresh="1m",
    )
