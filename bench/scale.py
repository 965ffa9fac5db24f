"""`python -m bench.scale`: how long 100 000 channels on ten servers take to connect, and what memory each costs.

Memory is that of the three processes and of the run directory, less that of an archiver with one channel.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from bench.site import MeasuredArchiver, Site, archiver
from bench.synthetic import NoCompiler, update_servers

RESULT = Path(__file__).parent / "results" / "scale.json"
SERVERS = 10
SETTLE_S = 5.0
"""After the last channel has connected: metadata and first values are still on their way, and count as memory."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """One case. start_s: until the archiver collects; connect_s: from then until all `served` channels were connected.

    bytes_each: memory a channel, by process; connect_cpu_s: processor seconds of the engine in connect_s.
    """

    channels: int
    served: int
    start_s: float
    connect_s: float
    connect_cpu_s: float
    bytes_each: dict[str, float]

    @property
    def bytes_in_all(self) -> float:
        return sum(self.bytes_each.values())


def main() -> int:
    """Measure, print, write RESULT; 1 when a channel that is served did not connect."""
    arguments = argparse.ArgumentParser(prog="bench.scale", description="Time and memory of many channels.")
    arguments.add_argument("--channels", type=int, default=100_000)
    arguments.add_argument("--hertz", type=float, default=0.1, help="updates a second of each channel")
    arguments.add_argument("--served", type=float, nargs="+", default=[1.0, 0.5], help="part of the names that exist")
    given = arguments.parse_args()
    try:
        measured = [_measure(given.channels, given.hertz, served) for served in given.served]
    except NoCompiler as error:
        raise SystemExit(str(error)) from None
    _show(measured)
    RESULT.parent.mkdir(exist_ok=True)
    content = {
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "servers": SERVERS,
        "hertz": given.hertz,
        "cases": [asdict(one) | {"bytes_in_all": one.bytes_in_all} for one in measured],
    }
    RESULT.write_text(json.dumps(content, indent=2) + "\n")
    return 0


def _measure(channels: int, hertz: float, served: float) -> Scaled:
    with update_servers(SERVERS, channels, hertz, served) as (site, servers):
        empty = _empty(site)
        there = sum(server.count for server in servers)
        with archiver(site, site.names, "auto", there) as running:
            time.sleep(SETTLE_S)
            return _scaled(running, channels, there, empty)


def _empty(site: Site) -> dict[str, int]:
    """Memory of an archiver with one channel."""
    with archiver(site, site.names[:1], "auto") as running:
        time.sleep(SETTLE_S)
        return running.memory()


def _scaled(running: MeasuredArchiver, channels: int, served: int, empty: dict[str, int]) -> Scaled:
    each = {name: (used - empty[name]) / channels for name, used in running.memory().items()}
    return Scaled(channels, served, running.start_s, running.connect_s, running.connect_cpu_s, each)


def _show(measured: list[Scaled]) -> None:
    table = Table("channels", "of which served", title="Many channels on ten servers", box=box.SIMPLE)
    columns = list(measured[0].bytes_each)
    for name in ("start (s)", "connected (s)", "engine CPU (s)", *(f"{name} (B)" for name in columns), "bytes a channel"):
        table.add_column(name, justify="right")
    for one in measured:
        times = (f"{value:.1f}" for value in (one.start_s, one.connect_s, one.connect_cpu_s))
        sizes = (f"{one.bytes_each[name]:.0f}" for name in columns)
        table.add_row(str(one.channels), str(one.served), *times, *sizes, f"{one.bytes_in_all:.0f}")
    Console(width=130).print(table)


if __name__ == "__main__":
    sys.exit(main())
