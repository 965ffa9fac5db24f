"""For which names and for pages of which servers the archive is read."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from archioc.core.config.file import parse_config
from archioc.core.errors import ConfigError
from tests.conftest import ServedStoreFactory
from tests.processes.raw_http import ask, asked
from tests.processes.served_store import ServedStore

CLOSE = ["Connection: close"]
PATHS = ("/", "/healthz", "/readyz", "/api/channels?search=", "/retrieval/bpl/getVersion", "/openapi.json", "/nothing")


def answer(served: ServedStore, path: str, host: str, *headers: str) -> tuple[int, str]:
    address = served.listener.getsockname()[:2]
    status, whole = ask(address, asked(path, [*CLOSE, *headers], host=host))
    return status, whole.decode()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:17668",
        "127.9.9.9",
        "localhost",
        "LocalHost:80",
        "localhost.",
        "archive.localhost",
        "[::1]",
        "[::1]:17668",
        socket.gethostname(),
        f"{socket.gethostname().upper()}:1",
        socket.gethostname().partition(".")[0],
    ],
)
def test_own_names_are_answered(served_store: ServedStoreFactory, host: str) -> None:
    """Loopback names and addresses and the names of this machine are its own, with any port."""
    served = served_store()
    assert answer(served, "/retrieval/bpl/getVersion", host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:17668",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evillocalhost",
        "8.8.8.8",
        "[2001:db8::1]",
        "2130706433",
        "127.1",
        "[",
        "[::1",
        "[::1]evil.example",
        "localhost:evil.example",
        "a b",
        "localhost@evil.example",
        "evil.example#localhost",
        "x" * 5000,
    ],
)
def test_other_names_are_refused_in_words(served_store: ServedStoreFactory, host: str) -> None:
    """Whatever is asked under a name that is not the server's own is refused, with the setting that would allow it."""
    served = served_store()
    for path in PATHS:
        status, text = answer(served, path, host)
        assert status in ({421, 400} if set(host) & set(" []@#") else {421}), (path, text)
        if status == 421:
            assert "http.allowed_hosts" in text
            assert len(text) < 700, "a long name is cut short"
            assert "access-control-allow-origin" not in text.lower()


def test_allowed_hosts(served_store: ServedStoreFactory) -> None:
    """Names and domains of the setting are answered, others are not; a star allows all."""
    served = served_store(settings={"allowed_hosts": ["Archiver.lab", "*.controls.example", "192.0.2.7", "[2001:DB8::7]"]})
    for host in ("archiver.lab", "ARCHIVER.LAB:8080", "a.controls.example", "a.b.controls.example.", "192.0.2.7:1", "[2001:db8::7]:80"):
        assert answer(served, "/healthz", host)[0] == 200, host
    for host in ("lab", "controls.example", "evilcontrols.example", "x.archiver.lab", "192.0.2.8"):
        assert answer(served, "/healthz", host)[0] == 421, host
    assert answer(served_store(settings={"allowed_hosts": ["*"]}), "/healthz", "evil.example")[0] == 200


def test_forwarded_names_do_not_count(served_store: ServedStoreFactory) -> None:
    """A header that names another host does not replace the Host header."""
    served = served_store()
    assert answer(served, "/healthz", "evil.example", "X-Forwarded-Host: localhost", "Forwarded: host=localhost")[0] == 421
    assert answer(served, "/healthz", "localhost", "X-Forwarded-Host: evil.example")[0] == 200


def test_pages_of_other_servers_may_not_read(served_store: ServedStoreFactory) -> None:
    """No answer, an error neither, tells a browser that a page of another server may read it; nor does a preflight."""
    served = served_store()
    for path in PATHS:
        for origin in ("https://evil.example", "null", "http://localhost:3000"):
            _, text = answer(served, path, "127.0.0.1", f"Origin: {origin}")
            head = text.lower().partition("\r\n\r\n")[0]  # the page of the interface itself names the header
            assert "access-control" not in head
            assert "x-content-type-options: nosniff" in head
    address = served.listener.getsockname()[:2]
    preflight = asked("/api/channels", [*CLOSE, "Origin: https://evil.example", "Access-Control-Request-Method: GET"], "OPTIONS")
    assert b"access-control" not in ask(address, preflight)[1].lower()


def test_allowed_origins(served_store: ServedStoreFactory) -> None:
    """An origin of the setting is allowed by its name, another one is not; a star allows all."""
    served = served_store(settings={"allowed_origins": ["https://viewer.lab", "http://localhost:3000"]})
    for origin in ("https://viewer.lab", "http://localhost:3000"):
        assert f"access-control-allow-origin: {origin}\r" in answer(served, "/api/channels", "127.0.0.1", f"Origin: {origin}")[1].lower()
    for origin in ("https://evil.example", "https://viewer.lab.evil.example", "http://viewer.lab", "http://localhost", "null"):
        assert "access-control-allow-origin" not in answer(served, "/api/channels", "127.0.0.1", f"Origin: {origin}")[1].lower(), origin
    every = served_store(settings={"allowed_origins": ["*"]})
    assert "access-control-allow-origin: *" in answer(every, "/api/channels", "127.0.0.1", "Origin: null")[1].lower()


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("allowed_hosts: [archiver.lab:17668]", "without a port"),
        ("allowed_hosts: [https://archiver.lab]", "must be a host name"),
        ("allowed_hosts: ['*lab']", "must be a host name"),
        ("allowed_hosts: ['']", "must be a host name"),
        ("allowed_hosts: archiver.lab", "must be a list"),
        ("allowed_origins: [viewer.lab]", "must be an origin"),
        ("allowed_origins: [https://viewer.lab/]", "without a path"),
        ("head_limit: 0", "must lie between 0.5 and 60 s"),
        ("connections: 1", "connections"),
        ("places_per_address: 31", "places_per_address"),
    ],
)
def test_wrong_settings(tmp_path: Path, block: str, words: str) -> None:
    """What is no name, origin or limit is refused with the rule."""
    with pytest.raises(ConfigError, match=words):
        parse_config(f"http: {{{block}}}\n", tmp_path / "site.yml")
