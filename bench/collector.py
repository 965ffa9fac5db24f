"""`python -m bench.collector`: processor time of collecting a sample, from Channel Access to the spool and to the store.

The yardstick, a naive pyepics script, is measured in the same run; compare ratios, not figures of two machines.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from bench import yardstick
from bench.site import PROCESSES, SCANS, Reading, Site, archiver, counting_ioc
from bench.synthetic import NoCompiler, update_servers
from bench.yardstick import Naive, measure_naive

RESULT = Path(__file__).parent / "results" / "collector.json"
SETTLE_S = 3.0
"""After the last channel has connected: metadata, first values and the first batches are not what is measured."""
SOURCES = ("synthetic", "softioc")
RATE = 10.0
"""Hz, of a channel at most."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One case. cpu_us: processor time a sample, by process; rate: samples/s; ratio: of the naive script's time to the engine's.

    wanted_rate: samples/s that the servers make.
    """

    source: str
    callback: str
    channels: int
    wanted_rate: float
    rate: float
    stored_rate: float
    lost: int
    cpu_us: dict[str, float]
    rss_mb: dict[str, float]
    ratio: float


def main() -> int:
    """Measure, print, write RESULT; 1 when samples were lost or came slower than they were made."""
    arguments = argparse.ArgumentParser(prog="bench.collector", description="Processor time of collecting a sample.")
    arguments.add_argument("--seconds", type=float, default=10.0, help="how long each case is measured")
    arguments.add_argument("--channels", type=int, nargs="+", default=[1000, 20_000])
    arguments.add_argument("--callback", nargs="+", default=["compiled", "python"], choices=["compiled", "python"])
    arguments.add_argument("--source", nargs="+", default=list(SOURCES), choices=SOURCES)
    arguments.add_argument("--most", type=float, default=50_000, help="samples/s of all channels; each gives at most 10")
    given = arguments.parse_args()
    naive: list[Naive] = []
    measured: list[Measured] = []
    for source in given.source:
        for channels in given.channels:
            hertz = _hertz(source, channels, given.most)
            with _servers(source, max(channels, yardstick.CHANNELS), hertz) as site:
                if not naive:
                    naive = [measure_naive(site, given.seconds, writing=writing) for writing in (False, True)]
                wanted = hertz * channels
                measured += [_measure(site, source, channels, wanted, callback, given.seconds, naive[-1]) for callback in given.callback]
    _show(naive, measured)
    RESULT.parent.mkdir(exist_ok=True)
    content = {
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "seconds": given.seconds,
        "naive": [asdict(one) for one in naive],
        "cases": [asdict(one) for one in measured],
    }
    RESULT.write_text(json.dumps(content, indent=2) + "\n")
    return 0 if all(not one.lost and one.rate > 0.98 * one.wanted_rate for one in measured) else 1


def _hertz(source: str, channels: int, most: float) -> float:
    """Updates a second of each channel, so that all make no more than `most`; a record's scan has few rates to choose from."""
    if source == "synthetic":
        return min(RATE, most / channels)
    return max((hertz for hertz in SCANS if hertz * channels <= most), default=min(SCANS))


@contextmanager
def _servers(source: str, channels: int, hertz: float) -> Iterator[Site]:
    if source == "softioc":
        with counting_ioc(channels, hertz) as site:
            yield site
        return
    try:
        with update_servers(1, channels, hertz) as (site, _):
            yield site
    except NoCompiler as error:
        raise SystemExit(f"{error}; --source softioc needs none") from None


def _measure(site: Site, source: str, channels: int, wanted: float, callback: str, seconds: float, naive: Naive) -> Measured:
    with archiver(site, site.names[:channels], callback) as running:
        time.sleep(SETTLE_S)
        before = running.read_when_counted()
        time.sleep(seconds)
        after = running.read_when_counted()
    received, lasted = after.received - before.received, after.at_s - before.at_s
    cpu_us = _processor_time(before, after)
    return Measured(
        source,
        callback,
        channels,
        wanted,
        rate=received / lasted,
        stored_rate=(after.stored - before.stored) / lasted,
        lost=after.lost,
        cpu_us=cpu_us,
        rss_mb=after.rss_mb,
        ratio=naive.cpu_us / cpu_us["engine"],
    )


def _processor_time(before: Reading, after: Reading) -> dict[str, float]:
    """Microseconds a sample, by process."""
    return {name: 1e6 * (after.cpu_s[name] - before.cpu_s[name]) / (after.received - before.received) for name in PROCESSES}


def _show(naive: Sequence[Naive], measured: Sequence[Measured]) -> None:
    table = Table("source", "collector", "channels", "samples/s", "lost", title="Processor time a sample (µs)", box=box.SIMPLE)
    for name in (*PROCESSES, "naive / engine", "engine RSS (MB)"):
        table.add_column(name, justify="right")
    for script in naive:
        label = "naive script" if script.writing else "naive, receiving only"
        table.add_row("", label, str(script.channels), f"{script.rate:.0f}", "", f"{script.cpu_us:.2f}", "", "", "", "")
    for one in measured:
        cpu = (f"{one.cpu_us[name]:.2f}" for name in PROCESSES)
        rss = f"{one.rss_mb['engine']:.0f}"
        table.add_row(one.source, one.callback, str(one.channels), f"{one.rate:.0f}", str(one.lost), *cpu, f"{one.ratio:.1f}", rss)
    Console(width=130).print(table)


if __name__ == "__main__":
    sys.exit(main())
