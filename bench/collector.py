"""`python -m bench.collector`: processor time of collecting a sample, from Channel Access to the spool and to the store.

The yardstick, a naive pyepics script, is measured in the same run; compare ratios, not figures of two machines.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from bench.site import PROCESSES, RATE, Reading, Site, archiver, counting_ioc

RESULT = Path(__file__).parent / "results" / "collector.json"
SETTLE_S = 3.0
"""After the last channel has connected: metadata, first values and the first batches are not what is measured."""
NAIVE_CHANNELS = 1000
NAIVE_S = 60.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One case. cpu_us: processor time a sample, by process; rate: samples/s; ratio: of the naive script's time to the engine's."""

    callback: str
    channels: int
    rate: float
    stored_rate: float
    lost: int
    cpu_us: dict[str, float]
    rss_mb: dict[str, float]
    ratio: float


@dataclass(frozen=True, slots=True)
class Naive:
    """The yardstick. cpu_us: processor time an update; rate: updates/s."""

    channels: int
    rate: float
    cpu_us: float


def main() -> int:
    """Measure, print, write RESULT; 1 when samples were lost or came slower than they were made."""
    arguments = argparse.ArgumentParser(prog="bench.collector", description="Processor time of collecting a sample.")
    arguments.add_argument("--seconds", type=float, default=10.0, help="how long each case is measured")
    arguments.add_argument("--channels", type=int, nargs="+", default=[1000, 5000])
    arguments.add_argument("--callback", nargs="+", default=["compiled", "python"], choices=["compiled", "python"])
    given = arguments.parse_args()
    cases = [(callback, channels) for callback in given.callback for channels in given.channels]
    with counting_ioc(max(NAIVE_CHANNELS, *given.channels)) as site:
        naive = _measure_naive(site, given.seconds)
        measured = [_measure(site, channels, callback, given.seconds, naive) for callback, channels in cases]
    _show(naive, measured)
    RESULT.parent.mkdir(exist_ok=True)
    content = {
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "seconds": given.seconds,
        "hertz": RATE,
        "naive": asdict(naive),
        "cases": [asdict(one) for one in measured],
    }
    RESULT.write_text(json.dumps(content, indent=2) + "\n")
    whole = all(not one.lost and one.rate > 0.98 * RATE * one.channels for one in measured)
    return 0 if whole else 1


def _measure_naive(site: Site, seconds: float) -> Naive:
    command = [sys.executable, "-m", "bench.naive_client", str(os.getpid()), str(seconds), *site.names[:NAIVE_CHANNELS]]
    done = subprocess.run(command, env=site.environment, capture_output=True, text=True, timeout=NAIVE_S + seconds, check=False)
    if done.returncode:
        raise SystemExit(f"the naive script failed:\n{done.stderr[-3000:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return Naive(NAIVE_CHANNELS, answer["updates"] / seconds, 1e6 * answer["cpu_s"] / answer["updates"])


def _measure(site: Site, channels: int, callback: str, seconds: float, naive: Naive) -> Measured:
    with archiver(site, site.names[:channels], callback) as running:
        time.sleep(SETTLE_S)
        before = running.read()
        time.sleep(seconds)
        return _difference(before, running.read(), channels, callback, naive)


def _difference(before: Reading, after: Reading, channels: int, callback: str, naive: Naive) -> Measured:
    seconds = after.at_s - before.at_s
    received = after.received - before.received
    cpu_us = {name: 1e6 * (after.cpu_s[name] - before.cpu_s[name]) / received for name in PROCESSES}
    return Measured(
        callback,
        channels,
        rate=received / seconds,
        stored_rate=(after.stored - before.stored) / seconds,
        lost=after.lost,
        cpu_us=cpu_us,
        rss_mb=after.rss_mb,
        ratio=naive.cpu_us / cpu_us["engine"],
    )


def _show(naive: Naive, measured: list[Measured]) -> None:
    table = Table("collector", "channels", "samples/s", "lost", title="Processor time a sample (µs)", box=box.SIMPLE)
    for name in (*PROCESSES, "naive / engine", "engine RSS (MB)"):
        table.add_column(name, justify="right")
    table.add_row("naive script", str(naive.channels), f"{naive.rate:.0f}", "", f"{naive.cpu_us:.2f}", "", "", "1.0", "")
    for one in measured:
        cpu = (f"{one.cpu_us[name]:.2f}" for name in PROCESSES)
        table.add_row(
            one.callback, str(one.channels), f"{one.rate:.0f}", str(one.lost), *cpu, f"{one.ratio:.1f}", f"{one.rss_mb['engine']:.0f}"
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    sys.exit(main())
