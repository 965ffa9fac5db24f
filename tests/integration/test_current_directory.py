"""The current directory plays no part in what the archiver runs."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from archioc.core.machine.python_module import python_module
from archioc.demo.ca_environment import with_variables
from archioc.engine.ca.repeater import repeater_at_hand
from tests.conftest import ArchiverFactory, SoftIocFactory
from tests.hostile.traps import lay_traps, sprung_traps
from tests.processes.ports import free_ports

CHECKOUT = Path(__file__).parents[2]
PRODUCT = ("archioc", "db", "engine", "grafana", "ioc", "opi", "retrieval")
RECORDS = 'record(calc, "{0}A") {{ field(SCAN, ".1 second") field(INPA, "{0}A") field(CALC, "A+1") }}\nrecord(ai, "{0}B") {{ }}\n'
COMMANDS = (
    ("status",), ("check",), ("get", "*"), ("export", "*", "-o", "out.csv", "--format", "csv"), ("plot", "*", "-o", "out.png"),
    ("report", "silent"), ("explain", "{0}A", "now"), ("audit",), ("alarms", "history", "*"), ("channels", "list"), ("spool", "ls"),
    ("quarantine", "list"), ("opi", "screens"),
)  # fmt: skip


@pytest.fixture
def trapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, full of traps and writable for everybody."""
    directory = tmp_path / "trapped"
    directory.mkdir()
    lay_traps(directory)
    monkeypatch.chdir(directory)
    yield directory
    assert sprung_traps(directory) == []


def test_archiver_and_commands(trapped: Path, softioc: SoftIocFactory, archiver: ArchiverFactory, prefix: str) -> None:
    """An archiver started among traps stores samples and imports a file, every command does its work, and no trap runs."""
    ioc = softioc(RECORDS.format(prefix))
    made = archiver([f"{prefix}A"], [ioc.port], more={"http": {"enabled": True, "port": free_ports(1)[0]}})
    made.start(connected=1)
    (trapped / "list.txt").write_text(f"{prefix}B\n")
    assert made.command("channels", "import", "list.txt", "--config", str(made.config)).status == 0
    made.wait_connected(2)
    made.wait_for_samples(f"{prefix}A", 0)
    for words in COMMANDS:
        arguments = [word.format(prefix) for word in words]
        done = made.command(*arguments, *(() if words[0] == "opi" else ("--config", str(made.config))))
        assert "Traceback" not in done.err, (words, done.err)
        assert sprung_traps(trapped) == [], words
    assert made.stop() == 0
    assert made.history(f"{prefix}A").samples


def test_repeater(trapped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CA repeater that the engine starts runs no file of the current directory."""
    monkeypatch.setenv("EPICS_CA_REPEATER_PORT", str(free_ports(1)[0]))
    with repeater_at_hand():
        assert trapped.is_dir()


def test_without_the_option_a_trap_runs(tmp_path: Path) -> None:
    """The traps can fail: Python without -P runs them."""
    lay_traps(tmp_path)
    command = [word for word in python_module("archioc", "--version") if word != "-P"]
    subprocess.run(command, cwd=tmp_path, env=with_variables({}), capture_output=True, timeout=60, check=False)
    assert sprung_traps(tmp_path)


def test_one_place_writes_the_option() -> None:
    """No other file of the product has the word -m for a command line."""
    found = [
        str(path.relative_to(CHECKOUT))
        for package in PRODUCT
        for path in (CHECKOUT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value == "-m"
    ]
    assert set(found) == {"archioc/core/machine/python_module.py"}
