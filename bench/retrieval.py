"""`python -m bench.retrieval`: what reading over HTTP costs beside the stores' own time, and what memory a long export takes."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from archioc.core.config.store import InfluxStore
from archioc.core.machine.allocator import keep_freed_memory
from archioc.core.machine.log import configure_log
from archioc.core.timestamp import format_utc
from archioc.db.bins import Grid
from archioc.db.embedded import statements as sql
from archioc.db.embedded.day_files import DayFiles
from archioc.db.embedded.days import DAY_NS, day_of
from archioc.db.embedded.reader import EmbeddedReader
from archioc.db.embedded.store import EmbeddedStore
from archioc.db.influx.bins import InfluxBins
from archioc.db.influx.influxql import select, within
from archioc.db.influx.store import InfluxDatabase
from archioc.demo.ports import free_ports
from bench.archive_site import CHANNEL, DATABASE, ArchiveSite, end_of, fill, served_archive
from bench.bare_loader import download
from bench.exports import Export, export_command, export_http
from bench.synthetic_batches import MIDNIGHT_NS
from tests.processes.influxd import Influxd, find_influxd

RESULT = Path(__file__).parent / "results" / "retrieval.json"
DAY_SAMPLES = 864_000
"""One channel at 10 Hz for a day."""
BINS = 1000
EXPORT_SAMPLES = 31_104_000
"""The same for 36 days: about as many as a year at 1 Hz."""
TARGETS = {"raw": 1.5, "bins": 1.2}
MEMORY_MB = 200.0
_END = MIDNIGHT_NS + DAY_NS - 1
_GRID = Grid.of(MIDNIGHT_NS, _END + 1, BINS)
_WIDTH_S = 86_400 // BINS
_INFLUXQL = {
    "raw": select("value, severity, status", "sample", CHANNEL, within(MIDNIGHT_NS, _END) + " ORDER BY time"),
    "bins": InfluxBins(CHANNEL, _GRID, MIDNIGHT_NS, _END).statement,
}

Timed = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read DAY_SAMPLES, medians over the rounds (s).

    own_s: the store's own time for the same query; ratio: ours to it, of each round. bare_s, bare_ratio: the same beside nothing but
    DuckDB's statement, where the store is more than that.
    """

    store: str
    query: str
    own_s: float
    ours_s: float
    ratio: float
    bare_s: float | None = None
    bare_ratio: float | None = None

    @property
    def missed(self) -> bool:
        return self.query in TARGETS and self.ratio > TARGETS[self.query]


def main() -> int:
    """Measure, print, write RESULT; 1 when a figure is beyond its target."""
    arguments = argparse.ArgumentParser(prog="bench.retrieval", description="Reading over HTTP.")
    arguments.add_argument("--rounds", type=int, default=7, help="how often each is measured, all in turn; medians count")
    arguments.add_argument("--export", type=int, default=EXPORT_SAMPLES, help="samples of the long exports; 0 for none")
    given = arguments.parse_args()
    program = find_influxd()
    if program is None:
        sys.stderr.write("bench.retrieval needs influxd: `make test` unpacks Debian's, or install InfluxDB 1.x\n")
        return 1
    configure_log("bench", "warning", "human")
    keep_freed_memory()  # as the db process does
    with tempfile.TemporaryDirectory(prefix="archioc-bench-") as scratch:
        embedded = _embedded(Path(scratch) / "embedded", given.rounds, given.export)
        influx = _influxdb(Path(scratch) / "influx", program, given.rounds, given.export)
    readings, exports = [*influx[0], *embedded[0]], {"InfluxDB": influx[1], "embedded": embedded[1]}
    _show(readings, exports)
    RESULT.parent.mkdir(exist_ok=True)
    content = {
        "cores": os.cpu_count(),
        "load_1min": os.getloadavg()[0],
        "samples": DAY_SAMPLES,
        "readings": [asdict(reading) for reading in readings],
        "exports": {store: [asdict(export) for export in found] for store, found in exports.items()},
    }
    RESULT.write_text(json.dumps(content, indent=2) + "\n")
    return int(
        any(reading.missed for reading in readings) or any(one.highest_mb > MEMORY_MB for found in exports.values() for one in found)
    )


def _embedded(directory: Path, rounds: int, export: int) -> tuple[list[Reading], list[Export]]:
    fill(EmbeddedStore(directory / "state" / "store"), DAY_SAMPLES)
    # The archiver lets nobody else into its files.
    shutil.copytree(directory / "state" / "store", directory / "own")
    files = DayFiles(directory / "own", read_only=True)
    files.open()
    reader = EmbeddedReader(files)
    own = {"raw": partial(_own_samples, reader), "bins": partial(_own_bins, reader)}
    bare = {
        "raw": partial(_bare_duckdb, files, f"{sql.SCALARS} order by time, rowid", {}),
        "bins": partial(_bare_duckdb, files, sql.BINS, {"origin": _GRID.start_ns, "width": _GRID.width_ns}),
    }
    with served_archive(directory) as site:
        readings = _readings("embedded", own, site, rounds, bare)
    files.close()
    if not export:
        return readings, []
    fill(EmbeddedStore(directory / "long" / "state" / "store"), export)
    with served_archive(directory / "long") as site:
        return readings, list(_exports(site, export, directory))


def _influxdb(directory: Path, program: Path, rounds: int, export: int) -> tuple[list[Reading], list[Export]]:
    directory.mkdir()
    with _influxd(program, directory / "day", DAY_SAMPLES) as server:
        own = {query: partial(download, server.url, DATABASE, statement) for query, statement in _INFLUXQL.items()}
        with served_archive(directory / "serve", server.url) as site:
            readings = _readings("InfluxDB", own, site, rounds)
    if not export:
        return readings, []
    with _influxd(program, directory / "long", export) as server, served_archive(directory / "serve", server.url) as site:
        return readings, list(_exports(site, export, directory))


