"""Synthetic CA servers (`update_server.c`): processes that serve many counting channels and cost next to nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from archioc.demo.child import Child
from bench.site import Site, with_repeater

SOURCE = Path(__file__).with_name("update_server.c")
PREFIX = "SYNTH:C"
BUILD_S, READY_S = 60.0, 20.0


class NoCompiler(Exception):
    """There is no `cc` here."""


def build(directory: Path) -> Path:
    """Compile the server into a directory. Raises NoCompiler, and CalledProcessError when it does not compile."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise NoCompiler(f"no cc here to build {SOURCE.name}")
    program = directory / SOURCE.stem
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-pthread", "-o", str(program), str(SOURCE)], check=True, timeout=BUILD_S)
    return program


@dataclass(slots=True)
class UpdateServer:
    """One server process: `count` channels from number `first` on, each of which counts at `hertz`."""

    program: Path
    port: int
    repeater_port: int
    first: int
    count: int
    hertz: float
    process: Child | None = None

    def start(self) -> None:
        """Start it and wait until it serves. Raises ChildFailed."""
        numbers = (os.getpid(), self.port, self.repeater_port, PREFIX, self.first, self.count, self.hertz)
        log = self.program.with_name(f"server-{self.port}.log")
        self.process = Child("update server", [str(self.program), *map(str, numbers)], log)
        self.process.wait_for_output("ready", READY_S)

    def kill(self) -> None:
        """SIGKILL, where it runs."""
        if self.process is not None:
            self.process.kill()
            self.process = None


@contextmanager
def update_servers(servers: int, channels: int, hertz: float, served: float = 1.0) -> Iterator[tuple[Site, list[UpdateServer]]]:
    """Servers that share these channels evenly. served: part of the names that exist, 0 to 1. Raises NoCompiler, ChildFailed."""
    each = channels // servers
    with with_repeater(servers) as (directory, ports, repeater_port):
        program = build(directory)
        made = [UpdateServer(program, port, repeater_port, at * each, int(each * served), hertz) for at, port in enumerate(ports)]
        try:
            for server in made:
                server.start()
            yield Site(directory, tuple(f"{PREFIX}{at}" for at in range(each * servers)), tuple(ports), repeater_port), made
        finally:
            for server in made:
                server.kill()
