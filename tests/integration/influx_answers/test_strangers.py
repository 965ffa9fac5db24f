"""Answers that are not those of an InfluxDB, to each request that we make: nothing is lost, nothing refused, nothing dies."""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archioc.core.config.store import InfluxStore
from archioc.core.errors import QueryError, StoreDenied, StoreError, StoreUnavailable
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.table import ChannelTable, StoreState
from archioc.db.delivery.delivery_counters import DeliveryCounters
from archioc.db.delivery.loop import Delivery
from archioc.db.delivery.store_status import StoreStatus
from archioc.db.influx.store import InfluxDatabase
from tests.archives.batches import Point, make_batch, spool_file
from tests.integration.influx_answers.line_files import GENERATIONS, one_sample
from tests.integration.influx_answers.strangers import DOCUMENTS, OWN, PAGE, STATUSES, Stranger, kind_of
from tests.processes.influx_double import Answer, InfluxDouble

FAILURES = (StoreUnavailable, StoreDenied)


class Site:
    """A store of one version behind a stranger, and a delivery to it."""

    def __init__(self, version: str, root: Path) -> None:
        self.server = InfluxDouble(version)
        self.stranger = Stranger(self.server)
        block = {"url": self.server.url, "bucket": "epics", "org": "lab", "retention": "30d"}
        self.store = InfluxDatabase(InfluxStore.model_validate(block))
        self.spool, self.table = SpoolDirectory(root / "spool"), ChannelTable(root)
        self.spool.create()
        self.table.create(10)
        self.delivery = Delivery(self.spool, self.store, DeliveryCounters(self.table.delivery), StoreStatus(self.table.delivery))
        self.committed = 0

    def commit(self) -> None:
        self.committed += 1
        made = spool_file(LineEncoder(self.store.destination), make_batch([Point("A", time.time_ns(), 1.0)]), self.committed)
        self.spool.publish(self.spool.prepare(made))

    def deliver(self) -> bool:
        """Whether all went well."""
        try:
            while self.delivery.step():
                pass
        except FAILURES as error:
            self.delivery._failed(error)
            return False
        return True

    def head(self, name: str) -> int:
        return int(self.table.delivery.head[name][0])

    @property
    def error(self) -> str:
        return bytes(self.table.delivery.head["error"][0]).decode()

    def pending(self) -> int:
        return len(self.spool.waiting()) + len(self.spool.claimed())

    def read(self) -> None:
        """Ask all that a reader asks; only errors of the store may come."""
        far = 2**62
        for ask in (
            lambda: list(self.store.samples("A", 0, far)),
            lambda: self.store.bins("A", 0, 10**9, 10),
            lambda: list(self.store.alarms("A", 0, far)),
            lambda: list(self.store.names()),
            lambda: self.store.events("A", 0, far),
            lambda: self.store.archivers("A"),
            lambda: self.store.meta("A", far),
            lambda: self.store.audit(0, far),
        ):
            with suppress(QueryError, *FAILURES):
                ask()

    def close(self) -> None:
        self.store.close()
        self.table.close()
        self.server.stop()


@contextmanager
def a_site(version: str) -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as root:
        made = Site(version, Path(root))
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(params=GENERATIONS)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with a_site(request.param) as made:
        yield made


def by_itself(status: int, body: bytes, *, own: bool = False) -> Answer:
    """An answer as it is put on the wire; 204 and 304 have no body."""
    return Answer(status, b"" if status in {204, 304} else body, OWN if own else {})


def refuses_lines(answer: Answer) -> bool:
    """Whether it is InfluxDB's own word about the lines of a write."""
    try:
        told = json.loads(answer.body)
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    ours = "X-Influxdb-Version" in answer.headers or isinstance(told.get("error"), str) or isinstance(told.get("message"), str)
    return ours and answer.status in {400, 413, 422}


@pytest.mark.parametrize("status", [200, 201, 202, 206, 301, 307, 400, 403, 404, 413, 422])
def test_a_page_is_no_acknowledgement(site: Site, status: int) -> None:
    """A page that a proxy puts in the place of answers to writes: Denied with its words, the batch waits, and goes on by itself."""
    site.commit()
    assert site.deliver()
    site.commit()
    site.stranger.says = lambda request: by_itself(status, PAGE) if request.writes else None
    assert not site.deliver()
    assert (site.head("store_state"), site.pending()) == (StoreState.DENIED, 1)
    assert "Maintenance" in site.error
    site.stranger.says = None
    assert site.deliver()
    assert (site.head("stored"), site.head("rejected"), site.pending()) == (2, 0, 0)
    assert len(site.server.lines) >= 2
    assert not list((site.spool.root / "quarantine").iterdir())


@pytest.mark.parametrize("status", [200, 204, 302, 400, 403, 404, 413])
def test_a_page_before_everything(site: Site, status: int) -> None:
    """The same in the place of every answer, from the first start on."""
    site.commit()
    site.stranger.says = lambda _: by_itself(status, PAGE)
    assert not site.deliver()
    assert (site.head("store_state"), site.pending(), site.head("stored")) == (StoreState.DENIED, 1, 0)
    site.read()
    site.stranger.says = None
    assert site.deliver()
    assert (site.head("stored"), site.head("rejected"), site.pending()) == (1, 0, 0)


