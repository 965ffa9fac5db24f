"""Alert rules as Grafana provisions them: a query, a reduction to one number, a limit.

Dashboard variables do not hold in alert queries, so these look at all archivers, each of which is an alert of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archioc.grafana.boards.storage import DISK_IN_A_WEEK

FOLDER = "ArchIOC"
SOURCE_UID = "archioc"
HOUR_S = 3600


@dataclass(frozen=True)
class Query:
    """A query over the last `seconds`, and how its points become one number: `last`, `max`, `mean`, `median`, `sum`."""

    text: str
    seconds: int
    reducer: str


@dataclass(frozen=True)
class Rule:
    """An alert that fires when `condition` holds for `lasting`.

    condition: the evaluator of a threshold (`lt` or `gt`) and its limit, or an expression over the numbers of the queries,
    which are called $A1, $B1, ... lasting: in Grafana's words. board, panel: title of the panel to look at.
    """

    uid: str
    title: str
    queries: tuple[Query, ...]
    condition: tuple[str, float] | str
    lasting: str
    severity: str
    summary: str
    board: str
    panel: str
    no_data: str = "OK"


def _health(expression: str) -> str:
    return f'SELECT {expression} FROM "archiver" WHERE $timeFilter GROUP BY "archiver"'


def _grown(*counters: str) -> str:
    steps = ", ".join(f'non_negative_difference("{counter}") AS "{counter}"' for counter in counters)
    total = " + ".join(f'sum("{counter}")' for counter in counters)
    return f'SELECT {total} FROM (SELECT {steps} FROM "archiver" WHERE $timeFilter GROUP BY "archiver") GROUP BY "archiver"'


RULES = (
    Rule(
        "archioc-silent",
        "Archiver silent",
        (
            # The mean of two whole bins: one that has only just begun must not count as silence.
            Query(
                'SELECT moving_average(count("channels"), 2) FROM "archiver" WHERE $timeFilter GROUP BY time(1m), "archiver" fill(0)',
                HOUR_S,
                "last",
            ),
        ),
        ("lt", 0.5),
        "2m",
        "critical",
        "has not told of itself for minutes: it is down, or its store does not take samples",
        "archioc-overview",
        "Rates",
        no_data="Alerting",
    ),
    Rule(
        "archioc-rate-collapse",
        "Sample rate collapsed",
        (Query(_health('mean("sample_rate")'), 300, "last"), Query(_health('median("sample_rate")'), 6 * HOUR_S, "last")),
        "$A1 < 0.2 * $B1 && $B1 > 1",
        "5m",
        "warning",
        "collects less than a fifth of what it collected in the last 6 hours",
        "archioc-overview",
        "Rates",
    ),
    Rule(
        "archioc-disconnected",
        "Many channels disconnected",
        (Query(_health('last("disconnected") / last("channels") * 100'), 120, "last"),),
        ("gt", 10),
        "5m",
        "warning",
        "has more than 10 % of its channels disconnected",
        "archioc-overview",
        "Connections",
    ),
    Rule(
        "archioc-dropped",
        "Samples dropped",
        (Query(_grown("dropped"), 600, "last"),),
        ("gt", 0),
        "0s",
        "critical",
        "has lost samples; the panel tells the reason",
        "archioc-connections",
        "Losses by reason",
    ),
    Rule(
        "archioc-spool-age",
        "Store does not keep up",
        (Query(_health('last("spool_age")'), 300, "last"),),
        ("gt", 300),
        "2m",
        "warning",
        "has batches that have waited for more than 5 min",
        "archioc-storage",
        "Oldest batch",
    ),
    Rule(
        "archioc-store-errors",
        "Store refuses or fails",
        (Query(_grown("retries", "rejected"), 600, "last"),),
        ("gt", 0),
        "0s",
        "warning",
        "had writes that failed or samples that were refused for good",
        "archioc-storage",
        "Repeated and refused",
    ),
    Rule(
        "archioc-disk",
        "Disk full within a week",
        (Query(_health(DISK_IN_A_WEEK), 6 * HOUR_S, "last"),),
        ("lt", 0),
        "30m",
        "warning",
        "will have filled the disk of its spool within 7 days at the pace of the last 6 hours",
        "archioc-storage",
        "Disk",
    ),
    Rule(
        "archioc-clock",
        "Clock in doubt",
        (Query(_health('max("clock_suspect")'), 300, "last"),),
        ("gt", 0),
        "1m",
        "critical",
        "has a clock that disagrees with those of many IOCs",
        "archioc-overview",
        "Rates",
    ),
)


def provisioning(rules: tuple[Rule, ...], panel_ids: dict[tuple[str, str], int]) -> dict[str, Any]:
    """The file for Grafana. panel_ids: by uid of the dashboard and title of the panel."""
    group = {"orgId": 1, "name": "ArchIOC", "folder": FOLDER, "interval": "1m", "rules": [_rule(rule, panel_ids) for rule in rules]}
    return {"apiVersion": 1, "groups": [group]}


def _rule(rule: Rule, panel_ids: dict[tuple[str, str], int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    for letter, query in zip("AB", rule.queries, strict=False):
        steps += [_data(letter, query), _expression(f"{letter}1", {"type": "reduce", "expression": letter, "reducer": query.reducer})]
    if isinstance(rule.condition, str):
        steps.append(_expression("C", {"type": "math", "expression": rule.condition}))
    else:
        kind, limit = rule.condition
        conditions = [{"evaluator": {"type": kind, "params": [limit]}}]
        steps.append(_expression("C", {"type": "threshold", "expression": "A1", "conditions": conditions}))
    return {
        "uid": rule.uid,
        "title": rule.title,
        "condition": "C",
        "data": steps,
        "for": rule.lasting,
        "noDataState": rule.no_data,
        "execErrState": "KeepLast",
        "labels": {"severity": rule.severity, "application": "archioc"},
        "annotations": {"summary": f"Archiver {{{{ $labels.archiver }}}} {rule.summary}"},
        "dashboardUid": rule.board,
        "panelId": panel_ids[rule.board, rule.panel],
        "isPaused": False,
    }


def _data(letter: str, query: Query) -> dict[str, Any]:
    model = {
        "refId": letter,
        "datasource": {"type": "influxdb", "uid": SOURCE_UID},
        "query": query.text,
        "rawQuery": True,
        "resultFormat": "time_series",
        "intervalMs": 10_000,
        "maxDataPoints": 1000,
    }
    return {"refId": letter, "relativeTimeRange": {"from": query.seconds, "to": 0}, "datasourceUid": SOURCE_UID, "model": model}


def _expression(letter: str, model: dict[str, Any]) -> dict[str, Any]:
    whole = {"refId": letter, "datasource": {"type": "__expr__", "uid": "__expr__"}, **model}
    return {"refId": letter, "datasourceUid": "__expr__", "model": whole}
