"""Every kind of answer that an InfluxDB of any version gives, on a double that answers as they do."""

from __future__ import annotations

import gzip
import json
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archioc.core.config_store import InfluxStore, InfluxVersion
from archioc.core.encoding.compression import compress, decompress
from archioc.core.encoding.escaping import split_lines
from archioc.core.encoding.line_protocol import LineEncoder
from archioc.core.errors import StoreDenied, StoreUnavailable
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool import SpoolDirectory, SpoolFile
from archioc.core.table import ChannelTable
from db.book import DeliveryBook
from db.delivery import Delivery
from db.influx import InfluxDatabase
from db.store_status import StoreStatus
from tests.batches import Point, make_batch, spool_file
from tests.processes.influx_double import Answer, InfluxDouble, told
from tests.processes.tools import missing_tool

GENERATIONS = ["1.6.7~rc0", "1.8.10", "v2.7.12", "3.9.0"]
DAY_S = 86_400

Double = Callable[..., InfluxDouble]
Opened = Callable[..., InfluxDatabase]


@pytest.fixture
def double() -> Iterator[Double]:
    """double(version, retention_s=None, max_body=..., tls=None): a running server."""
    made: list[InfluxDouble] = []

    def start(version: str, **settings: object) -> InfluxDouble:
        made.append(InfluxDouble(version, **settings))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for server in made:
        server.stop()


@pytest.fixture
def opened() -> Iterator[Opened]:
    """opened(server, **settings): a store on it that is ready to write."""
    made: list[InfluxDatabase] = []

    def open_store(server: InfluxDouble, **settings: object) -> InfluxDatabase:
        made.append(InfluxDatabase(InfluxStore.model_validate({"url": server.url, "bucket": "epics", "org": "lab", **settings})))
        made[-1].prepare()
        return made[-1]

    yield open_store
    for store in made:
        store.close()


def a_file(points: list[Point], replace: dict[bytes, bytes] | None = None, *, committed_ns: int | None = None) -> SpoolFile:
    """A spool file of these; texts of its line protocol are replaced, to make lines that a server refuses."""
    made = spool_file(LineEncoder("influxdb"), make_batch(points))
    body = decompress(made.payload)
    for text, other in (replace or {}).items():
        assert body.count(text) == 1
        body = body.replace(text, other)
    return SpoolFile(1, committed_ns or time.time_ns(), made.destination, made.counts, compress(body))


def one_sample() -> SpoolFile:
    return a_file([Point("A", time.time_ns(), 2.0)])


@pytest.mark.parametrize("version", GENERATIONS)
def test_good_lines(double: Double, opened: Opened, version: str) -> None:
    """204: one request, gzipped as it lies in the spool, and nothing is rejected."""
    server = double(version)
    store = opened(server)
    file = one_sample()
    outcome = store.write(file)
    assert (outcome.rejected.tolist(), outcome.refusals, outcome.events, outcome.remark) == ([0], (), (), "")
    assert [request.body for request in server.writes] == [file.payload]
    assert server.writes[0].headers["Content-Encoding"] == "gzip"
    assert len(server.lines) == 1


@pytest.mark.parametrize("version", GENERATIONS)
def test_bad_lines_are_found(double: Double, opened: Opened, version: str) -> None:
    """400 and 422: good lines are stored, bad ones told with the server's words, old ones counted; an event for each channel says so."""
    server = double(version, retention_s=None if version.startswith("3") else DAY_S)
    store = opened(server, retention=DAY_S)
    now = time.time_ns()
    old = now - 3 * DAY_S * 10**9
    points = [Point(f"PV{at % 4}", old + at if at % 4 == 2 and at >= 100 else now + at, float(at)) for at in range(200)]
    if version.startswith("3"):
        points = [point for point in points if point.time_ns >= now]
    outcome = store.write(a_file(points, {b"value=8.0": b'value="eight"', b"value=17.0": b"value=nan"}))
    too_old = sum(point.time_ns < now for point in points)
    assert outcome.rejected.tolist() == [1, 1, too_old, 0]
    assert outcome.kept.tolist() == [1, 1, 0, 0]
    assert [b'"eight"' in one.content or b"=nan" in one.content for one in outcome.refusals] == [True, True]
    assert all(one.message.split(": ")[1][:3] in {"400", "422"} for one in outcome.refusals)
    assert len(server.lines) == len(points) - 2 - too_old
    told_of = [(event.channel, event.reason, event.count) for event in outcome.events]
    expected = [("PV0", Reason.REJECTED, 1), ("PV1", Reason.REJECTED, 1), ("PV2", Reason.REJECTED, too_old)]
    assert told_of == [one for one in expected if one[2]]
    assert len(server.writes) < 60


