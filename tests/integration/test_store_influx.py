"""What is InfluxDB's own, on a real 1.6 server; answers of all versions are in `influx_answers`."""

from __future__ import annotations

import json
import time

import pytest

from archioc.core.config.store import InfluxStore
from archioc.core.errors import QueryError, StoreDenied, StoreUnavailable
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta, Kind
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.spool.spool import SpoolFile
from archioc.db.influx.store import InfluxDatabase
from tests.archives.batches import Alarm, Point, make_batch, spool_file
from tests.conftest import InfluxdFactory
from tests.processes.influxd import InfluxDatabase as Database


def a_file(points: list[Point], batch_id: int = 1) -> SpoolFile:
    return spool_file(LineEncoder("influxdb"), make_batch(points), batch_id)


def opened(settings: InfluxStore) -> InfluxDatabase:
    store = InfluxDatabase(settings)
    store.prepare()
    return store


def test_the_database_is_made_with_its_retention(influx_database: Database) -> None:
    """A missing database or retention policy is made with the configured retention; what exists is left alone."""
    name = influx_database.name
    made = f"{name}_made"
    for bucket, retention in ((made, 7200.0), (made, 86400.0), (f"{name}/two", 3600.0)):
        opened(InfluxStore(url=influx_database.url, bucket=bucket, retention=retention)).close()
    assert influx_database.server.query(f"SHOW RETENTION POLICIES ON {made}")[0]["duration"] == "2h0m0s"
    policies = {row["name"]: (row["duration"], row["default"]) for row in influx_database.query(f"SHOW RETENTION POLICIES ON {name}")}
    assert policies == {"autogen": ("0s", True), "two": ("1h0m0s", False)}
    influx_database.server.query(f"DROP DATABASE {made}")


def test_a_policy_of_its_own(influx_database: Database) -> None:
    """With `database/policy` samples are written to and read from that policy."""
    store = opened(InfluxStore(url=influx_database.url, bucket=f"{influx_database.name}/fine"))
    now = time.time_ns()
    store.write(a_file([Point("A", now, 1.5)]))
    assert influx_database.query("SELECT value FROM fine.sample") == [{"time": now, "value": 1.5}]
    assert influx_database.query("SELECT value FROM autogen.sample") == []
    last = store.last_before("A", now + 1)
    assert last is not None
    assert last.value.tolist() == [1.5]
    store.close()


def test_only_what_is_beyond_the_retention_is_refused(influx_database: Database) -> None:
    """Of a batch with points too old for the server exactly these are rejected, none is kept for a quarantine, and the rest is stored.

    Alarm states that are too old go with them and count as nothing: they are no samples.
    """
    store = opened(InfluxStore(url=influx_database.url, bucket=f"{influx_database.name}_short", retention=3600.0))
    now = time.time_ns()
    points = [Point(f"PV{at % 3}", now - (10**13 if at in {4, 7, 50} else 0) + at, float(at)) for at in range(100)]
    alarms = [Alarm("PV0", now - 10**13, 2, 3), Alarm("PV0", now, 1, 4)]
    outcome = store.write(spool_file(LineEncoder("influxdb"), make_batch(points, alarms=alarms)))
    assert [chunk.severity.tolist() for chunk in store.alarms("PV0", 0, 2**63 - 1)] == [[1]]
    assert (outcome.rejected.tolist(), outcome.kept.tolist(), outcome.refusals) == ([0, 2, 1], [0, 0, 0], ())
    assert [(event.channel, event.count) for event in outcome.events] == [("PV1", 2), ("PV2", 1)]
    stored = sum(len(chunk) for name in store.names() for chunk in store.samples(name, 0, 2**63 - 1))
    assert stored == 97
    only_alarms = spool_file(LineEncoder("influxdb"), make_batch([], alarms=alarms[:1]), 2)
    outcome = store.write(only_alarms)
    assert (outcome.rejected.sum(), outcome.refusals, outcome.events) == (0, (), ())
    store.close()
    influx_database.server.query(f"DROP DATABASE {influx_database.name}_short")


