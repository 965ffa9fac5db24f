"""A control process with very many channels, in which the bench stands in for the engine and the db process."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archioc.core.directories import Directories
from archioc.core.table.table import ChannelState, ChannelTable, ProcessState, RowState, StoreState
from archioc.demo.ca_environment import client_variables, with_variables
from archioc.demo.child import Child
from archioc.demo.ports import LOOPBACK, free_ports
from archioc.demo.processes import start_repeater
from bench.ca_load import RawCircuit
from bench.site import SHARED_MEMORY
from bench.watched_ioc import Callback, read_callbacks

PREFIX = "BENCH:A:"
CHANGE_S = 1.0
BEAT_S = 0.5
START_S, STOP_S = 180.0, 30.0


def channel_name(number: int) -> str:
    """As long as those of a machine are."""
    return f"SR:C{number % 100:02d}:PS{number:06d}:I"


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a process that are resident: its own, of files (libraries, the registry), and of shared memory (the channel table)."""

    anonymous: int
    file: int
    shared: int

    @property
    def resident(self) -> int:
        return self.anonymous + self.file + self.shared


def memory_of(pid: int) -> Memory:
    """What the process holds now."""
    words = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Rss"))
    found = {name: 1024 * int(kilobytes) for name, kilobytes, _ in words}
    return Memory(found["RssAnon:"], found["RssFile:"], found["RssShmem:"])


class ControlSite:
    """State directory, table and configuration of a control process; its channels are there once it has started for the first time."""

    def __init__(self, directory: Path, run: Path, channels: int, capacity: int) -> None:
        self.directory, self.channels = directory, channels
        (self.port,) = free_ports(1)
        (self.repeater_port,) = free_ports(1)
        self.config, self.callbacks = directory / "config.yml", directory / "callbacks.jsonl"
        self.directories = Directories(directory / "state")
        self.directories.state.mkdir()
        self.directories.run.symlink_to(run)
        self.table = ChannelTable(run)
        self.table.create(capacity)
        self._capacity = capacity
        self._process: Child | None = None
        self._repeater = start_repeater(self.repeater_port, directory)
        self._changing = 0
        self._stop = threading.Event()
        self._others = threading.Thread(target=self._stand_in, name="engine and db", daemon=True)
        self._others.start()
        self.declare(range(channels))

    def declare(self, numbers: range, settings: str = "") -> None:
        """Write a configuration with these channels."""
        blocks = (
            f"archiver: {{prefix: '{PREFIX}', state_dir: state, max_channels: {self._capacity}}}\n"
            f"ioc: {{interfaces: [{LOOPBACK}], port: {self.port}}}\nchannels:\n"
        )
        self.config.write_text(blocks + "".join(f"- {{pv: '{channel_name(number)}'{settings}}}\n" for number in numbers))

    @property
    def environment(self) -> dict[str, str]:
        """For clients of the control process."""
        return with_variables(client_variables([self.port], self.repeater_port))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *, watched: bool = False) -> float:
        """Start the control process; seconds until a client has had its first answer. watched: as `bench.watched_ioc`."""
        program = ["bench.watched_ioc", str(self.callbacks)] if watched else ["archioc.ioc"]
        begun = time.monotonic()
        command = [sys.executable, "-m", *program, str(self.config), "--parent", str(os.getpid())]
        self._process = Child("ioc", command, self.directory / "ioc.log", with_variables({}))
        while True:
            try:
                with RawCircuit(self.port) as client:
                    client.get_number(*client.open([f"{PREFIX}State"]))
                    return time.monotonic() - begun
            except OSError:
                if not self._process.running or time.monotonic() - begun > START_S:
                    raise SystemExit(f"the control process does not answer:\n{self._process.output()[-3000:]}") from None
                time.sleep(0.005)

    def output(self) -> str:
        """The log of the control process that runs."""
        assert self._process is not None
        return self._process.output()

    def used_rows(self) -> list[int]:
        """Rows of the channel table that channels have."""
        return [int(row) for row in np.flatnonzero(self.table.settings.cells["state"] == RowState.USED)]

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self._process is not None:
            self._process.stop(STOP_S)
            self._process = None

    def close(self) -> None:
        """End all that runs."""
        self.stop()
        self._stop.set()
        self._others.join()
        self._repeater.stop()
        self.table.close()

    def change(self, count: int) -> None:
        """From now on have the values of the first so many channels change once a second, all at one moment."""
        self._changing = count

    def callbacks_since(self, moment_s: float) -> list[Callback]:
        """What has kept the loop of a watched process."""
        return read_callbacks(self.callbacks, moment_s)

    def client(self) -> RawCircuit:
        return RawCircuit(self.port)

    def _stand_in(self) -> None:
        table, round_ = self.table, 0
        table.delivery.head["store_state"][0] = StoreState.OK
        status = table.status.cells
        while not self._stop.wait(BEAT_S if not self._changing else CHANGE_S):
            for block in (table.status, table.delivery):
                block.head["heartbeat"][0], block.head["state"][0] = time.time_ns(), ProcessState.RUNNING
            removed = np.flatnonzero(table.settings.cells["state"] == RowState.REMOVED)
            status["generation"][removed], status["released"][removed] = table.settings.cells["generation"][removed], 1
            if self._changing:
                round_ += 1
                rows = slice(0, self._changing)
                status["generation"][rows] = table.settings.cells["generation"][rows]
                status["connected"][rows], status["state"][rows] = 1, ChannelState.ARCHIVING
                status["received_at"][rows] = time.time_ns()
                status["value"][rows] = np.arange(self._changing) + round_


@contextmanager
def control_site(channels: int, capacity: int) -> Iterator[ControlSite]:
    """A site whose registry holds the channels, not started. Nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="archioc-bench-") as directory:
        run = Path(tempfile.mkdtemp(prefix="archioc-bench-", dir=SHARED_MEMORY))
        site = ControlSite(Path(directory), run, channels, capacity)
        try:
            yield site
        finally:
            site.close()
            shutil.rmtree(run)
