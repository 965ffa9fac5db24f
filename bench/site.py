"""What is measured on: servers of counting channels and an archiver, on loopback and with nothing left behind."""

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

from archioc.core.machine.python_module import module_of
from archioc.core.table.table import ChannelTable
from archioc.demo.ca_environment import client_variables, with_variables
from archioc.demo.child import Child
from archioc.demo.ports import LOOPBACK, free_ports
from archioc.demo.processes import start_repeater, start_soft_ioc

SCANS = {10.0: ".1 second", 5.0: ".2 second", 2.0: ".5 second", 1.0: "1 second", 0.5: "2 second"}
"""Scans of a record, by their rate (Hz)."""
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a directory with a random name is made in it
START_S = 300.0
STOP_S = 30.0
COUNTED_S = 5.0
PROCESSES = ("engine", "db", "ioc")


@dataclass(frozen=True, slots=True)
class Site:
    """Running servers and a repeater. names: channels that they serve; environment: for clients of them."""

    directory: Path
    names: tuple[str, ...]
    ports: tuple[int, ...]
    repeater_port: int

    @property
    def environment(self) -> dict[str, str]:
        return with_variables(client_variables(self.ports, self.repeater_port))


@contextmanager
def with_repeater(ports: int) -> Iterator[tuple[Path, list[int], int]]:
    """A directory, free ports for servers, and the port of a running CA repeater."""
    with tempfile.TemporaryDirectory(prefix="archioc-bench-") as scratch:
        directory = Path(scratch)
        repeater_port, *free = free_ports(1 + ports)
        repeater = start_repeater(repeater_port, directory)
        try:
            yield directory, free, repeater_port
        finally:
            repeater.stop()


@contextmanager
def counting_ioc(records: int, hertz: float) -> Iterator[Site]:
    """A soft IOC whose records count at this rate, one of SCANS, with a CA repeater."""
    names = tuple(f"BENCH:C{at}" for at in range(records))
    with with_repeater(1) as (directory, (port,), repeater_port):
        database = directory / "count.db"
        database.write_text("".join(f'record(calc,"{name}"){{field(SCAN,"{SCANS[hertz]}") field(CALC,"VAL+1")}}\n' for name in names))
        ioc = start_soft_ioc(database, "", port, repeater_port, directory)
        try:
            yield Site(directory, names, (port,), repeater_port)
        finally:
            ioc.stop()


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
    """An archiver with the embedded store, its table and its processes open to be read.

    start_s: from its start until it collects. connect_s: from then until all channels that are served were connected, and connect_cpu_s
    what the engine has spent meanwhile.
    """

    def __init__(self, table: ChannelTable, processes: dict[str, psutil.Process]) -> None:
        self._table, self._processes = table, processes
        self.start_s = self.connect_s = self.connect_cpu_s = 0.0

    def memory(self) -> dict[str, int]:
        """Bytes of each process that are its own, and of the files of the run directory, which are in memory as well."""
        own = {name: _anonymous(process.pid) for name, process in self._processes.items()}
        return own | {"tables": sum(file.stat().st_blocks * 512 for file in self._table.run_dir.iterdir())}

    def read_when_counted(self) -> Reading:
        """The same right after the next batch, COUNTED_S from now at the latest: counters move a batch at a time."""
        head = self._table.ledger.head
        received, until = int(head["received"][0]), time.monotonic() + COUNTED_S
        while int(head["received"][0]) == received and time.monotonic() < until:
            time.sleep(0.001)
        return self.read()

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
def archiver(site: Site, channels: Sequence[str], callback: str, served: int | None = None) -> Iterator[MeasuredArchiver]:
    """`archioc run` on these channels, once all of them are connected, or so many as are served."""
    state = Path(tempfile.mkdtemp(prefix="state-", dir=site.directory))
    run = Path(tempfile.mkdtemp(prefix="archioc-bench-", dir=SHARED_MEMORY))
    (port,) = free_ports(1)
    content = {
        "archiver": {"state_dir": str(state), "run_dir": str(run), "prefix": "BENCH:A:"},
        "ioc": {"interfaces": [LOOPBACK], "port": port, "beacon_addr_list": [f"{LOOPBACK}:{site.repeater_port}"]},
        "ca": {
            "addr_list": [f"{LOOPBACK}:{port}" for port in site.ports],
            "auto_addr_list": False,
            "repeater_port": site.repeater_port,
            "callback": callback,
        },
        "http": {"enabled": False},
    }
    config = state / "config.yml"
    config.write_text(yaml.safe_dump(content) + "channels:\n" + "".join(f"- {name}\n" for name in channels))
    environment = with_variables(client_variables([], site.repeater_port))
    child = Child("archiver", [sys.executable, "-m", "archioc", "run", str(config)], state / "archiver.log", environment)
    try:
        yield _connected(child, run, len(channels), len(channels) if served is None else served)
    finally:
        child.stop(STOP_S)
        shutil.rmtree(run)


def _connected(child: Child, run: Path, channels: int, served: int) -> MeasuredArchiver:
    began = time.monotonic()
    child.wait_for_output("collecting", START_S)
    table = ChannelTable(run)
    table.open()
    running = MeasuredArchiver(table, {name: _process(child, name) for name in PROCESSES})
    collecting = running.read()
    cells = table.status.cells[:channels]  # the others have no memory yet, and looking at them would give them some
    _wait(lambda: child.running and int(cells["connected"].sum()) == served, child)
    connected = running.read()
    running.start_s, running.connect_s = collecting.at_s - began, connected.at_s - collecting.at_s
    running.connect_cpu_s = connected.cpu_s["engine"] - collecting.cpu_s["engine"]
    return running


def _anonymous(pid: int) -> int:
    """Bytes of a process's memory that belong to no file."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def _wait(condition: Callable[[], bool], child: Child) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        if not child.running or time.monotonic() > deadline:
            raise SystemExit(f"the archiver does not connect:\n{child.output()[-3000:]}")
        time.sleep(0.1)


def _process(child: Child, name: str) -> psutil.Process:
    for process in psutil.Process(child.pid).children():
        if module_of(process.cmdline()) == f"archioc.{name}":
            return process
    raise SystemExit(f"the archiver has no process {name}")
