from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import yaml

from archioc.core.config.file import load_config
from archioc.core.directories import SHARED_MEMORY, Directories
from archioc.core.machine.python_module import module_of, python_module
from archioc.core.overview import Overview, RunningArchiver
from archioc.core.table.table import ChannelTable, ProcessState
from archioc.demo.ca_environment import client_variables, with_variables
from archioc.demo.child import Child
from archioc.demo.ports import LOOPBACK
from archioc.open_archive import open_reader
from tests.processes.archiver_answers import AtRest, Finished, History, Status, read_histories, read_status
from tests.processes.ca_client import CaClient
from tests.processes.waiting import wait_until

PROCESSES = ("ioc", "db", "engine")
FAR_NS = 2**62
CLIENT_PRECISION_NS = 1000
"""A client tells a time stamp as a float of seconds."""
ALL_TIME = ("--start", "1971-01-01T00:00:00Z", "--end", "2100-01-01T00:00:00Z")
COMMAND_S = 120.0
STOP_S = 60.0
"""What the supervisor gives its processes one after the other, and more."""
MAX_CHANNELS = 2000
IMPATIENT = "tests.processes.impatient_archioc"
"""A program of the checkout, which is found from the current directory."""

Setting = str | float | bool
Channel = str | dict[str, Setting]
"""An entry of `channels` in the configuration."""

StoreBlock = dict[str, dict[str, str]]
"""The block `store` of the configuration."""

Blocks = Mapping[str, Mapping[str, object]]
"""Keys of the configuration by block, to add to those of a test archiver or to replace them."""


def suspend(process: psutil.Process) -> None:
    """SIGSTOP, and wait until it does nothing any more: on another processor it may still run for a moment."""
    process.suspend()
    wait_until(lambda: process.status() in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}, 30, f"{process.pid} is suspended", 0.001)


