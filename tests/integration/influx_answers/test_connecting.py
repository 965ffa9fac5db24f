"""Which path, user, certificate and proxy a double of each version is reached by."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from archioc.core.config.store import InfluxStore, InfluxVersion
from archioc.core.errors import StoreDenied
from archioc.db.influx.store import InfluxDatabase
from tests.integration.influx_answers.line_files import Double, Opened, one_sample
from tests.processes.tools import missing_tool


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
    with pytest.raises(StoreDenied, match=server.url):
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
