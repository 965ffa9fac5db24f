"""`python -m bench.retrieval`: what reading over HTTP costs beside the stores' own time, and what memory a long export takes."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import psutil
import yaml
from rich import box
from rich.console import Console
from rich.table import Table

from archioc.core.config_store import InfluxStore
from archioc.core.config_store import Store as StoreSettings
from archioc.core.directories import Directories
from archioc.core.encoding import encoder_for
from archioc.core.log import configure_log
from archioc.core.timestamp import format_utc
from archioc.demo.ca_environment import client_variables, with_variables
from archioc.demo.child import Child
from archioc.demo.ports import LOOPBACK, free_ports
from bench.bare_loader import download
from bench.synthetic_batches import MIDNIGHT_NS, batches, spool_files
from db import embedded_statements as sql
from db.bins import Grid
from db.day_files import DAY_NS, DayFiles, day_of
from db.embedded import EmbeddedStore
from db.influx import InfluxDatabase
from db.influx_bins import InfluxBins
from db.influx_language import select, within
from db.store import Store
from tests.processes.influxd import Influxd, find_influxd

RESULT = Path(__file__).parent / "results" / "retrieval.json"
CHANNEL = "BENCH:SYN0"
BATCH = 20_000
DAY_SAMPLES = 864_000
"""One channel at 10 Hz for a day."""
BINS = 1000
EXPORT_SAMPLES = 31_104_000
"""The same for 36 days: about as many as a year at 1 Hz."""
START_S, READ_S = 60.0, 600.0
_END = MIDNIGHT_NS + DAY_NS
_GRID = Grid.of(MIDNIGHT_NS, _END, BINS)
_WIDTH_S = 86_400 // BINS
_RAW = select("value, severity, status", "sample", CHANNEL, within(MIDNIGHT_NS, _END) + " ORDER BY time")


@dataclass(frozen=True, slots=True)
class Reading:
    """One query of DAY_SAMPLES, best of the rounds. own_s: the store's own time for it; http_s: until the client has the answer."""

    store: str
    query: str
    own_s: float
    http_s: float

    @property
    def ratio(self) -> float:
        return self.http_s / self.own_s


@dataclass(frozen=True, slots=True)
class Export:
    """A long answer. rise_mb: highest resident memory of the http process over what it had before, MB."""

    samples: int
    form: str
    seconds: float
    megabytes: float
    rise_mb: float


def main() -> int:
    """Measure, print, write RESULT."""
    arguments = argparse.ArgumentParser(prog="bench.retrieval", description="Reading over HTTP.")
    arguments.add_argument("--rounds", type=int, default=5, help="how often each is measured; the best counts")
    arguments.add_argument("--export", type=int, default=EXPORT_SAMPLES, help="samples of the long export")
    given = arguments.parse_args()
    program = find_influxd()
    if program is None:
        sys.stderr.write("bench.retrieval needs influxd: `make test` unpacks Debian's, or install InfluxDB 1.x\n")
        return 1
    configure_log("bench", "warning", "human")
    with tempfile.TemporaryDirectory(prefix="archioc-bench-") as scratch:
        directory = Path(scratch)
        embedded, exports = _embedded(directory / "embedded", given.rounds, given.export)
        server = Influxd(program, free_ports(2), directory / "influxd")
        try:
            influx = _influxdb(directory / "serve", server, given.rounds)
        finally:
            server.stop()
    readings = [*influx, *embedded]
    _show(readings, exports)
    RESULT.parent.mkdir(exist_ok=True)
    content = {
        "cores": os.cpu_count(),
        "samples": DAY_SAMPLES,
        "readings": [asdict(reading) | {"ratio": reading.ratio} for reading in readings],
        "exports": [asdict(export) for export in exports],
    }
    RESULT.write_text(json.dumps(content, indent=2) + "\n")
    return 0


def _embedded(directory: Path, rounds: int, export: int) -> tuple[list[Reading], list[Export]]:
    state = directory / "state"
    store = EmbeddedStore(state / "store")
    _fill(store, StoreSettings.model_validate({}), max(export, DAY_SAMPLES))
    files = DayFiles(state / "store", read_only=True)
    files.open()
    statements: dict[str, tuple[str, dict[str, int]]] = {"raw": (sql.SCALARS, {}), "bins": (sql.BINS, {"width": _GRID.width_ns})}
    own = {query: min(_own_duckdb(files, *asked) for _ in range(rounds)) for query, asked in statements.items()}
    files.close()
    with _served(directory, "run", {}) as (url, process):
        exports = [_export(url, process, export, form) for form in ("raw", "json")]
        return [Reading("embedded", query, own[query], min(_ask(url, query) for _ in range(rounds))) for query in own], exports


