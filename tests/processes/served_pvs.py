"""Two servers with PVs of the same names: ours, and caproto's own asyncio server as it is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import caproto as ca

from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa

MANY = 800
"""Channels `N0`, `N1` ..."""
FIELDS = ("Rate", "Deadband", "Quota", "MaxInterval")
"""PVs that every channel has."""


class ServedPvs(Protocol):
    """`CH:A:Value` and `CH:B:Value` show what is given to `show`. ours: whether it is our server."""

    ours: bool
    udp_port: int
    tcp_port: int

    @property
    def pid(self) -> int: ...

    def show(self, value: float) -> None: ...

    def remove(self) -> None:
        """Take away the channel A."""

    def close(self) -> None: ...


class OurServer:
    ours = True

    def __init__(self, directory: Path, port: int, prefix: str) -> None:
        self.udp_port = self.tcp_port = port
        self._prefix = prefix
        self._process = ControlProcess(
            directory, port, prefix, f"channels: [A, B, SR:X.HIHI, SR:X, {', '.join(f'N{number}' for number in range(MANY))}]"
        )
        self._process.start()
        status = self._process.table.status.cells
        status["generation"][:2] = status["connected"][:2] = 1

    @property
    def pid(self) -> int:
        return self._process.pid

    def show(self, value: float) -> None:
        self._process.table.status.cells["value"][:2] = value

    def remove(self) -> None:
        with RawCa(self.tcp_port) as raw:
            _, remove = raw.open(f"{self._prefix}Remove")
            assert isinstance(raw.put(remove, b"A", ca.ChannelType.CHAR), ca.WriteNotifyResponse)

    def close(self) -> None:
        self._process.close()


class StockServer:
    ours = False

    def __init__(self, port: int, prefix: str, environment: Mapping[str, str]) -> None:
        self.udp_port = port
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.processes.stock_server_program", prefix],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, "EPICS_CA_SERVER_PORT": str(port)},
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.tcp_port = int(self._process.stdout.readline().split()[1])

    @property
    def pid(self) -> int:
        return self._process.pid

    def show(self, value: float) -> None:
        self._tell(f"show {value}")

    def remove(self) -> None:
        self._tell("remove")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=10)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        if self._process.poll() is None:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
