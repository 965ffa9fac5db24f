"""What the control process says of the http process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from archioc.core.config.config import Config
from archioc.core.config.file import parse_config
from archioc.core.directories import Directories
from archioc.core.table.table import ProcessState
from archioc.ioc.pvs.http_process import http_state
from archioc.retrieval.serving import write_address
from tests.processes.waiting import wait_until


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """One with HTTP and a run directory."""
    found = parse_config("archiver: {state_dir: ./state}\nhttp: {enabled: true}\n", tmp_path / "config.yml")
    Directories(found.archiver.state_dir).run.mkdir(parents=True)
    return found


def test_not_wanted(config: Config) -> None:
    """Where HTTP is off the process is stopped."""
    assert http_state(config.model_copy(update={"http": config.http.model_copy(update={"enabled": False})})) is ProcessState.STOPPED


def test_lives_and_dies(config: Config, tmp_path: Path) -> None:
    """It runs from when it has told its address until it has died; a process with its number that is something else does not count."""
    address = Directories(config.archiver.state_dir).http_address
    assert http_state(config) is ProcessState.STARTING
    write_address(address, "127.0.0.1", 1)
    assert http_state(config) is ProcessState.STARTING, "this test is no http process"
    (tmp_path / "archioc").mkdir()
    (tmp_path / "archioc/retrieval.py").write_text("import time; time.sleep(60)")
    sleeper = subprocess.Popen([sys.executable, "-m", "archioc.retrieval", "-"], cwd=tmp_path)
    address.write_text(address.read_text().replace(str(os.getpid()), str(sleeper.pid)))
    try:
        wait_until(lambda: http_state(config) is ProcessState.RUNNING, 10, "it runs")
    finally:
        sleeper.kill()
        sleeper.wait()
    assert http_state(config) is ProcessState.STARTING