@pytest.mark.parametrize("version", ["1.8.10", "v2.7.12"])
def test_what_is_too_old_is_not_sent(double: Double, opened: Opened, version: str) -> None:
    """Where a file may hold samples beyond the retention they are split off by the server's clock before anything is posted."""
    server = double(version, retention_s=DAY_S)
    server.databases["epics"] = {"id": "1", "orgID": "2", "retentionRules": [{"everySeconds": DAY_S}]}
    store = opened(server)
    now = time.time_ns()
    outcome = store.write(a_file([Point("A", now - 2 * DAY_S * 10**9, 1.0), Point("A", now, 2.0), Point("B", now - 10**16, 3.0)]))
    assert (outcome.rejected.tolist(), outcome.refusals) == ([1, 1], ())
    assert [request.lines() for request in server.writes] == [[b"sample,pv=A value=2.0 %d" % now]]


def test_a_retention_that_was_cut_short(double: Double, opened: Opened) -> None:
    """When the server has a shorter retention than it told at first, its answer tells; a file that is too old as a whole is rejected."""
    server = double("1.6.7~rc0", retention_s=1000 * DAY_S)
    store = opened(server)
    server.retention_s = DAY_S
    now = time.time_ns()
    old = now - 3 * DAY_S * 10**9
    outcome = store.write(a_file([Point(f"PV{at}", old + at if at % 3 else now, 1.0) for at in range(300)]))
    assert (int(outcome.rejected.sum()), outcome.refusals) == (200, ())
    assert len(server.writes) == 2
    assert int(store.write(a_file([Point("A", old, 1.0)])).rejected.sum()) == 1


