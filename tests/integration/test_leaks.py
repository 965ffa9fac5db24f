from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.leaks import holdings
from tests.processes.tools import missing_tool
from tests.processes.waiting import PATIENCE_S, wait_until

_SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]


def test_a_process_is_noticed() -> None:
    """A child that still runs is a leak, unless it is one of the session's."""
    before = holdings()
    child = subprocess.Popen(_SLEEP)
    try:
        found = holdings().beyond(before, set())
        assert [line.startswith(f"process {child.pid}: ") for line in found] == [True]
        assert holdings().beyond(before, {child.pid}) == []
    finally:
        child.kill()
        child.wait(timeout=10)
    assert holdings().beyond(before, set()) == []


def test_an_orphan_is_noticed() -> None:
    """A grandchild in a session of its own is noticed although its parent has gone."""
    before = holdings()
    quiet = "start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"
    script = f"import subprocess; print(subprocess.Popen({_SLEEP!r}, {quiet}).pid)"
    orphan = int(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60).stdout)
    try:
        assert any(line.startswith(f"process {orphan}: ") for line in holdings().beyond(before, set()))
    finally:
        os.kill(orphan, signal.SIGKILL)
    wait_until(lambda: not holdings().beyond(before, set()), PATIENCE_S, "the orphan is gone")


def test_a_file_and_a_socket_are_noticed(tmp_path: Path) -> None:
    """What is open is named, and is no leak any more once it is closed."""
    before = holdings()
    with (tmp_path / "kept").open("w"), socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        found = "\n".join(holdings().beyond(before, set()))
        assert str(tmp_path / "kept") in found
        assert "socket" in found
    assert holdings().beyond(before, set()) == []


def test_a_missing_tool_skips_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a tool a test is skipped; where ARCHIOC_REQUIRE names the tool it fails."""
    monkeypatch.setenv("ARCHIOC_REQUIRE", "cc")
    with pytest.raises(pytest.skip.Exception, match="no influxd here: install it"):
        missing_tool("influxd", "install it")
    monkeypatch.setenv("ARCHIOC_REQUIRE", "cc,influxd")
    with pytest.raises(pytest.fail.Exception, match="ARCHIOC_REQUIRE demands it"):
        missing_tool("influxd", "install it")
