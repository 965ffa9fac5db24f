from __future__ import annotations

import dataclasses
import re
import time
from pathlib import Path

import pytest

from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.table.archiver_health import HEALTH_EVERY_S, ArchiverHealth
from archioc.engine.health import HealthReport
from tests.archives.batches import make_batch
from tests.unit.core.test_line_protocol import parse
from tests.unit.engine.rig import Archive, Engine, send

EVERY_NS = int(HEALTH_EVERY_S * 1e9)
FILES_MD = Path(__file__).parents[3] / "docs/reference/contract/files.md"


@pytest.fixture
def report(archive: Archive) -> HealthReport:
    return HealthReport(archive.table, "main")


def test_a_report_is_due_at_first_and_then_every_period(report: HealthReport) -> None:
    """The first report is due at once, the next one a period later, or when the clock is set back."""
    now = time.time_ns()
    assert report.due(now)
    report.poll(now)
    assert [report.due(now + ns) for ns in (0, EVERY_NS - 1, EVERY_NS, -1)] == [False, False, True, True]


def test_a_report_tells_what_the_table_tells(archive: Archive, engine: Engine, report: HealthReport) -> None:
    """Channels, connections and counters of a report are those of the channel table."""
    engine.connect("A")
    send(engine, "A", 1.0, 2.0)
    engine.collector.round(time.time_ns())
    engine.write()
    now = time.time_ns()
    archive.table.delivery.head["spool_oldest"] = now - 3_000_000_000
    archive.table.delivery.head["disk_free"] = 0.25
    found = report.poll(now)
    assert (found.archiver, found.time_ns) == ("main", now)
    assert (found.channels, found.connected, found.disconnected) == (len(archive.registry.channels), 1, len(archive.registry.channels) - 1)
    assert (found.received, found.filtered, found.dropped) == (2, 0, 0)
    assert (found.spool_age, found.disk_free_pct) == (3.0, 25.0)


def test_the_line_of_a_report_reads_back(report: HealthReport) -> None:
    """Line protocol carries every number of a report under its own name, whole numbers as integers, in a line behind all others."""
    health = report.poll(time.time_ns())
    body = LineEncoder("x").lines(dataclasses.replace(make_batch([]), health=health))
    ((measurement, tags, fields, time_ns),) = parse(body)
    wanted = dataclasses.asdict(health)
    assert (measurement, tags, time_ns) == ("archiver", {"archiver": wanted.pop("archiver")}, wanted.pop("time_ns"))
    assert fields == wanted
    assert {name: type(number) for name, number in fields.items()} == {name: type(number) for name, number in wanted.items()}


def test_a_batch_of_nothing_but_health_is_not_empty(report: HealthReport) -> None:
    """An idle archiver still tells of itself."""
    idle = make_batch([])
    assert idle.empty
    assert not dataclasses.replace(idle, health=report.poll(time.time_ns())).empty


def test_the_contract_names_every_field() -> None:
    """The table of fields in the contract has every field of a report and no other."""
    table = FILES_MD.read_text().split("Fields of `archiver`")[1].split("\nA batch")[0]
    told = [name for line in table.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(told) == sorted({field.name for field in dataclasses.fields(ArchiverHealth)} - {"archiver", "time_ns"})