class Archiver:
    """`archioc run` on a configuration and a state directory of its own, with the processes that it starts.

    ioc_ports: CA servers whose channels it archives. store: block `store` of the configuration, None for the embedded store.
    more: further keys; without any HTTP is off. impatient: killed processes are started again at once, however often.
    environment: further variables of its processes. It can be started again after it has ended, and then finds what it has left.
    """

    def __init__(
        self,
        directory: Path,
        port: int,
        prefix: str,
        ioc_ports: Sequence[int],
        repeater_port: int,
        channels: Sequence[Channel],
        store: StoreBlock | None = None,
        commit_interval: float = 0.5,
        more: Blocks | None = None,
        impatient: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port, self.prefix = port, prefix
        self._impatient = impatient
        self.config = directory / "config.yml"
        self.directories = Directories(directory / "state")
        self.log = directory / "archiver.log"
        self._environment = with_variables(client_variables([], repeater_port)) | dict(environment or {})
        content: dict[str, Any] = {
            "archiver": {"prefix": prefix, "state_dir": "./state", "max_channels": MAX_CHANNELS, "ring_bytes": "16MB"},
            "ioc": {"interfaces": [LOOPBACK], "port": port, "beacon_addr_list": [f"{LOOPBACK}:{repeater_port}"]},
            "ca": {"addr_list": [f"{LOOPBACK}:{one}" for one in ioc_ports], "auto_addr_list": False, "repeater_port": repeater_port},
            "spool": {"commit_interval": commit_interval, "min_free": "10MB"},
            "http": {"enabled": False},
        }
        for block, keys in (more or {}).items():
            content[block] = content.get(block, {}) | dict(keys)
        content["channels"] = list(channels)
        self.config.write_text(yaml.safe_dump(content | ({"store": store} if store else {}), sort_keys=False))
        self._child: Child | None = None
        self._suspended: list[psutil.Process] = []

    # -- the processes -------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        assert self._child is not None
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the supervisor is there."""
        return self._child is not None and self._child.running

    def launch(self) -> None:
        """Start it without waiting."""
        words = ("run", str(self.config))
        command = [sys.executable, "-m", IMPATIENT, *words] if self._impatient else python_module("archioc", *words)
        self._child = Child("archiver", command, self.log, self._environment)

    def start(self, connected: int | None = None) -> None:
        """Start it and wait until all its processes run and the store answers, and until so many channels are connected."""
        self.launch()
        self.wait_running()
        wait_until(lambda: self.overview().store_state == "ok", 60, "the store answers")
        if connected is not None:
            self.wait_connected(connected)

    def child(self, name: str) -> psutil.Process | None:
        """The process `engine`, `db` or `ioc`, None while there is none."""
        if not self.running:
            return None
        for process in psutil.Process(self.pid).children():
            try:
                if module_of(process.cmdline()) == f"archioc.{name}":
                    return process
            except psutil.NoSuchProcess:
                continue
        return None

    def pid_of(self, name: str) -> int:
        """Process id of `engine`, `db` or `ioc`."""
        process = self.child(name)
        assert process is not None, f"there is no process {name}"
        return int(process.pid)

    def kill_child(self, name: str) -> int:
        """Kill -9 of `engine`, `db` or `ioc`; the process id it had."""
        pid = self.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    @contextlib.contextmanager
    def unattended(self) -> Iterator[None]:
        """The supervisor does nothing meanwhile: a process that is killed has no successor yet."""
        supervisor = psutil.Process(self.pid)
        suspend(supervisor)
        try:
            yield
        finally:
            supervisor.resume()

    def suspend_child(self, name: str) -> psutil.Process:
        """SIGSTOP: it stays there and does nothing until it is told to `resume`."""
        process = psutil.Process(self.pid_of(name))
        self._suspended.append(process)
        suspend(process)
        return process

    def wait_for_successor(self, name: str, killed: int, timeout_s: float = 90.0) -> None:
        """Wait until the process that follows the killed one runs."""
        wait_until(lambda: self.runs(name, killed), timeout_s, f"another {name} process runs, log: {self.log}", 0.05)

    def wait_running(self, timeout_s: float = 90.0) -> None:
        """Wait until all three processes say that they run."""
        wait_until(
            lambda: self._ended() or all(self.runs(name) for name in PROCESSES), timeout_s, f"the archiver runs, log: {self.log}", 0.05
        )
        assert not self._ended(), self.log.read_text()[-3000:]

    def wait_connected(self, count: int, timeout_s: float = 90.0) -> None:
        """Wait until so many channels are connected."""
        wait_until(lambda: self.overview().connected == count, timeout_s, f"{count} channels are connected", 0.05)

    def _ended(self) -> bool:
        return not self.running

    def runs(self, name: str, killed: int = 0) -> bool:
        """Whether `engine`, `db` or `ioc` is there and says that it runs. killed: a process that is not meant."""
        process = self.child(name)
        if process is None or process.pid == killed or not self.directories.run.exists():
            return False
        table = ChannelTable(self.directories.run)
        if not all(block.path.exists() for block in table.blocks):
            return False
        table.open()
        head = {"ioc": table.settings, "db": table.delivery, "engine": table.status}[name].head
        runs = int(head["pid"][0]) == process.pid and int(head["state"][0]) == ProcessState.RUNNING
        table.close()
        return runs

    def stop(self, timeout_s: float = STOP_S) -> int:
        """SIGTERM; the exit status."""
        assert self._child is not None
        return self._child.stop(timeout_s)

    def interrupt(self, timeout_s: float = STOP_S) -> int:
        """SIGINT to its process group, as Ctrl-C at a terminal does; the exit status."""
        assert self._child is not None
        os.killpg(self.pid, signal.SIGINT)
        wait_until(self._ended, timeout_s, "the archiver has ended")
        return self._child.stop()

    def kill_supervisor(self) -> list[psutil.Process]:
        """Kill -9 of the supervisor alone; the processes it had."""
        assert self._child is not None
        children = psutil.Process(self.pid).children()
        self._child.kill()
        return children

    def cut_power(self) -> None:
        """Kill -9 of all its processes at once, and what is in memory is gone, as after a power cut."""
        assert self._child is not None
        supervisor = psutil.Process(self.pid)
        suspend(supervisor)  # it must not start another
        for process in supervisor.children():
            process.kill()
        self._child.kill()
        self.lose_memory()

    def lose_memory(self) -> None:
        """Take away what a reboot takes away: the run directory."""
        shutil.rmtree(self.directories.run.resolve())

    def close(self) -> None:
        """End what runs, and remove its run directory."""
        for process in self._suspended:
            if process.is_running():
                process.resume()
        if self.running:
            self.stop()
        place = self.directories.run.resolve()
        if place.parent == SHARED_MEMORY:
            shutil.rmtree(place, ignore_errors=True)

    # -- what it says --------------------------------------------------------------------------

    def command(self, *arguments: str) -> Finished:
        """Run `archioc` with these arguments."""
        command = python_module("archioc", *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False, env=self._environment)
        return Finished(done.returncode, done.stdout, done.stderr)

    def status(self) -> Status:
        """From the command line."""
        done = self.command("status", "--config", str(self.config), "--format", "json")
        assert done.status == 0, done.err
        return read_status(done.out)

    def overview(self) -> Overview:
        """The same figures for polling: read here, without another process."""
        running = RunningArchiver(self.directories)
        try:
            return running.overview()
        finally:
            running.close()

    def get(self, *patterns: str) -> dict[str, History]:
        """All that is stored of these channels, from the command line."""
        done = self.command("get", *patterns, "--config", str(self.config), *ALL_TIME, "--format", "json")
        assert done.status == 0, done.err
        return read_histories(done.out)

    def get_all(self) -> dict[str, History]:
        """All that is stored of all channels."""
        return self.get("*")

    def history(self, channel: str) -> History:
        """All that is stored of one channel; nothing when the store does not know it."""
        done = self.command("get", channel, "--config", str(self.config), *ALL_TIME, "--format", "json")
        if done.status == 1 and "no such channel" in done.err:
            return History([], [])
        assert done.status == 0, done.err
        return read_histories(done.out)[channel]

    def wait_for_samples(self, channel: str, since_ns: int, timeout_s: float = 60.0) -> None:
        """Wait until the store has a sample of this channel at or after a time (ns). Asks the running archiver as `archioc get` does."""
        reader = open_reader(load_config(self.config))
        try:
            wait_until(
                lambda: any(len(chunk) for chunk in reader.samples(channel, since_ns, FAR_NS, with_previous=False)),
                timeout_s,
                f"a sample of {channel} after {since_ns}",
                0.1,
            )
        finally:
            reader.close()

    def wait_for_newest(self, client: CaClient, records: Mapping[str, str]) -> None:
        """Wait until the store has what records hold now. records: of each channel, the record without a field."""
        for channel, record in records.items():
            stamp_s = client.describe(f"{record}.SEVR").time_s
            self.wait_for_samples(channel, int(stamp_s * 1e9) - CLIENT_PRECISION_NS)

    def spooled(self) -> int:
        """Batches that are in the spool."""
        return sum(1 for part in ("new", "sending") for _ in (self.directories.spool / part).iterdir())

    def wait_for_spool(self, files: int, timeout_s: float = 90.0) -> None:
        """Wait until at least so many batches wait in the spool."""
        wait_until(lambda: self.overview().spool_files >= files, timeout_s, f"{files} batches in the spool", 0.05)

    def wait_for_empty_spool(self, timeout_s: float = 120.0) -> None:
        """Wait until no batch is in the spool."""
        wait_until(lambda: self.overview().spool_files == 0, timeout_s, "an empty spool", 0.05)

    def check_balance(self) -> Status:
        """To be called when it has stopped: nothing is pending or lost, and every count is balanced."""
        assert not self.running
        status = self.status()
        assert status.spool_files == 0
        for name, counts in (("total", status.total), *status.channels.items()):
            assert counts.balanced, f"{name}: {counts}"
            assert (counts.pending, counts.rejected, counts.dropped) == (0, 0, 0), f"{name}: {counts}"
        return status

    def check_conservation(self) -> AtRest:
        """To be called when it has stopped: `check_balance`, and what is counted as stored is in the store."""
        status, histories = self.check_balance(), self.get_all()
        in_store = {name: len(history.samples) for name, history in histories.items()}
        counted = {name: counts.stored for name, counts in status.channels.items()}
        assert counted == {name: in_store.get(name, 0) for name in counted}
        assert sum(in_store.values()) == status.total.stored
        return AtRest(status, histories)