def test_a_retention_that_was_extended(double: Double, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sample is given up for a retention that the server had a while ago."""
    server = double("1.6.7~rc0", retention_s=DAY_S)
    store = opened(server)
    server.retention_s = 30 * DAY_S
    monkeypatch.setattr("db.influx.RETENTION_HOLDS_S", 0.0)
    outcome = store.write(a_file([Point("A", time.time_ns() - 3 * DAY_S * 10**9, 1.0)]))
    assert int(outcome.rejected.sum()) == 0
    assert len(server.lines) == 1


@pytest.mark.parametrize("version", GENERATIONS)
def test_a_body_that_is_too_large(double: Double, opened: Opened, version: str) -> None:
    """413: the body is halved until the server takes it, and nothing is rejected."""
    server = double(version, max_body=2000)
    outcome = opened(server).write(a_file([Point(f"PV{at}", time.time_ns() + at, at / 3) for at in range(500)]))
    assert (int(outcome.rejected.sum()), len(server.lines)) == (0, 500)


def test_a_line_that_is_too_large_for_itself(double: Double, opened: Opened) -> None:
    """413 for a single line: it is told as refused, all others are stored."""
    server = double("3.9.0", max_body=2000)
    points = [Point(f"PV{at}", time.time_ns() + at, at / 3) for at in range(50)]
    outcome = opened(server).write(a_file(points, {b"value=3.0": b'text="%s"' % (b"x" * 3000)}))
    assert (outcome.rejected.nonzero()[0].tolist(), len(outcome.refusals), len(server.lines)) == ([9], 1, 49)
    assert "413" in outcome.refusals[0].message


@pytest.mark.parametrize("version", ["1.8.10", "v2.7.12", "3.9.0"])
@pytest.mark.parametrize("status", [401, 403, 404, 307])
def test_answers_that_call_for_a_person(double: Double, opened: Opened, version: str, status: int) -> None:
    """401, 403, 404 and whatever else is no answer to a write: the file is kept, with the server's words."""
    server = double(version)
    store = opened(server)
    server.scripted = [told(status, {"error": "not you"})]
    with pytest.raises(StoreDenied, match=f"{status} not you"):
        store.write(one_sample())
    assert store.write(one_sample()).rejected.tolist() == [0]


@pytest.mark.parametrize("version", ["1.8.10", "v2.7.12", "3.9.0"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_answers_of_a_busy_server(double: Double, opened: Opened, version: str, status: int) -> None:
    """429 and 5xx: the file is kept, with the server's words and the pause that it asks for."""
    server = double(version)
    store = opened(server)
    server.scripted = [told(status, {"error": "timeout"}, **{"Retry-After": "7"}), told(status, {"error": "timeout"})]
    for pause in (7.0, None):
        with pytest.raises(StoreUnavailable, match=f"{status} timeout") as caught:
            store.write(one_sample())
        assert caught.value.retry_after == pause


def test_a_busy_server_in_the_middle_of_a_search(double: Double, opened: Opened) -> None:
    """When the server is gone while bad lines are looked for, the whole file is kept; sent again it ends the same."""
    server = double("v2.7.12")
    store = opened(server)
    file = a_file([Point("A", time.time_ns() + at, float(at)) for at in range(100)], {b"value=8.0": b'value="eight"'})
    server.scripted = [told(422, {"message": "partial write: field type conflict dropped=1"}), Answer(), Answer(503)]
    with pytest.raises(StoreUnavailable):
        store.write(file)
    assert store.write(file).kept.tolist() == [1]
    assert len(server.lines) == 99


def test_no_answer(double: Double, opened: Opened) -> None:
    """A server that does not answer within the timeout counts as away."""
    server = double("1.8.10")
    store = opened(server, timeout=0.3)
    server.scripted = [0.6]
    with pytest.raises(StoreUnavailable, match="timed out"):
        store.write(one_sample())
    assert store.write(one_sample()).rejected.tolist() == [0]


@pytest.mark.parametrize(
    ("version", "chosen", "path"),
    [
        ("1.6.7~rc0", "auto", "/write"),
        ("1.7.11", "auto", "/write"),
        ("1.8.10", "auto", "/api/v2/write"),
        ("1.11.8", "auto", "/api/v2/write"),
        ("1.8.10", "v1", "/write"),
        ("v2.7.12", "v1", "/write"),
        ("3.9.0", "auto", "/api/v2/write"),
        ("", "v2", "/api/v2/write"),
    ],
)
def test_where_each_version_is_written_to(double: Double, opened: Opened, version: str, chosen: str, path: str) -> None:
    """1.6 and 1.7 know /write only, later versions get /api/v2/write, and the configuration may say otherwise."""
    server = double(version)
    opened(server, version=InfluxVersion(chosen)).write(one_sample())
    assert [request.path for request in server.writes] == [path]


@pytest.mark.parametrize(("version", "lanes"), [("1.8.10", 2), ("v2.7.12", 2), ("3.9.0", 8)])
def test_a_server_that_answers_slowly_gets_several_files_at_once(
    double: Double, opened: Opened, tmp_path: Path, version: str, lanes: int
) -> None:
    """Where each answer takes its time, as with 3.x, whose log is written once a second, a backlog drains through several connections."""
    server = double(version)
    store = opened(server)
    spool, table = SpoolDirectory(tmp_path / "spool"), ChannelTable(tmp_path)
    spool.create()
    table.create(1)
    files, pause_s = 1 + 2 * lanes, 0.3
    for batch_id in range(1, files + 1):
        made = spool_file(LineEncoder(store.destination), make_batch([Point("A", time.time_ns(), float(batch_id))]), batch_id)
        spool.publish(spool.prepare(made))
    server.scripted = [pause_s] * files
    delivery = Delivery(spool, store, DeliveryBook(table.delivery), StoreStatus(table.delivery))
    started = time.monotonic()
    while delivery.step():
        pass
    spent = time.monotonic() - started
    assert (store.lanes, len(server.lines), int(table.delivery.head["stored"][0])) == (lanes, files, files)
    assert spent < 0.9 * files * pause_s if lanes == 2 else spent < 0.6 * files * pause_s
    table.close()


@pytest.mark.parametrize("version", ["v2.0.9", "v2.7.12"])
def test_a_bucket_of_2x(double: Double, opened: Opened, tmp_path: Path, version: str) -> None:
    """2.x: bucket and mapping are made in their organisation, with the retention; writes are gzipped and have the token of the moment.

    From 2.1 on the server has a mapping of itself.
    """
    server = double(version)
    server.token = "first"
    token = tmp_path / "token"
    token.write_text("first\n")
    store = opened(server, token_file=str(token), retention=DAY_S)
    made = {request.path: json.loads(request.body) for request in server.requests if request.method == "POST"}
    bucket = {"name": "epics", "orgID": "0123", "retentionRules": [{"type": "expire", "everySeconds": DAY_S}]}
    mapping = {"bucketID": "4567", "orgID": "0123", "database": "epics", "retention_policy": "autogen", "default": True}
    assert made == {"/api/v2/buckets": bucket} | ({"/api/v2/dbrps": mapping} if version == "v2.0.9" else {})
    assert store.warning == ""
    server.token = "second"
    token.write_text("second\n")
    now = time.time_ns()
    store.write(a_file([Point("A", now, 2.0)]))
    written = server.writes[0]
    assert written.query == {"precision": ["ns"], "bucket": ["epics"], "org": ["lab"]}
    assert gzip.decompress(written.body) == b"sample,pv=A value=2.0 %d\n" % now
    store.prepare()
    assert sum(request.method == "POST" for request in server.requests) == len(made) + 1


def test_a_mapping_that_cannot_be_made(double: Double, opened: Opened) -> None:
    """2.x: a token that may not make a mapping, and a mapping to another bucket, do not stop writes, and are told."""
    server = double("v2.0.9")
    server.databases["epics"] = {"id": "1", "orgID": "2", "retentionRules": []}
    server.may_create = False
    store = opened(server)
    assert "reading bucket epics will fail: database not found: epics; " in store.warning
    assert "401 write:orgs/0123/buckets is unauthorized" in store.warning
    assert store.write(one_sample()).rejected.tolist() == [0]
    server.mappings = [{"database": "epics", "retention_policy": "autogen", "bucketID": "other", "virtual": False}]
    store.prepare()
    assert "is mapped (DBRP) to another bucket" in store.warning
    server.mappings = [{"database": "epics", "retention_policy": "autogen", "bucketID": "1", "virtual": True}]
    store.prepare()
    assert store.warning == ""


def test_a_bucket_of_2x_that_cannot_be_read(double: Double, opened: Opened) -> None:
    """2.x: a token that may only write writes, and it is told that reading will fail."""
    server = double("v2.7.12")
    server.databases["epics"] = {"id": "1", "orgID": "2", "retentionRules": []}
    server.may_create = server.may_see = False
    store = opened(server)
    assert store.write(one_sample()).rejected.tolist() == [0]
    assert "reading bucket epics will fail: database not found: epics" in store.warning
    assert "the token may see neither bucket epics nor org lab" in store.warning


def test_2x_needs_an_organisation(double: Double) -> None:
    """2.x without `org` is not written to: it would say 400 to every sample; a user of the paths of 1.x needs none."""
    server = double("v2.7.12")
    server.databases["epics"] = {"id": "1", "orgID": "2", "retentionRules": []}
    store = InfluxDatabase(InfluxStore(url=server.url, bucket="epics"))
    with pytest.raises(StoreDenied, match=r"InfluxDB 2\.7\.12 needs an `org`"):
        store.prepare()
    store.close()
    user = InfluxDatabase(InfluxStore.model_validate({"url": server.url, "bucket": "epics", "username": "me", "password": "secret"}))
    user.prepare()
    assert (user.write(one_sample()).rejected.tolist(), user.warning) == ([0], "")
    user.close()


def test_a_database_of_3x(double: Double, opened: Opened) -> None:
    """3.x: only with a retention is the database made beforehand, in whole hours; one that is there is left alone."""
    server = double("3.9.0")
    opened(server)
    assert server.databases == {}
    for _ in range(2):
        opened(server, retention=5000)
    assert server.databases == {"epics": {"db": "epics", "retention_period": "2h"}}


def test_who_may_write_need_not_be_who_may_create(double: Double, opened: Opened) -> None:
    """A server that lets us write, but neither make nor look, is written to."""
    for version in GENERATIONS:
        server = double(version)
        server.may_create = server.may_see = False
        server.databases["epics"] = {"id": "1", "orgID": "2", "retentionRules": []}
        assert opened(server, retention=DAY_S).write(one_sample()).rejected.tolist() == [0]


def test_events_of_our_own(double: Double, opened: Opened) -> None:
    """Events that the db process tells itself are written as those of the engine are; a server that refuses them stops nothing."""
    server = double("1.8.10")
    store = opened(server)
    now = time.time_ns()
    event = ChannelEvent("A,B", now, Reason.REJECTED, count=3, text="why")
    store.write_events([event])
    store.write_events([event])
    assert server.lines == {rb'event,archiver=main,code=7,pv=A\,B reason="rejected",count=3i,text="why" %d' % now}
    server.scripted = [told(400, {"error": "partial write: points beyond retention policy dropped=1"})]
    store.write_events([event])


def test_user_and_password(double: Double, opened: Opened) -> None:
    """A user logs in with Basic, on the paths of 1.x, which know users in every version."""
    server = double("v2.7.12")
    opened(server, username="me", password="top:secret").write(one_sample())
    assert (server.writes[0].path, server.writes[0].headers["Authorization"]) == ("/write", "Basic bWU6dG9wOnNlY3JldA==")


def test_what_is_no_influxdb(double: Double) -> None:
    """A server that does not tell an InfluxDB version is not written to."""
    store = InfluxDatabase(InfluxStore(url=double("").url, bucket="epics"))
    with pytest.raises(StoreDenied, match="is this an InfluxDB"):
        store.prepare()
    store.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    program = shutil.which("openssl") or missing_tool("openssl", "install the package openssl")
    directory = tmp_path_factory.mktemp("tls")
    key, found = directory / "key.pem", directory / "cert.pem"
    subject = ["-subj", "/CN=influx", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", str(key), "-out", str(found)], check=True, capture_output=True, timeout=30)
    return found, key


def test_the_certificate_is_checked(double: Double, opened: Opened, certificate: tuple[Path, Path]) -> None:
    """https: a certificate that nobody vouches for is refused, unless `ca_file` names it or `verify_tls` is off."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server = double("1.8.10", tls=context)
    stranger = InfluxDatabase(InfluxStore(url=server.url, bucket="epics"))
    with pytest.raises(StoreDenied, match="CERTIFICATE_VERIFY_FAILED"):
        stranger.prepare()
    stranger.close()
    assert opened(server, ca_file=str(certificate[0])).write(one_sample()).rejected.tolist() == [0]


def test_the_proxy_of_the_environment(double: Double, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY is gone through, with the user in it, but not to hosts that NO_PROXY names."""
    server, proxy = double("1.8.10"), double("1.8.10")
    monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//me:secret@"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    opened(server).write(one_sample())
    assert (len(server.writes), proxy.requests) == (1, [])
    monkeypatch.setenv("no_proxy", "elsewhere")
    opened(server).write(one_sample())
    assert (len(server.writes), len(proxy.writes)) == (1, 1)
    assert proxy.writes[0].headers["Proxy-Authorization"] == "Basic bWU6c2VjcmV0"


def test_a_batch_of_arrays_is_sent_in_pieces(double: Double, opened: Opened) -> None:
    """A batch longer than any server takes at once is posted in pieces, without first being refused."""
    server = double("3.9.0", max_body=10 * 1024 * 1024)
    now = time.time_ns()
    points = [Point("A", now + at, 1.0) for at in range(30)]
    file = a_file(points)
    body = decompress(file.payload).replace(b"value=1.0", b'text="' + b"x" * 500_000 + b'"')
    outcome = opened(server).write(SpoolFile(1, file.committed_ns, file.destination, file.counts, compress(body)))
    assert int(outcome.rejected.sum()) == 0
    assert len(server.lines) == 30
    assert len(server.writes) == 2
    assert sum(len(split_lines(gzip.decompress(request.body))) for request in server.writes) == 30
