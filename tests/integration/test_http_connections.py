"""Connections of the HTTP server: clients that do not go on, more of them than there is room for, and what is no HTTP."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from archioc.core.directories import Directories
from archioc.retrieval import connections
from archioc.retrieval.bodies import MAX_BODY
from tests.conftest import ServedStoreFactory
from tests.integration.test_http_limits import PATH, EndlessReader
from tests.processes.http_client import HttpClient
from tests.processes.raw_http import answer_of, ask, asked, connected
from tests.processes.served_store import ServedStore
from tests.processes.waiting import PATIENCE_S, wait_until

CLOSE = ["Connection: close"]
UNFINISHED = b"GET /readyz HTTP/1.1\r\nHost: x\r\nX-A: "


@pytest.fixture
def logged_errors(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What asyncio and uvicorn have logged as an error."""
    return lambda: [record.getMessage() for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}]


def address_of(served: ServedStore) -> tuple[str, int]:
    host, port = served.listener.getsockname()[:2]
    return host, port


@pytest.mark.parametrize(
    "begun", [UNFINISHED, b"", b"POST /mgmt/bpl/getPVStatus HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nA"]
)
def test_health_is_answered_whoever_holds_the_connections(served_store: ServedStoreFactory, begun: bytes) -> None:
    """While one address holds more connections than there may be, with requests that do not go on, health is told to it and to others."""
    served = served_store(settings={"connections": 100, "head_limit": 60, "body_limit": 600})
    with connected(address_of(served), 180) as held:
        for connection in held:
            if begun:
                connection.sendall(begun)
        for path in ("/healthz", "/readyz", "/retrieval/bpl/ping"):
            for source in ("127.0.0.1", "127.0.0.2"):
                assert ask(address_of(served), asked(path, CLOSE), source)[0] == 200, (path, source)
        assert served.connections.number <= 100


def test_who_holds_least_keeps_its_connection(served_store: ServedStoreFactory) -> None:
    """Where there is no more room, a connection of the address that has most of them goes, and of these the one that waits longest."""
    served = served_store(settings={"connections": 20, "head_limit": 60})
    with connected(address_of(served), 1, "127.0.0.2") as (lone,), connected(address_of(served), 1) as (oldest,):
        lone.sendall(asked("/healthz")[:-2])
        oldest.sendall(UNFINISHED)
        wait_until(lambda: served.connections.number == 2, PATIENCE_S, "both are known")
        with connected(address_of(served), 25) as others:
            assert answer_of(oldest) == b""
            assert ask(address_of(served), asked("/healthz", CLOSE), "127.0.0.3")[0] == 200
            lone.sendall(b"Connection: close\r\n\r\n")
            assert answer_of(lone).startswith(b"HTTP/1.1 200 ")
            assert others


def test_head_has_to_be_complete_in_time(served_store: ServedStoreFactory) -> None:
    """A head that comes byte by byte ends with 408 after its time, and so does one that stops; complete ones are answered meanwhile."""
    served = served_store(settings={"head_limit": 0.5})
    with connected(address_of(served), 2) as (slow, stopped):
        stopped.sendall(UNFINISHED)
        begun = time.monotonic()
        slow.setblocking(False)
        sent = 0
        while served.connections.number and time.monotonic() < begun + PATIENCE_S:
            try:
                sent += slow.send(UNFINISHED[sent : sent + 1] or b"a")
            except OSError:
                break
            time.sleep(0.05)
        assert time.monotonic() - begun < 5
        assert answer_of(stopped).startswith(b"HTTP/1.1 408 ")
    assert served.http.get("/healthz").status == 200


def test_each_request_of_a_connection_has_its_time(served_store: ServedStoreFactory) -> None:
    """A connection that is used again and again lives longer than one head may take."""
    served = served_store(settings={"head_limit": 1.0})
    with connected(address_of(served)) as (connection,):
        for _ in range(6):
            connection.sendall(asked("/healthz"))
            found = bytearray()
            while not found.endswith(b"}"):
                found += connection.recv(1 << 16)
            assert found.startswith(b"HTTP/1.1 200 ")
            time.sleep(0.4)