def _influxdb(directory: Path, server: Influxd, rounds: int) -> list[Reading]:
    settings = InfluxStore(url=server.url, bucket="day")
    _fill(InfluxDatabase(settings), StoreSettings(influxdb=settings), DAY_SAMPLES)
    statements = {"raw": _RAW, "bins": InfluxBins(CHANNEL, _GRID, _END - 1).statement}
    own = {query: min(download(server.url, "day", asked) for _ in range(rounds)) for query, asked in statements.items()}
    with _served(directory, "serve", {"influxdb": {"url": server.url, "bucket": "day"}}) as (url, _):
        return [Reading("InfluxDB", query, own[query], min(_ask(url, query) for _ in range(rounds))) for query in own]


def _fill(store: Store, settings: StoreSettings, samples: int) -> None:
    store.prepare()
    for file in spool_files(batches(1, samples, BATCH), encoder_for(settings)):
        store.write(file)
    store.close()


def _own_duckdb(files: DayFiles, statement: str, more: dict[str, int]) -> float:
    """The time of one statement for the whole day, result in numpy columns."""
    with files.day(day_of(MIDNIGHT_NS)) as cursor:
        started = time.perf_counter()
        cursor.execute(statement, {"channel": 0, "start": MIDNIGHT_NS, "end": _END - 1, **more}).fetchnumpy()
        return time.perf_counter() - started


@contextmanager
def _served(directory: Path, command: str, store: dict[str, dict[str, str]]) -> Iterator[tuple[str, psutil.Process]]:
    """The address of `archioc run` or `archioc serve` on a store, and the process that answers."""
    directory.mkdir(exist_ok=True)
    config, (port, http_port, repeater_port) = directory / "config.yml", free_ports(3)
    content = {
        "archiver": {"state_dir": "./state", "max_channels": 10, "prefix": "BENCH:A:"},
        "ioc": {"interfaces": [LOOPBACK], "port": port},
        "ca": {"addr_list": [LOOPBACK], "auto_addr_list": False, "repeater_port": repeater_port},
        "http": {"port": http_port},
    }
    config.write_text(yaml.safe_dump(content | ({"store": store} if store else {})))
    arguments = ["run", str(config)] if command == "run" else ["serve", "--config", str(config)]
    environment = with_variables(client_variables([], repeater_port))
    child = Child("archiver", [sys.executable, "-m", "archioc", *arguments], directory / "log", environment)
    try:
        child.wait_for_output("http_listens", START_S)
        address = Directories(directory / "state").http_address
        pid = child.pid if command == "serve" else int(orjson.loads(address.read_bytes())["pid"])
        url = f"http://{LOOPBACK}:{http_port}"
        _wait_ready(url)
        yield url, psutil.Process(pid)
    finally:
        child.stop(START_S)


def _wait_ready(url: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            _download(url, "raw", CHANNEL, MIDNIGHT_NS)
        except urllib.error.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _ask(url: str, query: str) -> float:
    """Seconds until the whole day has arrived, raw or as means of BINS bins."""
    pv = CHANNEL if query == "raw" else f"mean_{_WIDTH_S}({CHANNEL})"
    seconds, received = _download(url, "raw", pv, _END - 1)
    if received < (DAY_SAMPLES if query == "raw" else BINS) * 10:
        raise SystemExit("an answer is too short")
    return seconds


def _export(url: str, process: psutil.Process, samples: int, form: str) -> Export:
    before, highest, done = process.memory_info().rss, [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            highest.append(process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        seconds, received = _download(url, form, CHANNEL, MIDNIGHT_NS + samples * 10**8)
    finally:
        done.set()
        watching.join()
    return Export(samples, form, seconds, received / 1e6, (max(highest) - before) / 1e6)


def _download(url: str, form: str, pv: str, end_ns: int) -> tuple[float, int]:
    query = urllib.parse.urlencode({"pv": pv, "from": format_utc(MIDNIGHT_NS), "to": format_utc(end_ns)})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    started, received = time.perf_counter(), 0
    with opener.open(f"{url}/retrieval/data/getData.{form}?{query}", timeout=READ_S) as answer:
        while piece := answer.read(1 << 20):
            received += len(piece)
    return time.perf_counter() - started, received


def _show(readings: list[Reading], exports: list[Export]) -> None:
    reading = Table("store", "query", title=f"{DAY_SAMPLES} samples raw, and means of {BINS} bins", box=box.SIMPLE)
    for name in ("own (s)", "over HTTP (s)", "ratio"):
        reading.add_column(name, justify="right")
    for one in readings:
        reading.add_row(one.store, one.query, f"{one.own_s:.3f}", f"{one.http_s:.3f}", f"{one.ratio:.2f}")
    export = Table("samples", "format", title="A long export from the embedded store", box=box.SIMPLE)
    for name in ("s", "MB", "memory over idle (MB)"):
        export.add_column(name, justify="right")
    for long in exports:
        export.add_row(str(long.samples), long.form, f"{long.seconds:.1f}", f"{long.megabytes:.0f}", f"{long.rise_mb:.0f}")
    console = Console(width=110)
    console.print(reading)
    console.print(export)


if __name__ == "__main__":
    sys.exit(main())
