from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from archioc.demo.child import Child
from tests.processes.waiting import wait_until

_CACHE = Path(__file__).parents[2] / ".cache"
_UNPACKED = _CACHE / "influxdb/usr/bin/influxd"
_BUILT_1_8 = _CACHE / "influxd-1.8/influxd"
_BUILT_2 = _CACHE / "influxd-2.7/influxd"

_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
  dir = "{directory}/meta"
  logging-enabled = false
[data]
  dir = "{directory}/data"
  wal-dir = "{directory}/wal"
  index-version = "{index}"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{http_port}"
  log-enabled = false
[logging]
  level = "warn"
"""


def find_influxd() -> Path | None:
    """The server that `make test` has unpacked, else one on PATH."""
    if _UNPACKED.exists():
        return _UNPACKED
    found = shutil.which("influxd")
    return Path(found) if found else None


def find_influxd_1_8() -> Path | None:
    """The server that `make proof` has built."""
    return _BUILT_1_8 if _BUILT_1_8.exists() else None


def find_influxd_2() -> Path | None:
    """The server that `make influxd-2` has built."""
    return _BUILT_2 if _BUILT_2.exists() else None


class Influxd:
    """A real InfluxDB 1.x server, bound to loopback; started when made, its data stay over `stop`, `kill` and `start`.

    ports: two free ones, for HTTP and for its backup service. index: `inmem` or `tsi1`.
    """

    headers: Mapping[str, str] = {}
    """Who asks: nobody in particular."""

    def __init__(self, program: Path, ports: Sequence[int], directory: Path, index: str = "inmem") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        http_port, rpc_port = ports
        self.url = f"http://127.0.0.1:{http_port}"
        self.directory = directory
        config = directory / "influxdb.conf"
        config.write_text(_CONFIG.format(http_port=http_port, rpc_port=rpc_port, directory=directory, index=index))
        self._command = [str(program), "-config", str(config)]
        self.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def start(self) -> None:
        """Start the server and wait until it answers. Raises TimeoutError."""
        self._child = Child("influxd", self._command, self.directory / "influxd.log")
        try:
            wait_until(self.answers, 90, f"influxd answers at {self.url}, its log: {self._child.log}")
        except TimeoutError:
            self._child.kill()
            raise

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        return self._child.stop(timeout_s=60)

    def kill(self) -> int:
        """SIGKILL; returns the exit status."""
        return self._child.kill()

    def suspend(self) -> None:
        """SIGSTOP: it takes connections and does not answer."""
        psutil.Process(self.pid).suspend()

    def resume(self) -> None:
        """Go on after `suspend`."""
        psutil.Process(self.pid).resume()

    def answers(self) -> bool:
        """Whether /ping says that the server is there."""
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=2) as response:
                return bool(response.status == 204)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def settings(self, bucket: str) -> dict[str, str]:
        """The block `store.influxdb` of a configuration that archives there."""
        return {"url": self.url, "bucket": bucket}

    def make_database(self, name: str) -> None:
        """Make a database or bucket."""
        self.query(f"CREATE DATABASE {name}")

    def drop_database(self, name: str) -> None:
        """Drop one with all that is in it."""
        self.query(f"DROP DATABASE {name}")

    def query(self, text: str, database: str = "") -> list[dict[str, object]]:
        """The rows of an InfluxQL query as column -> value, tags of GROUP BY included; times in ns.

        Raises RuntimeError with the server's words.
        """
        body = urllib.parse.urlencode({"q": text, "db": database, "epoch": "ns"}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/query", body, self.headers), timeout=30) as response:
            answer = json.load(response)
        rows: list[dict[str, object]] = []
        for result in answer["results"]:
            if "error" in result:
                raise RuntimeError(f"{text}: {result['error']}")
            for series in result.get("series", []):
                tags = series.get("tags", {})
                rows += [tags | dict(zip(series["columns"], values, strict=True)) for values in series["values"]]
        return rows


@dataclass(frozen=True, slots=True)
class InfluxDatabase:
    """A database on a running server, made for one test."""

    server: Influxd
    name: str

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def settings(self) -> dict[str, str]:
        """The block `store.influxdb` of a configuration that archives here."""
        return self.server.settings(self.name)

    def query(self, text: str) -> list[dict[str, object]]:
        """As `Influxd.query`, in this database."""
        return self.server.query(text, self.name)
