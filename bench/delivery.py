"""`python -m bench.delivery`: the rate of delivery, what reading costs, and bytes on disk, for both stores.

InfluxDB runs on the same machine; each figure stands beside a yardstick measured in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from archioc.core.config.store import InfluxStore
from archioc.core.config.store import Store as StoreSettings
from archioc.core.machine.log import configure_log
from archioc.core.spool.encoding import encoder_for
from archioc.db.bins import Grid
from archioc.db.embedded import statements as sql
from archioc.db.embedded.day_files import DayFiles
from archioc.db.embedded.days import DAY_NS, day_of
from archioc.db.embedded.reader import EmbeddedReader
from archioc.db.embedded.store import EmbeddedStore
from archioc.db.influx.bins import InfluxBins
from archioc.db.influx.influxql import select, within
from archioc.db.influx.store import InfluxDatabase
from archioc.db.store import Reader
from archioc.demo.ports import free_ports
from bench.bare_loader import download, load
from bench.synthetic_batches import MIDNIGHT_NS, batches, spool_files
from bench.writer import deliver
from tests.processes.influxd import Influxd, find_influxd

RESULT = Path(__file__).parent / "results" / "delivery.json"
CHANNELS = 10_000
BATCH = 20_000
BARE_LINES = (5_000, 20_000)
BARE_CONNECTIONS = (1, 2)
DAY_SAMPLES = 864_000
"""One channel at 10 Hz for a day."""
BINS = 1000
COMPACTED_S = 90.0
_COLD = {"INFLUXDB_DATA_CACHE_SNAPSHOT_WRITE_COLD_DURATION": "3s", "INFLUXDB_DATA_COMPACT_FULL_WRITE_COLD_DURATION": "3s"}
"""Have influxd bring its files into their final form soon after the last write."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One way of writing. samples_s: samples/s; writer_cpu_us: processor time of the db process a sample, 0 for the bare loader."""

    how: str
    samples_s: float
    writer_cpu_us: float


@dataclass(frozen=True, slots=True)
class Reading:
    """One query of DAY_SAMPLES, best of the rounds. own_s: the store's own time for it, ours_s: with everything that we add."""

    store: str
    query: str
    own_s: float
    ours_s: float

    @property
    def ratio(self) -> float:
        return self.ours_s / self.own_s


def main() -> int:
    """Measure, print, write RESULT."""
    arguments = argparse.ArgumentParser(prog="bench.delivery", description="Delivery and queries of both stores.")
    arguments.add_argument("--samples", type=int, default=400_000, help="how many each way of writing gets")
    arguments.add_argument("--rounds", type=int, default=3, help="how often each is measured; the best counts")
    given = arguments.parse_args()
    program = find_influxd()
    if program is None:
        sys.stderr.write("bench.delivery needs influxd: `make test` unpacks Debian's, or install InfluxDB 1.x\n")
        return 1
    configure_log("bench", "warning", "human")
    os.environ |= _COLD
    with tempfile.TemporaryDirectory(prefix="archioc-bench-") as scratch:
        directory = Path(scratch)
        server = Influxd(program, free_ports(2), directory / "influxd")
        try:
            rates = _rates(directory, server, given.samples, given.rounds)
            readings, sizes = _readings(directory, server, given.rounds)
        finally:
            server.stop()
    _show(rates, readings, sizes)
    RESULT.parent.mkdir(exist_ok=True)
    content = {
        "cores": os.cpu_count(),
        "samples": given.samples,
        "channels": CHANNELS,
        "rates": [asdict(rate) for rate in rates],
        "read_samples": DAY_SAMPLES,
        "readings": [asdict(reading) | {"ratio": reading.ratio} for reading in readings],
        "bytes_a_sample": sizes,
    }
    RESULT.write_text(json.dumps(content, indent=2) + "\n")
    return 0


def _rates(directory: Path, server: Influxd, samples: int, rounds: int) -> list[Rate]:
    """Every round all ways in turn, each into a new database; the best round of each counts."""
    found: dict[str, Rate] = {}
    made = list(batches(CHANNELS, samples, BATCH))
    encoder = encoder_for(StoreSettings(influxdb=InfluxStore(url=server.url, bucket="bench")))
    bodies = {lines: [file.payload for file in spool_files(batches(CHANNELS, samples, lines), encoder)] for lines in BARE_LINES}

    def enter(how: str, seconds: float, writer_cpu_s: float) -> None:
        rate = Rate(how, samples / seconds, 1e6 * writer_cpu_s / samples)
        if how not in found or rate.samples_s > found[how].samples_s:
            found[how] = rate

    for _ in range(rounds):
        for lines, connections in ((lines, connections) for lines in BARE_LINES for connections in BARE_CONNECTIONS):
            server.query("CREATE DATABASE bench")
            enter(f"bare loader, {lines} lines, {connections} connections", load(server.url, "bench", bodies[lines], connections), 0.0)
            server.query("DROP DATABASE bench")
        done = deliver(directory, {"influxdb": {"url": server.url, "bucket": "bench"}}, made, CHANNELS)
        enter("ArchIOC, InfluxDB", done.seconds, done.writer_cpu_s)
        server.query("DROP DATABASE bench")
        done = deliver(directory, {"embedded": {}}, made, CHANNELS)
        enter("ArchIOC, embedded", done.seconds, done.writer_cpu_s)
    return list(found.values())