def test_body_has_to_be_complete_in_time(served_store: ServedStoreFactory) -> None:
    """A body that does not come, and one that trickles, end with 408 or are cut off after its time."""
    served = served_store(settings={"body_limit": 0.5})
    head = asked("/mgmt/bpl/getPVStatus", ["Content-Length: 1000"], "POST")
    with connected(address_of(served), 2) as (slow, stopped):
        stopped.sendall(head)
        slow.sendall(head)
        for _ in range(100):
            try:
                slow.sendall(b"A")
            except OSError:
                break
            time.sleep(0.05)
        else:
            pytest.fail("it could trickle for five seconds")
        assert answer_of(stopped).startswith(b"HTTP/1.1 408 ")
    assert served.http.post("/mgmt/bpl/getPVStatus", b"A", "text/plain").status == 200


def test_reader_that_takes_nothing_is_cut_off(served_store: ServedStoreFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is not made piece by piece has its time too: the client has to take some of it."""
    monkeypatch.setattr(connections, "READ_S", 0.5)

    class ManyNames(EndlessReader):
        def names(self, pattern: str = "*") -> Iterator[str]:
            return (f"SR:{at:090d}" for at in range(100_000))

    served = served_store(reader=ManyNames())
    with connected(address_of(served)) as (connection,):
        connection.sendall(asked("/retrieval/bpl/getMatchingPVs?pv=*&limit=-1"))
        wait_until(lambda: served.connections.number == 1, PATIENCE_S, "it is there")
        wait_until(lambda: served.connections.number == 0, PATIENCE_S, "it is cut off")
    whole = served.http.get("/retrieval/bpl/getMatchingPVs", pv="*", limit="-1").json()
    assert len(whole) == 100_000


def test_places_of_one_address(served_store: ServedStoreFactory) -> None:
    """One address has `places_per_address` queries; what it asks beyond waits or is refused, while others are answered at once."""
    reader = EndlessReader()
    served = served_store(reader=reader, settings={"places_per_address": 2})
    with connected(address_of(served), 7) as held:
        for connection in held:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
            connection.sendall(asked(PATH, CLOSE))
        wait_until(lambda: reader.open == 2, PATIENCE_S, "two are answered")
        wait_until(lambda: served.queries.places.waiting == 4, PATIENCE_S, "twice as many wait")
        refused = [connection for connection in held if _has_status(connection, b"503")]
        assert len(refused) == 1
        assert b"retry-after: 5" in answer_of(refused[0]).lower()
        status, text = ask(address_of(served), asked("/retrieval/bpl/getMatchingPVs?pv=*", CLOSE), "127.0.0.2")
        assert (status, text.endswith(b'["A"]')) == (200, True)
    wait_until(lambda: reader.open == 0 and served.queries.places.waiting == 0, PATIENCE_S, "all places are free")


def _has_status(connection: socket.socket, status: bytes) -> bool:
    connection.settimeout(1)
    try:
        return connection.recv(12, socket.MSG_PEEK).split(b" ")[1] == status
    except TimeoutError:
        return False


@pytest.mark.parametrize(
    ("path", "request_bytes"),
    [
        ("/nothing", b"POST /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        ("/healthz", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nAB"),
        ("/healthz", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n\x00\x01\r\n\r\n"),
        ("/mgmt", b"POST /mgmt/bpl/getPVStatus HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nA"),
        ("/mgmt", b"POST /mgmt/bpl/getPVStatus HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n-1\r\n"),
        ("/", b"\x16\x03\x01\x02\x00\x01\x00"),
        ("/", b"\r\n\r\n\r\n"),
        ("/", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        ("/", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("/", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
        ("/", b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nA"),
        ("/", b"GET http://[ HTTP/1.1\r\nHost: [\r\n\r\n"),
        ("/", b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\nAccess-Control-Request-Method: PUT\r\n\r\n"),
        ("/", b"GET /page/page.js HTTP/1.1\r\nHost: 127.0.0.1\r\nRange: bytes=" + b"0-0," * 10_000 + b"\r\n\r\n"),
        ("/", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 70_000),
        ("/", b"GET /archive/1/samples/%ff%fe%00 HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
    ],
)
def test_what_is_no_http_is_no_fault(
    served_store: ServedStoreFactory, logged_errors: Callable[[], list[str]], path: str, request_bytes: bytes
) -> None:
    """Requests that break off or are damaged, at any point, end without an error in the log, and the server goes on."""
    served = served_store()
    for end in {len(request_bytes), len(request_bytes) // 2, len(request_bytes) - 1}:
        with connected(address_of(served)) as (connection,):
            connection.sendall(request_bytes[:end])
            connection.settimeout(0.3)
            try:
                connection.recv(1 << 16)
            except (TimeoutError, ConnectionResetError):
                continue
    assert served.http.get("/healthz").status == 200
    wait_until(lambda: served.connections.number <= 1, PATIENCE_S, "the connections are gone")
    assert not logged_errors()


def test_bodies_have_a_limit_together(served_store: ServedStoreFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies that are on their way take so many bytes together; one more is refused with 503, and room comes back with their end."""
    monkeypatch.setattr("archioc.retrieval.bodies.MAX_ALL", 3_000_000)
    served = served_store()
    head = asked("/mgmt/bpl/getPVStatus", [f"Content-Length: {MAX_BODY}"], "POST")
    with connected(address_of(served), 4) as held:
        for connection in held[:3]:
            connection.sendall(head + b"\n" * 990_000)
        held[3].settimeout(PATIENCE_S)
        held[3].sendall(head + b"\n" * 990_000)
        assert any(_has_status(connection, b"503") for connection in held)
    wait_until(
        lambda: served.http.post("/mgmt/bpl/getPVStatus", b"\n" * 900_000 + b"A", "text/plain").status == 200, 10, "there is room again"
    )


@pytest.fixture
def scarce_server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path, HttpClient]]:
    """A http process that may have 64 descriptors, of an archiver that does not run."""
    config, log = tmp_path / "config.yml", tmp_path / "log"
    config.write_text(yaml.safe_dump({"archiver": {"state_dir": "./state"}, "http": {"port": 0}}))
    directories = Directories(tmp_path / "state")
    directories.run.mkdir(parents=True)

    command = f"ulimit -Sn 40; ulimit -Hn 64; exec {sys.executable} -m retrieval {config}"
    with log.open("wb") as errors:
        process = subprocess.Popen(["sh", "-c", command], stdout=errors, stderr=errors)
    try:
        wait_until(lambda: "http_listens" in log.read_text(), PATIENCE_S, "it listens")
        url = next(line for line in log.read_text().splitlines() if "http_listens" in line).split('"url": "')[1].split('"')[0]
        yield process, log, HttpClient(url)
    finally:
        process.kill()
        process.wait()


def test_descriptors_that_run_out(scarce_server: tuple[subprocess.Popen[bytes], Path, HttpClient]) -> None:
    """With 64 descriptors, 200 idle connections neither keep others out nor cost processor time, and the log has few lines."""
    process, log, http = scarce_server
    host, port = http.url.removeprefix("http://").split(":")
    assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (64, 64), "the soft limit is raised to the hard one"
    with connected((host, int(port)), 200):
        for _ in range(5):
            assert http.get("/healthz").status == 200
            assert http.get("/readyz").status == 503
        assert psutil.Process(process.pid).num_fds() < 60
        before = sum(psutil.Process(process.pid).cpu_times()[:2])
        time.sleep(1)
        assert sum(psutil.Process(process.pid).cpu_times()[:2]) - before < 0.5
    written = log.read_text()
    assert "Traceback" not in written
    assert len(written.splitlines()) < 20, written
