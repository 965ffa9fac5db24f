from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.processes.http_client import HttpClient
from tests.processes.tools import missing_tool
from tests.readers.appliance_decoder import DOUBLE, DOUBLES, FLOAT, FLOATS, INT, INTS

_PROGRAMS = Path(__file__).parent / "published-clients"
_ENVIRONMENTS = Path(__file__).parents[2] / ".cache/clients"
CLIENT_S = 120.0


@dataclass(frozen=True, slots=True)
class PublishedClient:
    """A client as it is on PyPI.

    environment: where it is installed. program: how it is called. error_ns: of its times, which some clients reckon in float64.
    strict_json: it gives up on an answer with NaN or Infinity, which the protocol has as they are.
    kinds: types that it reads; aaclient 0.0.5 takes 16-bit numbers for halves of its 32-bit ones, and crashes on bytes.
    padded: it gives rows of one length, filled with zeros.
    """

    environment: str
    program: str
    error_ns: int = 0
    strict_json: bool = False
    kinds: frozenset[int] = frozenset(range(14))
    padded: bool = False

    def read(self, http: HttpClient, start: str, end: str, names: Sequence[str]) -> dict[str, list[tuple[int, object, int, int]]]:
        """Time, value, severity and status of the samples of each channel. The test is skipped where the client is not installed."""
        if not is_installed(self.environment):
            missing_tool("clients", "`make proof` installs them into .cache/clients")
        found = run_client(self.environment, self.program, http, [start, end, *names])
        return {name: [(time, value, severity, status) for time, value, severity, status in one] for name, one in found.items()}


def is_installed(environment: str) -> bool:
    """Whether a client is there."""
    return (_ENVIRONMENTS / environment / "ready").exists()


def run_client(environment: str, program: str, http: HttpClient, arguments: Sequence[str]) -> Any:
    """What a program that uses a client says, as JSON."""
    python = _ENVIRONMENTS / environment / "bin/python"
    host, port = http.url.removeprefix("http://").split(":")
    command = [str(python), str(_PROGRAMS / f"{program}.py"), host, port, *arguments]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | {"TZ": "UTC", "NO_PROXY": host}
    done = subprocess.run(command, capture_output=True, text=True, timeout=CLIENT_S, check=False, env=variables)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


CLIENTS = {
    "pyarchappl, raw": PublishedClient("pyarchappl", "pyarchappl_raw", 2 * 10**6),
    "pyarchappl, json": PublishedClient("pyarchappl", "pyarchappl_json", 2 * 10**6, strict_json=True),
    "epicsarchiver-retrieval-client": PublishedClient("retrieval-client", "retrieval_client"),
    "aaclient": PublishedClient("aaclient", "aaclient_raw", kinds=frozenset({FLOAT, INT, DOUBLE, FLOATS, INTS, DOUBLES}), padded=True),
    "archapp": PublishedClient("archapp", "archapp_json", 1000),
}
