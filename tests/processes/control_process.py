from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import caproto as ca
import numpy as np

from archioc.core.directories import Directories
from archioc.core.machine.python_module import python_module
from archioc.core.table.table import ChannelTable, RowState
from tests.processes.raw_ca import RawCa
from tests.processes.waiting import wait_until

CAPACITY = 5000

TWO_CHANNELS = "channels: [SR:DCCT, {pv: SR:X.HIHI, rate: 5}]"


class ControlProcess:
    """`python -m archioc.ioc` on a state directory of its own, with a channel table in which the test stands in for engine and db.

    A kill and a start again find the registry and the table that were there. prefix: as the file has it; `{shard}` stands for 1.
    """

    def __init__(self, directory: Path, port: int, prefix: str, more: str = "", interface: str = "127.0.0.1") -> None:
        self.port, self.prefix = port, prefix.replace("{shard}", "1")
        self._archiver = f"prefix: '{prefix}'" + (", name: 'main-{shard}'" if self.prefix != prefix else "")
        self._interface = interface
        self.config = directory / "config.yml"
        self.directories = Directories(directory / "state")
        self.directories.run.mkdir(parents=True)
        self.table = ChannelTable(self.directories.run)
        self.table.create(CAPACITY)
        self._log = directory / "ioc.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(more)

    def configure(self, more: str) -> None:
        """Write the configuration; `more` holds further blocks."""
        self.config.write_text(
            f"archiver: {{{self._archiver}, state_dir: state, max_channels: {CAPACITY}}}\n"
            f"ioc: {{interfaces: [{self._interface}], port: {self.port}}}\n{more}\n"
        )

    def start(self, wait: bool = True, limits: Mapping[int, tuple[int, int]] | None = None) -> None:
        """limits: soft and hard ones of the process, by their RLIMIT_ number."""
        serving = self.log().count('"event": "serving"')
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                python_module("archioc.ioc", str(self.config), "--parent", str(os.getpid())), stderr=log, start_new_session=True
            )
        for kind, values in (limits or {}).items():
            resource.prlimit(self.pid, kind, values)
        if wait:
            wait_until(lambda: self.log().count('"event": "serving"') > serving or self._ended(), 60, "the control process serves")
            assert not self._ended(), self.log()

    def _ended(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def refuses(self, name: str, value: str | float) -> str:
        """Put what the control process must answer with an error (pyepics does not tell); its text."""
        with RawCa(self.port) as raw:
            channel = raw.open(name)[1]
            data = (value.encode(), ca.ChannelType.CHAR) if isinstance(value, str) else ([value], ca.ChannelType.DOUBLE)
            answer = raw.put(channel, *data)
        assert isinstance(answer, ca.ErrorResponse)
        return bytes(answer.error_message).decode()

    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for a process that ends by itself; the exit code."""
        assert self._process is not None
        return self._process.wait(timeout=60)

    def _end(self, number: int) -> int:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(timeout=60)

    def close(self) -> None:
        """End what runs and let go of the table."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self.table.close()

    def row_of(self, row: int) -> dict[str, float]:
        """The settings row as numbers."""
        cell = self.table.settings.cells[row]
        return {name: float(cell[name]) for name in ("generation", "state", "enable", "mode", "rate")}

    def let_rows_go(self) -> None:
        """Tell that rows of removed channels are free, as the engine does."""
        settings, status = self.table.settings.cells, self.table.status.cells
        rows = np.flatnonzero(settings["state"] == RowState.REMOVED)
        status["generation"][rows], status["released"][rows] = settings["generation"][rows], 1

    def used_rows(self) -> list[int]:
        """Rows in use."""
        return [int(row) for row in np.flatnonzero(self.table.settings.cells["state"] == 1)]