@contextmanager
def _influxd(program: Path, directory: Path, samples: int) -> Iterator[Influxd]:
    server = Influxd(program, free_ports(2), directory)
    try:
        settings = InfluxStore(url=server.url, bucket=DATABASE)
        fill(InfluxDatabase(settings), samples, settings)
        yield server
    finally:
        server.stop()


def _readings(
    store: str, own: Mapping[str, Timed], site: ArchiveSite, rounds: int, bare: Mapping[str, Timed] | None = None
) -> list[Reading]:
    """All ways in turn in each round, each directly after the yardsticks."""
    ours: dict[str, tuple[str, Timed]] = {
        "raw": ("raw", partial(_ask, site, "raw", CHANNEL, DAY_SAMPLES)),
        "json": ("raw", partial(_ask, site, "json", CHANNEL, DAY_SAMPLES)),
        "bins": ("bins", partial(_ask, site, "raw", f"mean_{_WIDTH_S}({CHANNEL})", BINS)),
        "archioc get --bins": ("bins", partial(_get, site.config, "--bins", str(BINS))),
        "archioc get": ("raw", partial(_get, site.config)),
    }
    times: dict[str, list[list[float]]] = {}
    for _ in range(rounds):
        for name, (query, measure) in ours.items():
            yardsticks = [own[query](), *([bare[query]()] if bare else [])]
            times.setdefault(name, []).append([measure(), *yardsticks])
    return [_median(store, name, taken) for name, taken in times.items()]


def _median(store: str, query: str, taken: Sequence[Sequence[float]]) -> Reading:
    """taken: of each round, ours and the yardsticks."""
    ours, *yardsticks = (statistics.median(column) for column in zip(*taken, strict=True))
    ratios = [statistics.median(one[0] / one[at] for one in taken) for at in range(1, len(taken[0]))]
    return Reading(store, query, yardsticks[0], ours, ratios[0], *yardsticks[1:], *ratios[1:])


def _own_samples(reader: EmbeddedReader) -> float:
    """The time of the store's answer in the process that has it open."""
    started = time.perf_counter()
    if sum(map(len, reader.samples(CHANNEL, MIDNIGHT_NS, _END))) != DAY_SAMPLES:
        raise SystemExit("the store has told too little")
    return time.perf_counter() - started


def _own_bins(reader: EmbeddedReader) -> float:
    started = time.perf_counter()
    reader.bins(CHANNEL, _GRID.start_ns, _GRID.end_ns, BINS)
    return time.perf_counter() - started


def _bare_duckdb(files: DayFiles, statement: str, more: dict[str, int]) -> float:
    """The time of one statement for the whole day, result in numpy columns."""
    with files.day(day_of(MIDNIGHT_NS)) as cursor:
        started = time.perf_counter()
        cursor.execute(statement, {"channel": 0, "start": MIDNIGHT_NS, "end": _END, **more}).fetchnumpy()
        return time.perf_counter() - started


def _ask(site: ArchiveSite, form: str, pv: str, lines: int) -> float:
    seconds, received = site.download(form, pv, _END)
    if received < 10 * lines:
        raise SystemExit(f"{form} {pv}: an answer of {received} bytes is too short")
    return seconds


def _get(config: Path, *options: str) -> float:
    """`archioc get` of the whole day as CSV, with the start of the interpreter."""
    span = ["--start", format_utc(MIDNIGHT_NS), "--end", format_utc(_END)]
    command = [sys.executable, "-m", "archioc", "get", CHANNEL, "--config", str(config), "--format", "csv", *span, *options]
    started = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=300)
    if done.stdout.count(b"\n") < BINS:
        raise SystemExit("archioc get has answered too little")
    return time.perf_counter() - started


def _exports(site: ArchiveSite, samples: int, directory: Path) -> Iterator[Export]:
    site.download("raw", CHANNEL, end_of(1000))  # what a first answer makes the processes load is not the export's
    for form in ("raw", "json"):
        yield export_http(site, samples, form)
    for suffix in (".parquet", ".csv"):
        yield export_command(site, samples, directory / f"export{suffix}")


def _show(readings: Sequence[Reading], exports: dict[str, list[Export]]) -> None:
    reading = Table("store", "query", title=f"{DAY_SAMPLES} samples, and means of {BINS} bins", box=box.SIMPLE)
    for name in ("own (s)", "ours (s)", "ratio", "target", "bare statement (s)", "ratio to it"):
        reading.add_column(name, justify="right")
    for one in readings:
        target = f"{TARGETS[one.query]:.1f}{' missed' * one.missed}" if one.query in TARGETS else ""
        bare = [] if one.bare_s is None else [f"{one.bare_s:.3f}", f"{one.bare_ratio:.2f}"]
        reading.add_row(one.store, one.query, f"{one.own_s:.3f}", f"{one.ours_s:.3f}", f"{one.ratio:.2f}", target, *bare)
    export = Table("store", "export", title=f"Long exports: memory over idle, target {MEMORY_MB:.0f} MB", box=box.SIMPLE)
    for name in ("samples", "s", "MB", "memory over idle (MB)"):
        export.add_column(name, justify="right")
    for store, found in exports.items():
        for long in found:
            rises = ", ".join(f"{name} {rise:.0f}" for name, rise in long.rise_mb.items())
            export.add_row(store, long.how, str(long.samples), f"{long.seconds:.1f}", f"{long.megabytes:.0f}", rises)
    console = Console(width=120)
    console.print(reading)
    console.print(export)


if __name__ == "__main__":
    sys.exit(main())