def _readings(directory: Path, server: Influxd, rounds: int) -> tuple[list[Reading], dict[str, float]]:
    settings = InfluxStore(url=server.url, bucket="day")
    influx = InfluxDatabase(settings)
    embedded = EmbeddedStore(directory / "store")
    for store, blocks in ((influx, StoreSettings(influxdb=settings)), (embedded, StoreSettings.model_validate({}))):
        store.prepare()
        for file in spool_files(batches(1, DAY_SAMPLES, BATCH), encoder_for(blocks)):
            store.write(file)
    embedded.close()
    sizes = {"InfluxDB": _compacted_size(server, directory / "influxd") / DAY_SAMPLES, "embedded": _size(directory / "store") / DAY_SAMPLES}
    files = DayFiles(directory / "store", read_only=True)
    files.open()
    own: dict[tuple[str, str], Callable[[], float]] = {
        ("InfluxDB", "raw"): lambda: download(server.url, "day", _RAW),
        ("InfluxDB", "bins"): lambda: download(server.url, "day", InfluxBins(_CHANNEL, _GRID, MIDNIGHT_NS, _END - 1).statement),
        ("embedded", "raw"): lambda: _own_duckdb(files, f"{sql.SCALARS} order by time, rowid", {}),
        ("embedded", "bins"): lambda: _own_duckdb(files, sql.BINS, {"origin": _GRID.start_ns, "width": _GRID.width_ns}),
    }
    stores: dict[str, Reader] = {"InfluxDB": influx, "embedded": EmbeddedReader(files)}
    ours: dict[str, Callable[[Reader], int]] = {
        "raw": lambda store: sum(len(chunk) for chunk in store.samples(_CHANNEL, MIDNIGHT_NS, _END)),
        "bins": lambda store: int(store.bins(_CHANNEL, MIDNIGHT_NS, _END, BINS, times=False).count.sum()),
    }
    found = []
    for (name, query), measure in own.items():
        times = [(measure(), _ours(ours[query], stores[name])) for _ in range(rounds)]
        found.append(Reading(name, query, min(own_s for own_s, _ in times), min(ours_s for _, ours_s in times)))
    for reader in stores.values():
        reader.close()
    return found, sizes


_CHANNEL = "BENCH:SYN0"
_END = MIDNIGHT_NS + DAY_NS
_GRID = Grid.of(MIDNIGHT_NS, _END, BINS)
_RAW = select("value, severity, status", "sample", _CHANNEL, within(MIDNIGHT_NS, _END) + " ORDER BY time")


def _ours(read: Callable[[Reader], int], store: Reader) -> float:
    started = time.perf_counter()
    if read(store) != DAY_SAMPLES:
        raise SystemExit("a query has not found all samples")
    return time.perf_counter() - started


def _own_duckdb(files: DayFiles, statement: str, more: dict[str, int]) -> float:
    """The time of one statement for the whole day, result in numpy columns."""
    with files.day(day_of(MIDNIGHT_NS)) as cursor:
        started = time.perf_counter()
        cursor.execute(statement, {"channel": 0, "start": MIDNIGHT_NS, "end": _END - 1, **more}).fetchnumpy()
        return time.perf_counter() - started


def _compacted_size(server: Influxd, directory: Path) -> int:
    """Bytes of the database `day` when the write-ahead log is empty and nothing has changed for a while."""
    data, log = directory / "data" / "day", directory / "wal" / "day"
    deadline, sizes = time.monotonic() + COMPACTED_S, [-1, -2, -3]
    while time.monotonic() < deadline and not (_size(log) == 0 and len(set(sizes)) == 1):
        time.sleep(2)
        sizes = [*sizes[1:], _size(data)]
    if not server.answers():
        raise SystemExit("influxd is gone")
    return _size(data) + _size(log)


def _size(directory: Path) -> int:
    """Bytes that are taken on the disk: influxd sets files aside that are mostly holes."""
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def _show(rates: Sequence[Rate], readings: Sequence[Reading], sizes: dict[str, float]) -> None:
    bare = max(rate.samples_s for rate in rates if not rate.writer_cpu_us)
    table = Table("writing", title="Delivery, InfluxDB on the same machine", box=box.SIMPLE)
    for name in ("samples/s", "of the best bare loader", "writer µs a sample"):
        table.add_column(name, justify="right")
    for rate in rates:
        cpu = f"{rate.writer_cpu_us:.2f}" if rate.writer_cpu_us else ""
        table.add_row(rate.how, f"{rate.samples_s:.0f}", f"{rate.samples_s / bare:.0%}", cpu)
    reading = Table("store", "query", title=f"{DAY_SAMPLES} samples, raw and in {BINS} bins", box=box.SIMPLE)
    for name in ("own (s)", "ours (s)", "ratio"):
        reading.add_column(name, justify="right")
    for one in readings:
        reading.add_row(one.store, one.query, f"{one.own_s:.2f}", f"{one.ours_s:.2f}", f"{one.ratio:.2f}")
    disk = Table("store", title="On disk", box=box.SIMPLE)
    disk.add_column("bytes a sample", justify="right")
    for store, size in sizes.items():
        disk.add_row(store, f"{size:.1f}")
    console = Console(width=110)
    for shown in (table, reading, disk):
        console.print(shown)


if __name__ == "__main__":
    sys.exit(main())