def test_a_body_that_is_too_large_is_halved(own_influxd: InfluxdFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server with a small limit gets the batch in pieces, compressed or not, and nothing is refused."""
    monkeypatch.setenv("INFLUXDB_HTTP_MAX_BODY_SIZE", "5000")
    server = own_influxd()
    for use_gzip in (True, False):
        store = opened(InfluxStore(url=server.url, bucket=f"epics{use_gzip}", gzip=use_gzip))
        outcome = store.write(a_file([Point(f"PV{at}", 10**18 + at, at / 3) for at in range(3000)]))
        assert outcome.refusals == ()
        assert sum(1 for _ in store.names()) == 3000
        store.close()


def test_a_server_that_is_gone(own_influxd: InfluxdFactory) -> None:
    """While the server is away every call says so; when it is back the same store goes on."""
    server = own_influxd()
    store = opened(InfluxStore(url=server.url, bucket="epics", timeout=5))
    server.kill()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1"):
            store.write(a_file([Point("A", 1, 1.0)]))
        with pytest.raises(StoreUnavailable):
            list(store.samples("A", 0, 10))
        with pytest.raises(StoreUnavailable):
            store.prepare()
    server.start()
    store.write(a_file([Point("A", 1, 1.0)]))
    assert list(store.names()) == ["A"]
    store.close()


def test_a_dropped_database(influx_database: Database) -> None:
    """When the database is gone, the file is kept, and looking at the server anew makes it again."""
    store = opened(InfluxStore(url=influx_database.url, bucket=influx_database.name))
    influx_database.server.query(f"DROP DATABASE {influx_database.name}")
    with pytest.raises(StoreDenied, match="404 database not found"):
        store.write(a_file([Point("A", 1, 1.0)]))
    with pytest.raises(QueryError, match="database not found"):
        list(store.names())
    store.prepare()
    store.write(a_file([Point("A", 1, 1.0)]))
    assert list(store.names()) == ["A"]
    store.close()


def test_an_archive_of_before(influx_database: Database) -> None:
    """Lines as earlier versions wrote them are read as they were meant, also beside new ones: the field `nan`, names and texts."""
    store = opened(InfluxStore(url=influx_database.url, bucket=influx_database.name))
    old = (
        b"sample,pv=N nan=1i 10\nsample,pv=N nan=2i 11\nsample,pv=N value=1.5 12\nsample,pv=N nan=3i 13\nsample,pv=N value=2.5 14\n"
        b'sample,pv=T text="a\nb" 10\nsample,pv=T text="back\\\\" 11\n'
        b"sample,pv=end\\\\  value=1.0 10\nsample,pv=x\\\\,y value=2.0 10\n"
        b'event,archiver=main,code=7,pv=end\\\\  reason="rejected",count=1i,text="a\nb" 10\n'
        b'meta,pv=end\\\\  dbr=6i,count=1i,host="h",units="m\n",labels="[]" 10\n'
    )
    store._connection.write("/write", [("db", influx_database.name), ("precision", "ns")], old, gzipped=False)
    points = [Point("N", 15, float("nan")), Point("T", 12, blob=b"\x1b\\", kind=Kind.TEXT)]
    points += [Point("end\\", 20, 3.0), Point("x\\,y", 20, 4.0)]
    store.write(a_file(points))
    values = [value for chunk in store.samples("N", 0, 100) for value in chunk.value.tolist()]
    assert repr(values) == "[nan, inf, 1.5, -inf, 2.5, nan]"
    bins = store.bins("N", 0, 20, 2)
    assert (bins.non_finite.tolist(), bins.count.tolist()) == ([0, 4], [0, 2])
    assert [text for chunk in store.samples("T", 0, 100) for text in chunk.text] == ["a\nb", "back\\", "\x1b\\"]
    for name, value in (("end\\", 1.0), ("x\\,y", 2.0)):
        assert [found for chunk in store.samples(name, 0, 100) for found in chunk.value.tolist()] == [value, value + 2]
        last = store.at(name, 50)
        assert last is not None
        assert last.value.tolist() == [value + 2]
    assert sorted(store.names()) == ["N", "T", "end\\", "x\\,y"]
    assert [event.text for event in store.events("end\\", 0, 100)] == ["a\nb"]
    meta = store.meta("end\\", 100)
    assert meta is not None
    assert meta.units == "m\n"
    store.close()


def test_texts_of_strangers_come_back(influx_database: Database) -> None:
    """Newlines, control characters and closing backslashes in texts, labels, units, events and audit are read to the byte."""
    store = opened(InfluxStore(url=influx_database.url, bucket=influx_database.name))
    texts = ["a\nb\n", "\x00\x1b[31m\x7f", "back\\", "\\" * 70_000, "x\n" * 40_000, "\u2426", "\u2426\u240a", "\r\n", '"\\"\n']
    now = time.time_ns()
    points = [Point("T", now + at, blob=text.encode(), kind=Kind.TEXT) for at, text in enumerate(texts)]
    points += [Point("E", now + at, 1.0, blob=text.encode(), kind=Kind.ENUM) for at, text in enumerate(texts[:3])]
    metas = [ChannelMeta("T", now, dbr=0, count=1, host="h\n", units="\\", labels=("a\n", "\\", "\x7f"))]
    events = [ChannelEvent("T", now, Reason.REJECTED, text="why\n\\")]
    assert not store.write(spool_file(LineEncoder("influxdb"), make_batch(points, events, metas))).rejected.any()
    assert [text for chunk in store.samples("T", now, now + 100) for text in chunk.text] == texts
    assert [text for chunk in store.samples("E", now, now + 100) for text in chunk.text] == texts[:3]
    assert store.meta("T", now) == metas[0]
    assert store.events("T", now, now) == events
    raw = json.dumps(influx_database.query("SELECT * FROM sample, meta, event"))
    assert "\\n" not in raw.replace("\\\\", "")
    store.close()
