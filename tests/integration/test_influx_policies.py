"""Retention policies, retention and replication of a real InfluxDB 1.x; what `archioc check` finds out with the user's own rights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archioc.core.config.store import InfluxStore
from archioc.core.errors import StoreDenied
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.db.archive_record import ArchiveRecord
from archioc.db.influx.store import InfluxDatabase
from tests.archives.batches import Point, make_batch, spool_file
from tests.conftest import InfluxdFactory
from tests.processes.influxd import InfluxDatabase as Database

Opened = Callable[..., InfluxDatabase]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """opened(settings, **more): a store of one state directory, not prepared."""
    made: list[InfluxDatabase] = []

    def open_store(settings: dict[str, str], **more: object) -> InfluxDatabase:
        record = ArchiveRecord(tmp_path / "archive.json", "00" * 16)
        made.append(InfluxDatabase(InfluxStore.model_validate({**settings, **more}), record=record))
        return made[-1]

    yield open_store
    for store in made:
        store.close()


def write(store: InfluxDatabase, value: float) -> None:
    batch = make_batch([Point("A", time.time_ns(), value)])
    assert store.write(spool_file(LineEncoder(store.destination), batch)).rejected.tolist() == [0]


def stored(store: InfluxDatabase) -> list[float]:
    return [value for chunk in store.samples("A", 0, time.time_ns()) for value in chunk.value.tolist()]


def test_another_default_policy_hides_nothing(influx_database: Database, opened: Opened) -> None:
    """With a new default policy samples go where they went before, and every reader reads them from there; a warning tells it."""
    store = opened(influx_database.settings)
    store.prepare()
    store.sign(time.time_ns(), 1)
    write(store, 1.0)
    influx_database.query(f"CREATE RETENTION POLICY year ON {influx_database.name} DURATION 52w REPLICATION 1 DEFAULT")
    write(store, 2.0)
    store.prepare()
    write(store, 3.0)
    assert stored(store) == [1.0, 2.0, 3.0]
    assert f"the default retention policy of {influx_database.name} is now year; samples go on to autogen" in store.warning
    later = opened(influx_database.settings)
    assert stored(later) == [1.0, 2.0, 3.0]
    later.prepare()
    assert stored(later) == [1.0, 2.0, 3.0]
    assert list(later.names()) == ["A"]
    named = opened(influx_database.settings, bucket=f"{influx_database.name}/year")
    named.prepare()
    assert (stored(named), named.warning) == ([], "")


def test_a_policy_that_is_gone(influx_database: Database, opened: Opened) -> None:
    """A policy that samples went to and that is gone is told, and none is taken in its place, unless that is wanted."""
    influx_database.query(f"CREATE RETENTION POLICY year ON {influx_database.name} DURATION 52w REPLICATION 1 DEFAULT")
    store = opened(influx_database.settings)
    store.prepare()
    store.sign(time.time_ns(), 1)
    influx_database.query(f"DROP RETENTION POLICY year ON {influx_database.name}")
    influx_database.query(f"ALTER RETENTION POLICY autogen ON {influx_database.name} DEFAULT")
    with pytest.raises(StoreDenied, match=f"retention policy year of database {influx_database.name} was there and is gone"):
        store.prepare()
    always = opened(influx_database.settings, create="always")
    always.prepare()
    write(always, 1.0)
    assert influx_database.query("SELECT value FROM autogen.sample")[0]["value"] == 1.0


def test_another_retention_than_asked_for(influx_database: Database, opened: Opened) -> None:
    """Where an existing database keeps samples for another time than the configuration says, a warning tells both."""
    store = opened(influx_database.settings, retention="30d")
    store.prepare()
    assert store.warning.startswith(f"retention: 30d is configured, but {influx_database.name} keeps samples without a limit")
    influx_database.query(f"ALTER RETENTION POLICY autogen ON {influx_database.name} DURATION 36h SHARD DURATION 1h")
    store.prepare()
    assert "30d is configured, but" in store.warning
    assert "keeps samples for 36h" in store.warning
    influx_database.query(f"ALTER RETENTION POLICY autogen ON {influx_database.name} DURATION 30d")
    store.prepare()
    assert store.warning == ""


@pytest.mark.parametrize(("bucket", "policy"), [("epics", "autogen"), ("epics/year", "year")])
def test_copies_of_each_sample(own_influxd: InfluxdFactory, opened: Opened, bucket: str, policy: str) -> None:
    """`replication` is that of the database or policy that is made."""
    server = own_influxd()
    store = opened(server.settings(bucket), replication=3, retention="48h")
    store.prepare()
    [found] = [row for row in server.query("SHOW RETENTION POLICIES ON epics") if row["name"] == policy]
    assert (found["replicaN"], found["duration"]) == (3, "48h0m0s")


def test_what_check_finds(own_influxd: InfluxdFactory, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """`archioc check` tells a first start from a fault, makes nothing, and tries a write and a read with the user's own rights."""
    server = own_influxd()
    store = opened(server.settings("epics"))
    assert store.try_out() == f"{server.url}: epics is not there yet: the first start makes it"
    with pytest.raises(RuntimeError, match="database not found"):
        server.query("SHOW RETENTION POLICIES ON epics")
    store.prepare()
    store.sign(time.time_ns(), 1)
    assert store.try_out() == f"{server.url}: epics can be written and read"
    assert store.newest_sign() is not None
    server.query("CREATE USER admin WITH PASSWORD 'pw' WITH ALL PRIVILEGES")
    for name, right in (("reader", "READ"), ("writer", "WRITE")):
        server.query(f"CREATE USER {name} WITH PASSWORD 'pw'")
        server.query(f"GRANT {right} ON epics TO {name}")
    server.stop()
    monkeypatch.setenv("INFLUXDB_HTTP_AUTH_ENABLED", "true")
    server.start()
    for name, words in (("reader", "not authorized to write"), ("writer", "not authorized"), ("nobody", "authorization failed")):
        with pytest.raises(StoreDenied, match=words):
            opened(server.settings("epics"), username=name, password="pw").try_out()
    admin = opened(server.settings("epics"), username="admin", password="pw")
    assert "can be written and read" in admin.try_out()
    for _ in admin._connection.query("DROP DATABASE epics", [], method="POST"):
        pass
    with pytest.raises(StoreDenied, match="database epics was there and is gone"):
        admin.try_out()


def test_who_may_not_make_a_database(own_influxd: InfluxdFactory, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a missing database may not be made, the refusal of that is told together with what the server says to a write."""
    server = own_influxd()
    server.query("CREATE USER admin WITH PASSWORD 'pw' WITH ALL PRIVILEGES")
    server.query("CREATE USER me WITH PASSWORD 'pw'")
    server.stop()
    monkeypatch.setenv("INFLUXDB_HTTP_AUTH_ENABLED", "true")
    server.start()
    store = opened(server.settings("epics"), username="me", password="pw")
    store.prepare()
    with pytest.raises(StoreDenied, match=r"database not found.*it could not be made: .*(not authorized|requires admin)"):
        write(store, 1.0)
