"""What Grafana makes of a query before it is sent, and of annotations and alert conditions afterwards.

Rules: Grafana 11 and 12, pkg/tsdb/influxdb (time filter and interval), packages/grafana-data (rangeutil.roundInterval,
escapeRegex), public/app/plugins/datasource/influxdb/response_parser.ts (annotations), pkg/expr (reduce, math, threshold).
"""

from __future__ import annotations

import bisect
import json
import operator
import re
import statistics
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ROUNDED = (
    (10, 1), (15, 10), (35, 20), (75, 50), (150, 100), (350, 200), (750, 500), (1500, 1000), (3500, 2000), (7500, 5000), (12_500, 10_000),
    (17_500, 15_000), (25_000, 20_000), (45_000, 30_000), (90_000, 60_000), (210_000, 120_000), (450_000, 300_000), (750_000, 600_000),
    (1_050_000, 900_000), (1_500_000, 1_200_000), (2_700_000, 1_800_000), (5_400_000, 3_600_000), (9_000_000, 7_200_000),
    (16_200_000, 10_800_000), (32_400_000, 21_600_000), (86_400_000, 43_200_000), (604_800_000, 86_400_000), (1_814_400_000, 604_800_000),
    (3_628_799_999, 2_592_000_000),
)  # fmt: skip
"""An interval (ms) up to the first number becomes the second."""

_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
STAT_POINTS = 300
"""Points that a panel of a usual width asks for where it names none."""
SOURCE_INTERVAL_MS = 10_000
"""`timeInterval` of the provisioned data source."""


def milliseconds(duration: str) -> int:
    """A duration in Grafana's words, such as `30s`."""
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h|d)", duration).groups()  # type: ignore[union-attr]
    return int(number) * _UNIT_MS[unit]


def round_interval(interval_ms: float) -> int:
    """What Grafana takes for an interval."""
    at = bisect.bisect_left([upto for upto, _ in _ROUNDED], interval_ms)
    return _ROUNDED[at][1] if at < len(_ROUNDED) else 31_536_000_000


@dataclass(frozen=True, slots=True)
class Range:
    """A range of time, ms since 1970."""

    start: int
    end: int

    def interval(self, max_points: int, shortest: str | None) -> int:
        """Length of a bin (ms) for so many points. shortest: that of the panel, where it has one of its own."""
        floor = milliseconds(shortest) if shortest else SOURCE_INTERVAL_MS
        return max(round_interval((self.end - self.start) / max_points), floor)


def escape_regex(text: str) -> str:
    """The format `:regex` of one value."""
    return re.sub(r"[\\^$*+?.()|\[\]{}/]", lambda found: "\\" + found[0], text)


def expand(query: str, span: Range, interval_ms: int, variables: Mapping[str, str | Sequence[str]]) -> str:
    """A query as the server gets it. Raises KeyError for a variable that is not declared, ValueError for an unknown format."""

    def value(found: re.Match[str]) -> str:
        name, form = found[1], found[2]
        if name in {"__from", "__to"}:
            return str(span.start if name == "__from" else span.end)
        chosen = variables[name]
        if form != "regex":
            raise ValueError(f"{found[0]}: a value in a query must be escaped, with the format `regex`")
        if isinstance(chosen, str):
            return escape_regex(chosen)
        escaped = [escape_regex(one) for one in chosen]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"

    # Dashboard variables are put in by the browser, the rest by the server behind it.
    query = re.sub(r"\$\{(\w+)(?::(\w+))?\}", value, query)
    query = query.replace("$timeFilter", f"time >= {span.start}ms and time <= {span.end}ms")
    return query.replace("$__interval", f"{interval_ms}ms")


Series = dict[str, Any]
"""As InfluxDB gives it: `name`, `tags`, `columns`, `values`."""


def ask(url: str, database: str, query: str, headers: Mapping[str, str]) -> list[Series]:
    """What the data source gets; times in ms. Raises RuntimeError with the server's words."""
    body = urllib.parse.urlencode({"q": query, "db": database, "epoch": "ms"}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/query", body, headers), timeout=30) as response:
        (result,) = json.load(response)["results"]
    if "error" in result:
        raise RuntimeError(f"{query}: {result['error']}")
    series: list[Series] = result.get("series", [])
    return series


@dataclass(frozen=True, slots=True)
class Mark:
    """An annotation; times in ms, a region where they differ."""

    start: int
    end: float
    text: str
    tags: list[str]


def marks(target: Mapping[str, Any], series: Sequence[Series]) -> list[Mark]:
    """What Grafana draws of an annotation's answer."""
    found = []
    for one in series:
        # Series of an annotation query are not grouped, so names are measurement and column.
        names = ["time" if column == "time" else f"{one['name']}.{column}" for column in one["columns"]]
        text = next(at for at, name in enumerate(names) if target["textColumn"] in name)
        tags = [at for at, name in enumerate(names) if any(tag and tag in name for tag in target["tagsColumn"].split(","))]
        end = names.index(target["timeEndColumn"]) if target["timeEndColumn"] else 0
        found += [Mark(values[0], values[end], values[text], [values[at] for at in tags]) for values in one["values"] if None not in values]
    return found


_REDUCERS: dict[str, Callable[[list[float]], float]] = {
    "last": lambda points: points[-1],
    "max": max,
    "mean": statistics.fmean,
    "median": statistics.median,
    "sum": sum,
}


def firing(rule: Mapping[str, Any], run: Callable[[str, Range], list[Series]], now_ms: int) -> set[str]:
    """The archivers of which the condition of a rule holds at this moment; `NoData` among them where nothing answers at all.

    run: expands and runs a query.
    """
    numbers: dict[str, dict[str, float]] = {}
    for step in rule["data"]:
        model, name = step["model"], step["refId"]
        if step["datasourceUid"] != "__expr__":
            span = Range(now_ms - 1000 * step["relativeTimeRange"]["from"], now_ms - 1000 * step["relativeTimeRange"]["to"])
            series = run(model["query"], span)
            points = {one["tags"]["archiver"]: [row[1] for row in one["values"] if row[1] is not None] for one in series}
        elif model["type"] == "reduce":
            numbers[name] = {archiver: _REDUCERS[model["reducer"]](found) for archiver, found in points.items() if found}
        elif model["type"] == "threshold":
            (condition,) = model["conditions"]
            (limit,) = condition["evaluator"]["params"]
            beyond = {"lt": operator.lt, "gt": operator.gt}[condition["evaluator"]["type"]]
            numbers[name] = {archiver: beyond(number, limit) for archiver, number in numbers[model["expression"]].items()}
        else:
            numbers[name] = _math(model["expression"], numbers)
    result = numbers[rule["condition"]]
    if not result:
        return {"NoData"} if rule["noDataState"] == "Alerting" else set()
    return {archiver for archiver, holds in result.items() if holds}


def _math(expression: str, numbers: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    names = re.findall(r"\$(\w+)", expression)
    archivers = set.intersection(*(set(numbers[name]) for name in names))
    code = compile(re.sub(r"\$(\w+)", r"\1", expression).replace("&&", "and").replace("||", "or"), "math", "eval")
    return {one: float(eval(code, {}, {name: numbers[name][one] for name in names})) for one in archivers}
