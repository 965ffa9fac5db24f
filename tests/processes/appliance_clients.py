from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.processes.http_client import HttpClient
from tests.processes.tools import missing_tool

_PROGRAMS = Path(__file__).parent / "published-clients"
_ENVIRONMENTS = Path(__file__).parents[2] / ".cache/clients"
CLIENT_S = 120.0


@dataclass(frozen=True, slots=True)
class PublishedClient:
    """A client as it is on PyPI. environment: where it is installed; program: how it is called; resolution_ns: of its times.

    strict_json: it gives up on an answer with NaN or Infinity, which the protocol has as they are.
    """

    environment: str
    program: str
    resolution_ns: int = 1
    strict_json: bool = False

    def read(self, http: HttpClient, start: str, end: str, names: Sequence[str]) -> dict[str, list[tuple[int, object, int, int]]]:
        """Time, value, severity and status of the samples of each channel. The test is skipped where the client is not installed."""
        python = _ENVIRONMENTS / self.environment / "bin/python"
        if not (_ENVIRONMENTS / self.environment / "ready").exists():
            missing_tool("clients", "`make proof` installs them into .cache/clients")
        host, port = http.url.removeprefix("http://").split(":")
        command = [str(python), str(_PROGRAMS / f"{self.program}.py"), host, port, start, end, *names]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | {"TZ": "UTC", "NO_PROXY": host}
        done = subprocess.run(command, capture_output=True, text=True, timeout=CLIENT_S, check=False, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        found = json.loads(done.stdout.splitlines()[-1])
        return {name: [(time, value, severity, status) for time, value, severity, status in one] for name, one in found.items()}


CLIENTS = {
    "pyarchappl, raw": PublishedClient("pyarchappl", "pyarchappl_raw", 10**6),
    "pyarchappl, json": PublishedClient("pyarchappl", "pyarchappl_json", 10**6, strict_json=True),
    "epicsarchiver-retrieval-client": PublishedClient("retrieval-client", "retrieval_client"),
    "aaclient": PublishedClient("aaclient", "aaclient_raw"),
    "archapp": PublishedClient("archapp", "archapp_json", 1000),
}
