"""Every query of the dashboards and alert rules, expanded as Grafana does, against a real InfluxDB that a real archiver fills."""

from __future__ import annotations

import dataclasses
import json
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
import yaml

from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.table.archiver_health import HEALTH_EVERY_S, ArchiverHealth
from archioc.grafana.__main__ import ALERTS, files
from tests.archives.batches import Alarm, Point, make_batch
from tests.conftest import ArchiverFactory, SoftIocFactory
from tests.processes.influxd import InfluxDatabase
from tests.processes.soft_ioc import SoftIoc
from tests.processes.waiting import wait_until
from tests.proof.counts import counts
from tests.readers.grafana_rules import SOURCE_INTERVAL_MS, STAT_POINTS, Mark, Range, Series, ask, expand, firing, marks

pytestmark = [pytest.mark.proof, pytest.mark.timeout(600)]

MINUTE, DAY = 60_000, 86_400_000
RANGES = {"15m": 15 * MINUTE, "24h": DAY, "1y": 365 * DAY}
HOSTILE = 'it\'s;"odd"/.*[x]|(y)$x\\{1}'
"""A name with what means something to InfluxQL, to regular expressions and to Grafana."""
SLOWEST_S = 2.0
ASKED = 4
"""A query that is slow is slow each time; a machine that stands still for a moment is not."""
FRESH_MS = 60_000
QUIET = {
    *(("archioc-alarms", f"{word} at the end of the range") for word in ("MINOR", "MAJOR", "INVALID")),
    ("archioc-explorer", "Arrays"),  # the channels here are scalars
    ("archioc-explorer", "Events"),  # channels that were always there
    ("archioc-explorer", "Puts"),  # nobody puts
    ("archioc-explorer", "Losses and changes"),
    ("archioc-connections", "Losses told by events"),
    ("archioc-connections", "Refusals and changes"),
}
"""Queries that rightly find nothing with an archiver that is well."""

BOARDS: list[dict[str, Any]] = [json.loads(text) for path, text in files().items() if path.suffix == ".json"]
RULES: list[dict[str, Any]] = yaml.safe_load(files()[ALERTS])["groups"][0]["rules"]


@pytest.fixture(params=["influx_database", "influx_bucket"], ids=["1.6", "2.7"])
def database(request: pytest.FixtureRequest) -> InfluxDatabase:
    """A fresh database on each real server there is."""
    found: InfluxDatabase = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def rules() -> dict[str, dict[str, Any]]:
    """Alert rules by uid."""
    return {rule["uid"]: rule for rule in RULES}


def run(database: InfluxDatabase, query: str, span: Range, interval_ms: int = SOURCE_INTERVAL_MS, **variables: Any) -> list[Series]:
    """What the server answers to a query of Grafana; within SLOWEST_S, if need be when it is asked again."""
    text = expand(query, span, interval_ms, variables)
    for _ in range(ASKED):
        begun = time.perf_counter()
        answer = ask(database.url, database.name, text, database.server.headers)
        took = time.perf_counter() - begun
        if took < SLOWEST_S:
            return answer
    raise AssertionError(f"{took:.1f} s: {text[:300]}")


class Site:
    """A database with a year of history, and what an archiver with these channels adds just now."""

    def __init__(self, database: InfluxDatabase, channels: Sequence[str], ioc: SoftIoc) -> None:
        self.database, self.channels, self.ioc = database, channels, ioc
        self.run = partial(run, database)

    def write(self, *batches: Any) -> None:
        """Have the server store batches in the form that the archiver sends."""
        for batch in batches:
            post(self.database, LineEncoder("x").lines(batch))


def post(database: InfluxDatabase, lines: bytes) -> None:
    request = urllib.request.Request(f"{database.url}/write?db={database.name}", lines, database.server.headers)
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 204


def health_at(time_ns: int, archiver: str = "main", **fields: float) -> ArchiverHealth:
    """An archiver that is well, with counters that have stood still; some of its numbers are others."""
    well = {field.name: 0.0 if field.type == "float" else 0 for field in dataclasses.fields(ArchiverHealth)}
    well |= {"channels": 100, "connected": 100, "enabled": 100, "event_rate": 1000.0, "sample_rate": 900.0, "write_rate": 900.0}
    well |= {"store_state": 1, "disk_free_pct": 60.0, "received": 10**6, "stored": 10**6, "write_time": 0.02, "write_lag": 0.1}
    return ArchiverHealth(**{**well, **fields, "archiver": archiver, "time_ns": time_ns})  # type: ignore[arg-type]


