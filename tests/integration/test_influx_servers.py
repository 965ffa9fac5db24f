"""The whole path to real servers: influxd 1.6, influxd 1.8 and 2.7 where they are built, and the one that ARCHIOC_TEST_INFLUX_URL names.

`tests/processes/named_influx.py` has the other variables for that one.
"""

from __future__ import annotations

import itertools
import json
import math
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from archioc.cli.main import app
from archioc.core.config.file import load_config
from archioc.core.config.store import InfluxStore
from archioc.core.dbr import Dbr
from archioc.core.directories import Directories
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import Kind
from archioc.core.spool.encoding.compression import compress, decompress
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.spool.spool import SpoolDirectory, SpoolFile
from archioc.core.table.table import ChannelTable, StoreState
from archioc.db.delivery.delivery_counters import DeliveryCounters
from archioc.db.delivery.loop import Delivery
from archioc.db.delivery.quarantine import Quarantine
from archioc.db.delivery.store_status import StoreStatus
from archioc.db.influx.store import InfluxDatabase
from tests.archives.batches import Point, make_batch, spool_file
from tests.processes.influxd import Influxd, find_influxd, find_influxd_1_8, find_influxd_2
from tests.processes.influxd_two import InfluxdTwo
from tests.processes.named_influx import NAMED, NamedDatabase, drop, named_settings
from tests.processes.ports import free_ports
from tests.processes.tools import missing_tool

DAY_NS = 86_400 * 10**9

OF_1X = ["1.6", pytest.param("1.8", marks=pytest.mark.proof)]
OWN = [*OF_1X, pytest.param("2.7", marks=pytest.mark.proof)]
ALL = [*OWN, *NAMED]

Start = Callable[..., Influxd]


def program_of(version: str) -> Path:
    """The influxd of a version, else the test is skipped."""
    if version == "2.7":
        return find_influxd_2() or missing_tool("influxd-2", "`make influxd-2` builds it into .cache where there are go and cargo")
    if version == "1.8":
        return find_influxd_1_8() or missing_tool("influxd-1.8", "`make proof` builds it into .cache where there is go")
    return find_influxd() or missing_tool("influxd", "`make test` unpacks Debian's into .cache, else install InfluxDB 1.x")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(version, index="inmem"): a server of the test's own."""
    made: list[Influxd] = []

    def start_server(version: str, index: str = "inmem") -> Influxd:
        program, directory = program_of(version), tmp_path / f"influxd{len(made)}"
        two = version == "2.7"
        made.append(InfluxdTwo(program, free_ports(1)[0], directory) if two else Influxd(program, free_ports(2), directory, index))
        return made[-1]

    yield start_server
    for server in made:
        server.stop()


@pytest.fixture(params=ALL)
def store(request: pytest.FixtureRequest, start: Start) -> Iterator[InfluxDatabase]:
    """A store on each server there is."""
    named = request.param in NAMED
    settings = named_settings(secrets.token_hex(4)) if named else InfluxStore.model_validate(start(request.param).settings("epics"))
    made = NamedDatabase(settings) if named else InfluxDatabase(settings)
    made.prepare()
    yield made
    made.close()
    if named:
        drop(settings)


