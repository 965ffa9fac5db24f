"""Two archivers that write to one InfluxDB: gaps are what both missed, points of both are one history."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from archioc.cli.explain.causes import Explanation
from archioc.cli.explain.evidence import gather
from archioc.core.config.file import load_config
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import SampleFlag
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.table.archiver_health import ArchiverHealth
from archioc.db.influx.connection import InfluxConnection
from archioc.db.influx.store import InfluxDatabase
from archioc.db.sample_columns import concatenate
from tests.archives.batches import Alarm, Point, make_batch, spool_file
from tests.processes.influxd import InfluxDatabase as Database

SECOND = 10**9
BEGIN = 0
"""1000 s before the test."""


@pytest.fixture(autouse=True)
def _begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "BEGIN", (time.time_ns() // SECOND - 1000) * SECOND)


def at(second: int) -> int:
    return BEGIN + second * SECOND


def event(second: int, reason: Reason, end: int | None = None, channel: str = "A", text: str = "") -> ChannelEvent:
    return ChannelEvent(channel, at(second), reason, None if end is None else at(end), text=text)


def tell(store: InfluxDatabase, archiver: str, *events: ChannelEvent, points: Sequence[Point] = (), alarms: Sequence[Alarm] = ()) -> None:
    store.write(spool_file(LineEncoder("influxdb", archiver), make_batch(points, events, alarms=alarms), time.time_ns()))


def live(store: InfluxDatabase, archiver: str, begin: int, end: int) -> None:
    """Signs of life from one second to another."""
    none = {field.name: 0.0 if field.type == "float" else 0 for field in dataclasses.fields(ArchiverHealth)}
    for second in range(begin, end + 1, 10):
        health = ArchiverHealth(**{**none, "archiver": archiver, "time_ns": at(second)})  # type: ignore[arg-type]
        store.write(spool_file(LineEncoder("influxdb", archiver), dataclasses.replace(make_batch([]), health=health), time.time_ns()))


def test_gaps_of_a_pair(influx_store: InfluxDatabase) -> None:
    """What one of two archivers missed is no gap, what both did is one, in each range that it touches; moments have a name."""
    for name, gap in (("main", event(100, Reason.DISCONNECTED, 200)), ("spare", event(150, Reason.ARCHIVER_STOP, 250))):
        live(influx_store, name, 0, 1000)
        tell(influx_store, name, event(0, Reason.COLLECTING), gap, event(300, Reason.DISCONNECTED, channel="B"))
    tell(influx_store, "main", event(400, Reason.LOST_QUOTA), event(500, Reason.DISCONNECTED))
    gap = ChannelEvent("A", at(150), Reason.ARCHIVER_STOP, at(200), text="main: disconnected; spare: archiver_stop")
    lost = dataclasses.replace(event(400, Reason.LOST_QUOTA), archiver="main")
    ranges = {(0, 1000): [gap, lost], (110, 140): [], (160, 170): [gap], (201, 399): [], (600, 2000): []}
    assert {found: influx_store.events("A", *map(at, found)) for found in ranges} == ranges
    assert influx_store.archivers("A") == ["main", "spare"]
    assert influx_store.archivers("unknown") == []
    tell(influx_store, "spare", event(700, Reason.DISCONNECTED))
    (open_gap,) = influx_store.events("A", at(800), at(2000))
    assert (open_gap.time_ns, open_gap.end_ns, open_gap.text) == (at(700), None, "main: disconnected; spare: disconnected")


def test_one_archiver_is_not_asked_for_its_health(influx_store: InfluxDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one archiver its gaps are told as they are, and nothing more is asked of the server than with any."""
    tell(influx_store, "main", event(0, Reason.COLLECTING), event(100, Reason.DISCONNECTED, 200, text="x"), event(300, Reason.REMOVED))
    asked: list[str] = []
    lines = InfluxConnection.lines

    def count(self: InfluxConnection, statement: str, *arguments: object, **more: str) -> Iterator[bytes]:
        asked.append(statement)
        return lines(self, statement, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(InfluxConnection, "lines", count)
    assert influx_store.events("A", at(50), at(400)) == [event(100, Reason.DISCONNECTED, 200, text="x"), event(300, Reason.REMOVED)]
    assert len(asked) == 3
    assert not any('FROM "archiver"' in statement for statement in asked)


def test_an_archiver_that_is_dead(influx_store: InfluxDatabase) -> None:
    """What the other missed is a gap while nothing is heard of it, until it comes back, and for good where it does not."""
    for name in ("main", "spare"):
        tell(influx_store, name, event(0, Reason.COLLECTING))
    live(influx_store, "main", 0, 1000)
    live(influx_store, "spare", 0, 100)
    live(influx_store, "spare", 300, 500)
    tell(
        influx_store,
        "main",
        event(90, Reason.DISCONNECTED, 320),
        event(400, Reason.DISCONNECTED, 450),
        event(600, Reason.DISCONNECTED, 650),
    )
    wanted = [(110, 300), (600, 650)]
    told = influx_store.events("A", 0, at(2000))
    assert [((one.time_ns - BEGIN) // SECOND, ((one.end_ns or 0) - BEGIN) // SECOND) for one in told] == wanted
    assert {one.text for one in told} == {"main: disconnected; spare: no sign of life"}
    assert {found: len(influx_store.events("A", *map(at, found))) for found in ((120, 130), (310, 420), (640, 645))} == {
        (120, 130): 1,
        (310, 420): 0,
        (640, 645): 1,
    }


def test_points_of_both_are_one_history(influx_store: InfluxDatabase) -> None:
    """The same update of two archivers is one sample; generated ones have the time of each archiver and are both there."""
    points = [Point("A", at(1), 1.0), Point("A", at(2), 2.0, severity=2, status=3)]
    mine = [*points, Point("A", at(2) + 7, 2.0, flags=SampleFlag.GENERATED, src_time=at(2))]
    theirs = [*points, Point("A", at(2) + 9, 2.0, flags=SampleFlag.GENERATED, src_time=at(2))]
    states = [Alarm("A", at(2), 2, 3)]
    tell(influx_store, "main", points=mine, alarms=states)
    tell(influx_store, "spare", points=theirs, alarms=states)
    found = concatenate(list(influx_store.samples("A", 0, at(1000))))
    assert found.time.tolist() == [at(1), at(2), at(2) + 7, at(2) + 9]
    assert found.flags.tolist() == [0, 0, 1, 1]
    assert found.severity.tolist() == [0, 2, 0, 0]
    assert sum(len(chunk) for chunk in influx_store.alarms("A", 0, at(1000))) == 1


def test_explain_with_a_pair(influx_store: InfluxDatabase, influx_database: Database, tmp_path: Path) -> None:
    """A moment that both missed has the gap of both as its cause; one that one of them missed, or lost, is no hole of the archive."""
    config = tmp_path / "archioc.yml"
    bucket = f"{{url: '{influx_database.url}', bucket: {influx_database.name}}}"
    config.write_text(f"archiver: {{name: main, state_dir: {tmp_path}}}\nstore: {{influxdb: {bucket}}}\nchannels: [A]\n")
    for name, gap in (("main", event(100, Reason.DISCONNECTED, 200)), ("spare", event(150, Reason.ENGINE_RESTART, 250))):
        live(influx_store, name, 0, 1000)
        tell(influx_store, name, event(0, Reason.COLLECTING), gap)
    points = [Point("A", at(second), float(second)) for second in range(0, 1000, 10) if not 150 < second < 200]
    tell(influx_store, "spare", event(402, Reason.LOST_QUOTA), points=points)

    def explained(second: int) -> Explanation:
        return Explanation.of(gather(load_config(config), "A", at(second) + 1000, at(1000)))

    found = explained(170)
    assert found.evidence.stored.others == ("spare",)
    assert found.causes[0].word == "engine_restart"
    assert found.causes[0].text.endswith("main: disconnected; spare: engine_restart")
    assert {second: explained(second).causes[0].word for second in (125, 205, 402)} == dict.fromkeys((125, 205, 402), "unknown")