def history(names: Sequence[str], now_ms: int) -> Iterator[Any]:
    """A year of samples, alarms, gaps and health: coarse at first, finer in the last day."""
    times = [now_ms - at * DAY // 4 for at in range(4 * 365, 3, -1)] + [now_ms - at * 5 * MINUTE for at in range(287, 0, -1)]
    for name in names:
        samples = [Point(name, at * 10**6, float(number % 7)) for number, at in enumerate(times)]
        states = [Alarm(name, at * 10**6, 2 if at == times[-1] else number // 5 % 4, 4) for number, at in enumerate(times)]
        gap = ChannelEvent(name, (now_ms - 10 * MINUTE) * 10**6, Reason.DISCONNECTED, end_ns=(now_ms - 5 * MINUTE) * 10**6)
        yield make_batch(samples, alarms=states, events=[gap, ChannelEvent(name, (now_ms - MINUTE) * 10**6, Reason.DISABLED)])
    for number, at in enumerate([*times, *range(now_ms - 5 * MINUTE + 10_000, now_ms, 10_000)]):
        yield dataclasses.replace(make_batch([]), health=health_at(at * 10**6, "old", dropped=number // 100, rejected=number // 200))


def puts(now_ms: int) -> bytes:
    """Line protocol of the audit of one channel: a put that was done, one that was refused, and one to another channel."""
    by = 'user="op",host="c1",peer="10.0.0.7:40000",old="0"'
    lines = [
        f'audit,pv=ARCH:CH:{pv}:Rate {by},new="{new}",outcome="{outcome}" {now_ms - MINUTE}000000'
        for pv, new, outcome in (("OLD:1", "5", "done"), ("OLD:2", "7", "not allowed"), ("X:OLD:1", "9", "done"))
    ]
    return "\n".join(lines).encode()


def panel_queries() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for board in BOARDS:
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield board["uid"], panel, target


def check_panel(site: Site, uid: str, panel: Mapping[str, Any], target: Mapping[str, Any], span: Range, **variables: Any) -> None:
    """No error, a series, no more points than asked for, and a fresh one at the end."""
    if "timeFrom" in panel:
        unit = {"m": MINUTE, "h": 60 * MINUTE}[panel["timeFrom"][-1]]
        span = Range(span.end - int(panel["timeFrom"][:-1]) * unit, span.end)
    asked = panel.get("maxDataPoints", STAT_POINTS)
    interval = span.interval(asked, panel.get("interval"))
    found = site.run(target["query"], span, interval, **variables)
    where = f"{uid}, {panel['title']}, {variables.get('pv')}"
    if (uid, panel["title"]) in QUIET:
        return
    assert found, where
    # A range that does not begin with a bin has one more, and Grafana's rounding may give half as many again.
    most = max(asked * 1.5, 200) + 2
    assert max(len(one["values"]) for one in found) <= most, where
    if panel["type"] == "timeseries" and "Arrays" not in panel["title"] and "fill(0)" not in target["query"]:
        newest = max(row[0] for one in found for row in one["values"] if any(value is not None for value in row[1:]))
        assert span.end - newest <= FRESH_MS + interval, where


@pytest.fixture
def site(softioc: SoftIocFactory, archiver: ArchiverFactory, database: InfluxDatabase, prefix: str) -> Site:
    """A running archiver whose records never leave NO_ALARM, with a name as odd as EPICS allows; beside it a year of others."""
    names = [f"{prefix}C{number}" for number in range(counts().grafana_channels)] + [f"{prefix}odd[0]<b>;{{c}}+"]
    records = "".join(f'record(calc, "{name}") {{ field(SCAN, "1 second") field(INPA, "{name}") field(CALC, "A+1") }}\n' for name in names)
    ioc = softioc(records)
    made = archiver(names, [ioc.port], {"influxdb": database.settings})
    made.start(connected=len(names))
    found = Site(database, names, ioc)
    found.write(*history([HOSTILE, "OLD:1", "OLD:2"], time.time_ns() // 10**6))
    post(database, puts(time.time_ns() // 10**6))
    latest = partial(database.query, "SELECT count(channels) AS n FROM archiver WHERE archiver = 'main'")
    wait_until(lambda: [row["n"] for row in latest()] >= [3], 150, "the archiver has told of itself three times", 0.5)
    return found


def test_queries_of_the_dashboards(site: Site, rules: dict[str, dict[str, Any]]) -> None:
    """Every query answers for 15 min, 24 h and a year, for one, several, all and a hostile name, fast and within its points;
    no alert fires while the archiver is well, and the one for lost channels does when they are lost.
    """
    now = time.time_ns() // 10**6
    variables = {variable["name"]: variable for board in BOARDS for variable in board["templating"]["list"]}
    everything = [row[1] for one in site.run(variables["pv"]["query"], Range(0, now), search="") for row in one["values"]]
    archivers = [row[1] for one in site.run(variables["archiver"]["query"], Range(0, now)) for row in one["values"]]
    assert archivers == ["main", "old"]
    assert len(everything) == min(len(site.channels) + 3, 100)
    choices = {"one": site.channels[0], "odd": site.channels[-1], "several": site.channels[:3], "all": everything, "hostile": HOSTILE}
    for length in RANGES.values():
        span = Range(now - length, now)
        for uid, panel, target in panel_queries():
            of_channels = "${pv" in target["query"]
            for name, pv in choices.items() if of_channels else [("none", "")]:
                if name == "hostile" and panel["type"] == "timeseries":
                    span_here = Range(span.start, now - 5 * MINUTE)  # the archiver writes nothing of it now
                else:
                    span_here = Range(span.start, time.time_ns() // 10**6)
                check_panel(site, uid, panel, target, span_here, pv=pv, search="", archiver=archivers)
        check_marks(site, span, choices)
    assert {uid: firing(rule, site.run, time.time_ns() // 10**6) - {"old"} for uid, rule in rules.items()} == {uid: set() for uid in rules}
    check_search(site, variables["pv"]["query"])
    check_loss_of_channels(site, rules["archioc-disconnected"])


def check_marks(site: Site, span: Range, choices: Mapping[str, str | Sequence[str]]) -> None:
    """Gaps that are over are regions to the millisecond, an open one is a mark; nothing fails for any choice."""
    (board,) = [board for board in BOARDS if board["uid"] == "archioc-explorer"]
    found: dict[str, list[Mark]] = {}
    for annotation in board["annotations"]["list"]:
        for pv in choices.values():
            found[annotation["name"]] = marks(annotation["target"], site.run(annotation["target"]["query"], span, pv=pv))
    (gap,) = found["Gaps"]
    assert (round(gap.end - gap.start), gap.text) == (5 * MINUTE, "disconnected")
    assert [mark.text for mark in found["Gaps begin"]] == ["disconnected", "disabled"]
    assert all(mark.end == mark.start for mark in found["Gaps begin"])
    assert found["Alarms"]
    (annotation,) = [one for one in board["annotations"]["list"] if one["name"] == "Puts"]
    done = marks(annotation["target"], site.run(annotation["target"]["query"], span, pv=["OLD:1", "OLD:2"]))
    assert [(mark.text, mark.tags) for mark in done] == [("5", ["op", "ARCH:CH:OLD:1:Rate"])]


def check_search(site: Site, query: str) -> None:
    """The search finds parts of names, whatever case and characters, and nothing else."""
    now = time.time_ns() // 10**6

    def find(text: str) -> list[str]:
        return sorted({row[1] for one in site.run(query, Range(0, now), search=text) for row in one["values"]})

    assert find(HOSTILE[3:-2].upper()) == [HOSTILE]
    assert find("[0]<B>") == [site.channels[-1]]
    assert find(".*") == [HOSTILE]
    assert find("old:") == ["OLD:1", "OLD:2"]
    assert find("') OR 1=1 --") == []


def check_loss_of_channels(site: Site, rule: dict[str, Any]) -> None:
    """The rule for disconnected channels fires for a real archiver whose IOC goes away."""
    site.ioc.stop()
    wait_until(lambda: firing(rule, site.run, time.time_ns() // 10**6) == {"main"}, 120, "the rule for disconnected channels fires", 0.5)


STEP_NS = int(HEALTH_EVERY_S * 1e9)
NOW_STEP = 6 * 360
"""Six hours of health, the longest that a rule looks back."""
Fault = Callable[[int], dict[str, float] | None]
"""Fields that differ so many steps before now; None: nothing was told."""

FAULTS: dict[str, Fault] = {
    "archioc-silent": lambda ago: None if ago < 20 else {},
    "archioc-rate-collapse": lambda ago: {"sample_rate": 50.0} if ago < 40 else {},
    "archioc-disconnected": lambda ago: {"disconnected": 30, "connected": 70} if ago < 40 else {},
    "archioc-dropped": lambda ago: {"dropped": 5} if ago < 10 else {},
    "archioc-spool-age": lambda ago: {"spool_age": 600.0 - 10.0 * ago} if ago < 31 else {},
    "archioc-store-errors": lambda ago: {"rejected": 3} if ago < 10 else {},
    "archioc-disk": lambda ago: {"disk_free_pct": 20.0 + ago * 0.001},
    "archioc-clock": lambda ago: {"clock_suspect": 1} if ago < 10 else {},
}


def test_alert_rules_fire_on_their_fault_alone(database: InfluxDatabase, rules: dict[str, dict[str, Any]]) -> None:
    """Each rule fires for the archiver with its fault, and for no other: not for the one that is well, nor for those with other faults."""
    now_ns = time.time_ns()
    for name, fault in {"well": lambda _: {}, **FAULTS}.items():
        lines = [
            LineEncoder("x").lines(dataclasses.replace(make_batch([]), health=health_at(now_ns - ago * STEP_NS, name, **fields)))
            for ago in range(NOW_STEP, -1, -1)
            if (fields := fault(ago)) is not None
        ]
        post(database, b"".join(lines))
    now_ms = now_ns // 10**6
    assert {uid: firing(rule, partial(run, database), now_ms) for uid, rule in rules.items()} == {uid: {uid} for uid in FAULTS}
    assert set(FAULTS) == set(rules)


def test_silence_of_all_archivers_is_an_alert(database: InfluxDatabase, rules: dict[str, dict[str, Any]]) -> None:
    """Where no archiver answers at all the rule for silence fires, and no other."""
    now_ms = time.time_ns() // 10**6
    assert {uid for uid, rule in rules.items() if firing(rule, partial(run, database), now_ms)} == {"archioc-silent"}