def test_what_is_written_comes_back(store: InfluxDatabase) -> None:
    """Odd names, all kinds of number, texts with newlines and quotes, long ones, arrays and events are read as they were written."""
    mark = secrets.token_hex(4)
    now = time.time_ns()
    numbers = [0.1, -0.0, 5e-324, 1.7976931348623157e308, 2.0**53 + 2, 123456789.12345679, math.nan, math.inf, -math.inf]
    texts = ["", "a\nb", 'q"q', "back\\", "\\\n", "é中", "x" * 70_000]
    elements = np.arange(8000.0)
    odd = [f"{mark}{rest}" for rest in ("a'b", 'q"q', "c,d", "e=f", "back\\slash", "end\\", "µ:中", "x\\,y\\", "#n")]
    points = [Point(f"{mark}N", now + at, number) for at, number in enumerate(numbers)]
    points += [Point(f"{mark}T", now + at, blob=text.encode(), kind=Kind.TEXT) for at, text in enumerate(texts)]
    points += [Point(f"{mark}A", now, blob=elements.tobytes(), kind=Kind.ARRAY, dbr=Dbr.DOUBLE)]
    points += [Point(name, now, float(at)) for at, name in enumerate(odd)]
    event = ChannelEvent(f"{mark}N", now, Reason.REJECTED, count=3, text='why, "so"')
    store.write_events([event])
    file = spool_file(LineEncoder(store.destination), make_batch(points))
    for _ in range(2):
        assert store.write(file).rejected.sum() == 0
    read = {name: list(store.samples(name, now - 1, now + 1000)) for name in (f"{mark}N", f"{mark}T", f"{mark}A", *odd)}
    assert np.concatenate([chunk.value for chunk in read[f"{mark}N"]]).view("u8").tolist() == np.array(numbers).view("u8").tolist()
    assert [text for chunk in read[f"{mark}T"] for text in chunk.text] == texts
    assert [array.tolist() for chunk in read[f"{mark}A"] for array in chunk.arrays if array is not None] == [elements.tolist()]
    assert [chunk.value.tolist() for name in odd for chunk in read[name]] == [[float(at)] for at in range(len(odd))]
    assert sorted(store.names(f"{mark}*")) == sorted(read)
    assert store.events(f"{mark}N", now, now) == [event]


def test_every_short_name_and_text(store: InfluxDatabase) -> None:
    """All names of up to 3 and texts of up to 4 of the characters that mean something in line protocol are read as they were written."""
    mark = secrets.token_hex(4)
    now = time.time_ns()
    endings = ["".join(one) for length in (1, 2, 3) for one in itertools.product("a,=\\\"'µ", repeat=length)]
    texts = ["".join(one) for length in range(5) for one in itertools.product('a\\" \n', repeat=length)]
    points = [Point(f"{mark}{ending}", now, float(at)) for at, ending in enumerate(endings)]
    points += [Point(f"{mark}T", now + at, blob=text.encode(), kind=Kind.TEXT) for at, text in enumerate(texts)]
    assert store.write(spool_file(LineEncoder(store.destination), make_batch(points))).rejected.sum() == 0
    assert sorted(store.names(f"{mark}*")) == sorted(point.channel for point in points[: len(endings) + 1])
    assert [text for chunk in store.samples(f"{mark}T", now, now + len(texts)) for text in chunk.text] == texts
    for at in range(0, len(endings), 20):
        assert [chunk.value.tolist() for chunk in store.samples(points[at].channel, now, now)] == [[float(at)]]


