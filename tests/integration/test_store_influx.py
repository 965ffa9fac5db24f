"""What is InfluxDB's own: a real 1.6 server, and the requests that later versions get."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from archioc.core.config_store import InfluxStore, InfluxVersion
from archioc.core.encoding.line_protocol import LineEncoder
from archioc.core.errors import QueryError, StoreDenied, StoreUnavailable
from archioc.core.spool import SpoolFile
from db.influx import InfluxDatabase
from tests.batches import Point, make_batch, spool_file
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
    """Of a batch with points too old for the server, exactly these are refused, with the server's words, and the rest is stored."""
    store = opened(InfluxStore(url=influx_database.url, bucket=f"{influx_database.name}_short", retention=3600.0))
    now = time.time_ns()
    points = [Point(f"PV{at % 3}", now - (10**13 if at in {4, 7, 50} else 0) + at, float(at)) for at in range(100)]
    outcome = store.write(a_file(points))
    assert outcome.rejected.tolist() == [0, 2, 1]
    assert b"".join(refusal.content for refusal in outcome.refusals).count(b"sample,pv=") == 3
    assert "beyond retention policy" in outcome.refusals[0].message
    stored = sum(len(chunk) for name in store.names() for chunk in store.samples(name, 0, 2**63 - 1))
    assert stored == 97
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


@dataclass
class Request:
    """What a server was asked."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Script:
    """A server that records requests and answers by path: for versions that are not at hand and answers that a real one rarely gives."""

    version: str
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def script() -> Iterator[Script]:
    found = Script("v2.7.1")

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.requests.append(Request(self.command, parts.path, parse_qs(parts.query), dict(self.headers), body))
            status, headers, content = found.answers.get(parts.path, (204, {}, b""))
            self.send_response(status)
            for name, value in {"X-Influxdb-Version": found.version, "Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name for it
            """Not to the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_bucket_of_2x(script: Script, tmp_path: Path) -> None:
    """2.x: the bucket is made in its organisation with its retention; writes go to /api/v2/write, gzipped, with the token of the moment."""
    script.answers = {
        "/api/v2/buckets": (200, {"Content-Type": "application/json"}, b'{"buckets": []}'),
        "/api/v2/orgs": (200, {"Content-Type": "application/json"}, b'{"orgs": [{"id": "0123"}]}'),
    }
    token = tmp_path / "token"
    token.write_text("first\n")
    store = opened(InfluxStore(url=script.url, bucket="epics", org="lab", token_file=token, retention=86400.0))
    token.write_text("second\n")
    store.write(a_file([Point("A", 1, 2.0)]))
    store.close()
    made = next(request for request in script.requests if (request.method, request.path) == ("POST", "/api/v2/buckets"))
    assert json.loads(made.body) == {"name": "epics", "orgID": "0123", "retentionRules": [{"type": "expire", "everySeconds": 86400}]}
    assert made.headers["Authorization"] == "Token first"
    written = script.requests[-1]
    assert (written.method, written.path) == ("POST", "/api/v2/write")
    assert written.query == {"precision": ["ns"], "bucket": ["epics"], "org": ["lab"]}
    assert (written.headers["Authorization"], written.headers["Content-Encoding"]) == ("Token second", "gzip")
    assert gzip.decompress(written.body) == b"sample,pv=A value=2.0 1\n"


@pytest.mark.parametrize(
    ("version", "chosen", "path"),
    [
        ("1.6.7~rc0", "auto", "/write"),
        ("1.7.11", "auto", "/write"),
        ("1.8.10", "auto", "/api/v2/write"),
        ("1.11.8", "auto", "/api/v2/write"),
        ("1.8.10", "v1", "/write"),
        ("v2.7.1", "v1", "/write"),
        ("3.0.1", "auto", "/api/v2/write"),
        ("", "v2", "/api/v2/write"),
    ],
)
def test_where_each_version_is_written_to(script: Script, version: str, chosen: str, path: str) -> None:
    """1.6 and 1.7 know /write only, later versions get /api/v2/write, and the configuration may say otherwise."""
    script.version = version
    shown = b'{"results":[{"series":[{"columns":["name"],"values":[["epics"]]}]}]}\n'
    script.answers = {"/query": (200, {}, shown), "/api/v2/buckets": (200, {}, b'{"buckets":[{}]}')}
    store = opened(InfluxStore(url=script.url, bucket="epics", version=InfluxVersion(chosen)))
    store.write(a_file([Point("A", 1, 2.0)]))
    store.close()
    assert script.requests[-1].path == path


def test_user_and_password(script: Script) -> None:
    """A user logs in with Basic, on the paths of 1.x, which know users in every version."""
    script.answers = {"/api/v2/buckets": (200, {}, b'{"buckets":[{}]}')}
    store = opened(InfluxStore.model_validate({"url": script.url, "bucket": "epics", "username": "me", "password": "top:secret"}))
    store.write(a_file([Point("A", 1, 2.0)]))
    store.close()
    assert (script.requests[-1].path, script.requests[-1].headers["Authorization"]) == ("/write", "Basic bWU6dG9wOnNlY3JldA==")


@pytest.mark.parametrize(
    ("status", "error", "retry_after"),
    [
        (429, StoreUnavailable, 7.0),
        (503, StoreUnavailable, 7.0),
        (500, StoreUnavailable, 7.0),
        (401, StoreDenied, None),
        (403, StoreDenied, None),
        (307, StoreDenied, None),
    ],
)
def test_answers_that_keep_the_file(script: Script, status: int, error: type[Exception], retry_after: float | None) -> None:
    """Busy, failing and refusing servers are told apart, with their words and the pause that they ask for."""
    script.answers = {
        "/api/v2/buckets": (200, {}, b'{"buckets":[{}]}'),
        "/api/v2/write": (status, {"Retry-After": "7"}, b'{"message": "not now"}'),
    }
    store = opened(InfluxStore(url=script.url, bucket="epics"))
    with pytest.raises(error, match=f"{status} not now") as caught:
        store.write(a_file([Point("A", 1, 2.0)]))
    assert getattr(caught.value, "retry_after", None) == retry_after
    store.close()


def test_what_is_no_influxdb(script: Script) -> None:
    """A server that does not tell an InfluxDB version is not written to."""
    script.version = ""
    store = InfluxDatabase(InfluxStore(url=script.url, bucket="epics"))
    with pytest.raises(StoreDenied, match="is this an InfluxDB"):
        store.prepare()
    store.close()
