"""An archive of one channel that is served over HTTP: by `archioc run` on an embedded store, or by `archioc serve` on an InfluxDB."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from archioc.core.config.store import InfluxStore
from archioc.core.config.store import Store as StoreSettings
from archioc.core.machine.python_module import module_of, python_module
from archioc.core.spool.encoding import encoder_for
from archioc.core.timestamp import format_utc
from archioc.db.embedded.store import EmbeddedStore
from archioc.db.influx.store import InfluxDatabase
from archioc.demo.ca_environment import client_variables, with_variables
from archioc.demo.child import Child
from archioc.demo.ports import LOOPBACK, free_ports
from bench.synthetic_batches import MIDNIGHT_NS, PERIOD_NS, batches, spool_files

CHANNEL = "BENCH:SYN0"
BATCH = 20_000
DATABASE = "day"
START_S, READ_S = 60.0, 1800.0


@dataclass(frozen=True, slots=True)
class ArchiveSite:
    """A served archive. config: its configuration file; processes: those that have a part in an answer, by what they are."""

    url: str
    config: Path
    processes: dict[str, psutil.Process]

    def download(self, form: str, pv: str, end_ns: int) -> tuple[float, int]:
        """Seconds until a plain client has the last byte of `getData` from the first sample on, and the bytes."""
        query = urllib.parse.urlencode({"pv": pv, "from": format_utc(MIDNIGHT_NS), "to": format_utc(end_ns)})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        started, received = time.perf_counter(), 0
        with opener.open(f"{self.url}/retrieval/data/getData.{form}?{query}", timeout=READ_S) as answer:
            while piece := answer.read(1 << 20):
                received += len(piece)
        return time.perf_counter() - started, received


def end_of(samples: int) -> int:
    """The last ns of so many samples."""
    return MIDNIGHT_NS + samples * PERIOD_NS - 1


def fill(store: EmbeddedStore | InfluxDatabase, samples: int, influx: InfluxStore | None = None) -> None:
    """Write so many samples of one channel, and close the store."""
    settings = StoreSettings.model_validate({}) if influx is None else StoreSettings(influxdb=influx)
    store.prepare()
    for file in spool_files(batches(1, samples, BATCH), encoder_for(settings)):
        store.write(file)
    store.close()


@contextmanager
def served_archive(directory: Path, influxdb: str | None = None) -> Iterator[ArchiveSite]:
    """What is in the embedded store below `directory`, or in the database DATABASE of the InfluxDB at this address, being served."""
    directory.mkdir(exist_ok=True)
    config, (port, http_port, repeater_port) = directory / "config.yml", free_ports(3)
    content: dict[str, object] = {
        "archiver": {"state_dir": "./state", "max_channels": 10, "prefix": "BENCH:A:"},
        "ioc": {"interfaces": [LOOPBACK], "port": port},
        "ca": {"addr_list": [LOOPBACK], "auto_addr_list": False, "repeater_port": repeater_port},
        "http": {"port": http_port},
    }
    if influxdb is not None:
        content["store"] = {"influxdb": {"url": influxdb, "bucket": DATABASE}}
    config.write_text(yaml.safe_dump(content))
    if influxdb is None:  # a store without a registry is not a first start
        subprocess.run(python_module("archioc", "check", str(config), "--restore", "empty"), check=True, timeout=START_S)
    arguments = ["run", str(config)] if influxdb is None else ["serve", "--config", str(config)]
    environment = with_variables(client_variables([], repeater_port))
    child = Child("archiver", python_module("archioc", *arguments), directory / "log", environment)
    try:
        child.wait_for_output("http_listens", START_S)
        started = psutil.Process(child.pid)
        parts = {_part_of(process): process for process in started.children()} if influxdb is None else {"retrieval": started}
        site = ArchiveSite(f"http://{LOOPBACK}:{http_port}", config, {name: parts[name] for name in ("retrieval", "db") if name in parts})
        _wait_ready(site)
        yield site
    finally:
        child.stop(START_S)


def _wait_ready(site: ArchiveSite) -> None:
    """Until the store answers."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            site.download("raw", CHANNEL, MIDNIGHT_NS)
        except urllib.error.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _part_of(process: psutil.Process) -> str:
    """`retrieval`, `db`, ...: the part of the archiver that a process runs."""
    return (module_of(process.cmdline()) or "").removeprefix("archioc.")
