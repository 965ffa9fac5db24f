"""What is measured on: a soft IOC of counting records and an archiver, on loopback and with nothing left behind."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import yaml

from archioc.core.table import ChannelTable
from archioc.demo.ca_environment import client_variables, with_variables
from archioc.demo.child import Child
from archioc.demo.ports import LOOPBACK, free_ports
from archioc.demo.processes import start_repeater, start_soft_ioc

RATE = 10.0
"""Hz, of every record."""
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a directory with a random name is made in it
START_S = 60.0
STOP_S = 30.0
PROCESSES = ("engine", "db", "ioc")


@dataclass(frozen=True, slots=True)
class Site:
    """A running soft IOC. environment: for clients of it."""

    directory: Path
    names: tuple[str, ...]
    port: int
    repeater_port: int

    @property
    def environment(self) -> dict[str, str]:
        return with_variables(client_variables([self.port], self.repeater_port))


@contextmanager
def counting_ioc(records: int) -> Iterator[Site]:
    """A soft IOC whose records count at RATE, with a CA repeater."""
    names = tuple(f"BENCH:C{at}" for at in range(records))
    with tempfile.TemporaryDirectory(prefix="archioc-bench-") as scratch:
        directory = Path(scratch)
        database = directory / "count.db"
        database.write_text("".join(f'record(calc,"{name}"){{field(SCAN,".1 second") field(CALC,"VAL+1")}}\n' for name in names))
        port, repeater_port = free_ports(2)
        repeater = start_repeater(repeater_port, directory)
        try:
            ioc = start_soft_ioc(database, "", port, repeater_port, directory)
            try:
                yield Site(directory, names, port, repeater_port)
            finally:
                ioc.stop()
        finally:
            repeater.stop()


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters of a running archiver at one moment. cpu_s: processor seconds spent, by process."""

    at_s: float
    received: int
    stored: int
    lost: int
    cpu_s: dict[str, float]
    rss_mb: dict[str, float]


class MeasuredArchiver:
    """An archiver with the embedded store, its table and its processes open to be read."""

    def __init__(self, table: ChannelTable, processes: dict[str, psutil.Process]) -> None:
        self._table, self._processes = table, processes

    def read(self) -> Reading:
        ledger = self._table.ledger.head
        return Reading(
            at_s=time.monotonic(),
            received=int(ledger["received"][0]),
            stored=int(self._table.delivery.head["stored"][0]),
            lost=int(ledger["dropped_overflow"][0]) + int(ledger["dropped_spool_full"][0]),
            cpu_s={name: sum(process.cpu_times()[:2]) for name, process in self._processes.items()},
            rss_mb={name: process.memory_info().rss / 1e6 for name, process in self._processes.items()},
        )


@contextmanager
def archiver(site: Site, channels: Sequence[str], callback: str) -> Iterator[MeasuredArchiver]:
    """`archioc run` on these channels, once all of them are connected."""
    state = Path(tempfile.mkdtemp(prefix="state-", dir=site.directory))
    run = Path(tempfile.mkdtemp(prefix="archioc-bench-", dir=SHARED_MEMORY))
    (port,) = free_ports(1)
    content = {
        "archiver": {"state_dir": str(state), "run_dir": str(run), "prefix": "BENCH:A:"},
        "ioc": {"interfaces": [LOOPBACK], "port": port, "beacon_addr_list": [f"{LOOPBACK}:{site.repeater_port}"]},
        "ca": {
            "addr_list": [f"{LOOPBACK}:{site.port}"],
            "auto_addr_list": False,
            "repeater_port": site.repeater_port,
            "callback": callback,
        },
        "channels": list(channels),
    }
    config = state / "config.yml"
    config.write_text(yaml.safe_dump(content))
    environment = with_variables(client_variables([], site.repeater_port))
    child = Child("archiver", [sys.executable, "-m", "archioc", "run", str(config)], state / "archiver.log", environment)
    try:
        yield _connected(child, run, len(channels))
    finally:
        child.stop(STOP_S)
        shutil.rmtree(run)


def _connected(child: Child, run: Path, channels: int) -> MeasuredArchiver:
    child.wait_for_output("collecting", START_S)
    table = ChannelTable(run)
    table.open()
    cells = table.status.cells
    _wait(lambda: child.running and int(cells["connected"].sum()) == channels, child)
    return MeasuredArchiver(table, {name: _process(child, name) for name in PROCESSES})


def _wait(condition: Callable[[], bool], child: Child) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        if not child.running or time.monotonic() > deadline:
            raise SystemExit(f"the archiver does not connect:\n{child.output()[-3000:]}")
        time.sleep(0.1)


def _process(child: Child, name: str) -> psutil.Process:
    for process in psutil.Process(child.pid).children():
        if process.cmdline()[1:3] == ["-m", name]:
            return process
    raise SystemExit(f"the archiver has no process {name}")