def test_a_large_body_that_a_proxy_does_not_let_pass(site: Site) -> None:
    """A proxy's own 413 halves the body; where it takes no single line either, few requests show it, and the batch waits."""
    points = [Point(f"PV{at}", time.time_ns() + at, at / 3) for at in range(1000)]
    site.store.prepare()
    site.stranger.says = lambda request: by_itself(413, PAGE) if request.writes and len(request.lines()) > 100 else None
    assert not site.store.write(spool_file(LineEncoder(site.store.destination), make_batch(points))).rejected.any()
    assert len(site.server.lines) == 1000
    before = len(site.server.requests)
    site.stranger.says = lambda request: by_itself(413, PAGE) if request.writes else None
    site.stranger.asked = 0
    with pytest.raises(StoreDenied, match="413"):
        site.store.write(spool_file(LineEncoder(site.store.destination), make_batch(points)))
    assert site.stranger.asked <= 20
    assert len(site.server.requests) - before <= 5


def test_an_answer_that_ends_in_the_middle(site: Site) -> None:
    """An answer of which the last piece says that it goes on is no answer."""
    piece = b'{"results":[{"statement_id":0,"series":[{"name":"sample","columns":["time","value"],"values":[[1,2.0]]}],"partial":true}]}\n'
    site.store.prepare()
    site.stranger.says = lambda request: Answer(200, piece, OWN) if request.path == "/query" else None
    for ask in (lambda: list(site.store.samples("A", 0, 1)), lambda: site.store.meta("A", 1), lambda: list(site.store.names())):
        with pytest.raises((StoreUnavailable, StoreDenied)):
            ask()


@pytest.mark.parametrize("version", GENERATIONS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_answer_to_any_request(version: str, data: st.DataObject) -> None:
    """Whatever is answered to one kind of request, all else being right: what waits is stored once, or waits until the answer is right."""
    with a_site(version) as site:
        site.commit()
        assert site.deliver()
        site.read()
        kind = data.draw(st.sampled_from(sorted(site.stranger.seen)))
        body = data.draw(st.binary(max_size=20) | st.just(PAGE) | DOCUMENTS.map(lambda one: json.dumps(one).encode()))
        strange = by_itself(data.draw(STATUSES), body, own=data.draw(st.booleans()))
        writes = kind.endswith("/write")
        if writes and refuses_lines(strange):
            return
        site.stranger.says = lambda request: strange if kind_of(request) == kind else None
        site.delivery._prepared = False
        site.commit()
        fine = site.deliver()
        if writes and strange.status != 204:
            assert (fine, site.pending(), site.head("stored")) == (False, 1, 1)
        site.read()
        site.stranger.says = None
        assert site.deliver()
        assert (site.head("stored"), site.head("rejected"), site.pending()) == (2, 0, 0)
        assert not list((site.spool.root / "quarantine").iterdir())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 999 Odd\r\n\r\n",
        b"HTTP/1.1 204\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 400 \xff\xfe\r\nContent-Length: 2\r\n\r\n\xff\xfe",
        b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: \xff\r\nDate: never\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.8.10\r\nDate: Mon, 01 Jan 0001 00:00:00 +2359\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_is_hardly_http(raw: bytes, scheme: str) -> None:
    """A server of another protocol, TLS where none is expected and the other way round: an error of the store, no other."""
    with raw_server(raw) as port:
        store = InfluxDatabase(InfluxStore.model_validate({"url": f"{scheme}://127.0.0.1:{port}", "bucket": "epics", "timeout": "0.5s"}))
        for ask in (store.prepare, lambda: store.write(one_sample()), lambda: list(store.samples("A", 0, 1)), lambda: store.meta("A", 1)):
            with suppress(StoreError):
                ask()
        store.close()


@contextmanager
def raw_server(raw: bytes) -> Iterator[int]:
    """Says the same bytes to everybody; its port."""

    class Says(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.request.settimeout(1)
                self.request.recv(65_536)
                self.request.sendall(raw)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Says) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@pytest.mark.parametrize("status", [200, 400, 404])
def test_a_server_that_has_no_empty_answer(site: Site, status: int) -> None:
    """`measurement not found`, what openGemini says of a new database, is nothing: every query has an empty answer."""
    site.store.prepare()
    words = {"error": "measurement not found"}
    body = json.dumps({"results": [{"statement_id": 0, **words}]} if status == 200 else words).encode()
    site.stranger.says = lambda request: Answer(status, body, OWN) if request.path == "/query" else None
    store = site.store
    for found in (list(store.samples("A", 0, 10)), list(store.alarms("A", 0, 10)), list(store.names()), store.events("A", 0, 10)):
        assert not found
    assert not store.archivers("A")
    assert not store.audit(0, 10)
    assert (store.at("A", 5), store.meta("A", 5)) == (None, None)
    assert not store.bins("A", 0, 10, 5).count.any()
