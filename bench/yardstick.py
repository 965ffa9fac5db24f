"""The naive script (`bench.naive_client`) measured: what an update costs without an archiver."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from archioc.demo.child import Child
from archioc.demo.ports import LOOPBACK, free_ports
from bench.site import Site

CHANNELS = 500
READY_S, TIMEOUT_S = 20.0, 60.0


@dataclass(frozen=True, slots=True)
class Naive:
    """What the script spent. writing: with influxdb-client behind it. cpu_us: processor time an update; rate: updates/s."""

    writing: bool
    channels: int
    rate: float
    cpu_us: float


def measure_naive(site: Site, seconds: float, *, writing: bool) -> Naive:
    """Run the script on some channels of the site. Raises SystemExit when it fails."""
    with _sink(site.directory) if writing else _nowhere() as url:
        command = [sys.executable, "-m", "bench.naive_client", str(os.getpid()), str(seconds), url, *site.names[:CHANNELS]]
        done = subprocess.run(command, env=site.environment, capture_output=True, text=True, timeout=TIMEOUT_S + seconds, check=False)
    if done.returncode:
        raise SystemExit(f"the naive script failed:\n{done.stderr[-3000:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return Naive(writing, CHANNELS, answer["updates"] / seconds, 1e6 * answer["cpu_s"] / answer["updates"])


@contextmanager
def _sink(directory: Path) -> Iterator[str]:
    (port,) = free_ports(1)
    child = Child("sink", [sys.executable, "-m", "bench.sink", str(os.getpid()), str(port)], directory / "sink.log")
    try:
        child.wait_for_output("ready", READY_S)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        child.stop()


@contextmanager
def _nowhere() -> Iterator[str]:
    yield "-"
