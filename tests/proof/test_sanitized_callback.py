"""The C code between libca and the ring, built with the sanitizers of the compiler, under a server that lies about everything."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest

from archioc.core.dbr import Dbr
from archioc.engine import ca
from tests.conftest import EngineFactory, HostileServerFactory
from tests.processes.engine_process import on_servers
from tests.processes.sanitized_engine import MODULES
from tests.processes.tools import missing_tool
from tests.processes.waiting import wait_until
from tests.proof.counts import counts

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

FLAGS = ("-std=gnu11", "-O1", "-g", "-shared", "-fPIC", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
BURST = 200
MESSAGES = max(20_000, counts().hostile_messages // 10)


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The directory of the modules, and the libraries that a process must load first: the sanitizer, and what it looks into."""
    compiler = shutil.which("gcc") or missing_tool("gcc", "the sanitizers come with it; install gcc")
    first = [_library(compiler, name) for name in ("libasan.so", "libstdc++.so")]
    directory, sources = tmp_path_factory.mktemp("sanitized"), Path(str(ca.__file__)).parent
    include = f"-I{sysconfig.get_paths()['include']}"
    for name in MODULES:
        command = [compiler, *FLAGS, include, str(sources / f"{name}.c"), "-o", str(directory / f"{name}.so")]
        subprocess.run(command, check=True)
    return directory, " ".join(str(library) for library in first)


def _library(compiler: str, name: str) -> Path:
    found = Path(subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip())
    return found.resolve() if found.is_absolute() else missing_tool(name, "install the sanitizers of gcc")


@pytest.mark.parametrize("engine_process", ["compiled"], indirect=True)
def test_no_sanitizer_finds_anything(
    sanitized: tuple[Path, str], hostile_server: HostileServerFactory, engine_process: EngineFactory, repeater_port: int, prefix: str
) -> None:
    """No byte outside a buffer is read or written, and no number overflows, whatever the server sends."""
    directory, libraries = sanitized
    server = hostile_server(burst=BURST, ends=True, seed=7)
    environment = {
        **on_servers([server.port], repeater_port),
        "LD_PRELOAD": libraries,
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    command = (sys.executable, "-m", "tests.processes.sanitized_engine", str(directory))
    process = engine_process([server.port], environment=environment, rows=512, ring_bytes=64_000_000, command=command)
    process.start()
    turn, names = 0, [""]
    while server.sent < MESSAGES:
        turn += 1
        names = [f"{prefix}X:{native.value}:{count}:{turn}" for native in Dbr for count in (1, 8)]
        for name in names:
            process.archive.add(name)
        wait_until(lambda names=names: all(server.attacks.get(name) for name in names), 60, "each channel is attacked")  # type: ignore[misc]
        time.sleep(0.3)
        assert process.running, process.log.read_text(errors="replace")[-4000:]
        for name in names:
            process.archive.remove(name)
    assert process.stop() == 0, process.log.read_text(errors="replace")[-4000:]
    log = process.log.read_text(errors="replace")
    assert "runtime error" not in log
    assert "AddressSanitizer" not in log