@pytest.mark.parametrize("version", OWN)
def test_poison_and_what_is_too_old(version: str, start: Start, tmp_path: Path) -> None:
    """Of 20 000 lines, 3 poison and 500 beyond the retention, 19 497 are stored, 503 count as rejected, the quarantine has 3."""
    server = start(version)
    config = tmp_path / "archioc.yml"
    block = json.dumps({"influxdb": server.settings("epics") | {"retention": "30d"}})
    config.write_text(f"archiver: {{state_dir: .}}\nstore: {block}\nchannels: [A]\n")
    settings = load_config(config)
    assert settings.store.influxdb is not None
    store = InfluxDatabase(settings.store.influxdb)
    spool, table = SpoolDirectory(Directories(tmp_path).spool), ChannelTable(tmp_path)
    spool.create()
    table.create(100)
    now = time.time_ns()
    old = set(range(7, 20_000, 40))
    points = [Point(f"PV{at % 100}", (now - 90 * DAY_NS if at in old else now) + at, float(at)) for at in range(20_000)]
    made = spool_file(LineEncoder(store.destination), make_batch(points))
    body = decompress(made.payload)
    for number, other in ((b"1234.0", b'"text"'), (b"9876.0", b"nan"), (b"15050.0", b'"text"')):
        assert number not in {b"%d.0" % at for at in old}
        body = body.replace(b"value=" + number, b"value=" + other)
    spool.publish(spool.prepare(SpoolFile(1, now, made.destination, made.counts, compress(body))))
    delivery = Delivery(spool, store, DeliveryCounters(table.delivery), StoreStatus(table.delivery))
    while delivery.step():
        pass
    head = table.delivery.head[0]
    assert (head["stored"], head["rejected"], head["store_state"]) == (19_497, 503, StoreState.REJECTING)
    assert server.query("SELECT count(value) FROM sample", "epics")[0]["count"] == 19_497
    quarantine = Quarantine(spool.root)
    entry = quarantine.read(quarantine.find(1))
    assert (entry.samples, sorted(entry.channels())) == (3, ["PV34", "PV50", "PV76"])
    words = " ".join(refusal.message for refusal in entry.refusals)
    assert "field type conflict" in words
    assert "invalid number" in words
    events = [event for channel in range(100) for event in store.events(f"PV{channel}", now - DAY_NS, now + DAY_NS)]
    assert sum(event.count for event in events) == 503
    assert {event.reason for event in events} == {Reason.REJECTED}
    listed = orjson.loads(CliRunner().invoke(app, ["quarantine", "list", "--format", "json", "--config", str(config)]).stdout)
    assert [(one["batch"], one["samples"]) for one in listed] == [(1, 3)]
    store.close()
    table.close()


@pytest.mark.parametrize("version", OF_1X)
def test_a_limit_on_channels_is_told_in_time(version: str, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 80 % of max-values-per-tag on the store warns, until the limit is raised; with an index that has no such limit it does not."""
    monkeypatch.setenv("INFLUXDB_DATA_MAX_VALUES_PER_TAG", "10")
    server = start(version)
    store = InfluxDatabase(InfluxStore(url=server.url, bucket="epics"))
    encoder = LineEncoder(store.destination)
    for channels, warns in ((7, False), (8, True)):
        store.prepare()
        store.write(spool_file(encoder, make_batch([Point(f"PV{at}", time.time_ns(), 1.0) for at in range(channels)])))
        store.prepare()
        assert ("8 channels of at most 10 in epics" in store.warning) == warns
    monkeypatch.setenv("INFLUXDB_DATA_MAX_VALUES_PER_TAG", "0")
    server.stop()
    server.start()
    store.prepare()
    assert store.warning == ""
    store.close()
    if version == "1.8":
        monkeypatch.setenv("INFLUXDB_DATA_MAX_VALUES_PER_TAG", "10")
        store = InfluxDatabase(InfluxStore(url=start(version, "tsi1").url, bucket="epics"))
        store.prepare()
        store.write(spool_file(encoder, make_batch([Point(f"PV{at}", time.time_ns(), 1.0) for at in range(20)])))
        store.prepare()
        assert store.warning == ""
        store.close()


@pytest.mark.parametrize("version", OF_1X)
def test_a_server_that_cuts_large_bodies_off(version: str, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that cuts the connection instead of answering 413 gets the batch in pieces, and nothing is rejected."""
    monkeypatch.setenv("INFLUXDB_HTTP_MAX_BODY_SIZE", "100000")
    server = start(version)
    store = InfluxDatabase(InfluxStore(url=server.url, bucket="epics", gzip=False))
    store.prepare()
    now = time.time_ns()
    points = [Point("T", now + at, blob=b"x" * 50_000, kind=Kind.TEXT) for at in range(80)]
    assert store.write(spool_file(LineEncoder(store.destination), make_batch(points))).rejected.tolist() == [0]
    assert server.query("SELECT count(text) FROM sample", "epics")[0]["count"] == 80
    store.close()
