"""Commands without a file or an option take `archioc.yml` of the current directory, or what ARCHIOC_CONFIG names."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from archioc.cli.main import app
from archioc.core.errors import ConfigError

COMMANDS = (["run"], ["check"], ["alarms", "config"], ["serve"], ["status"], ["get", "A"])
"""The first three take the file as an argument, all others as an option."""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ARCHIOC_CONFIG", raising=False)
    return tmp_path


def run(words: list[str]) -> tuple[int, str]:
    """Exit code and output of a command; errors in the configuration are output with code 2, as the console script has it."""
    done = CliRunner().invoke(app, words)
    if isinstance(done.exception, ConfigError):
        return 2, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_default_configuration(directory: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in it is told with its name and line; ARCHIOC_CONFIG goes before it; without either the missing file is named."""
    code, told = run(words)
    assert code != 0
    assert "archioc.yml" in told
    directory.joinpath("archioc.yml").write_text("archiver:\n  prefixx: 'A:'\n")
    code, told = run(words)
    assert code != 0
    assert "archioc.yml:2: archiver.prefixx" in told
    directory.joinpath("other.yml").write_text("\narchiver:\n  prefixx: 'A:'\n")
    monkeypatch.setenv("ARCHIOC_CONFIG", "other.yml")
    assert "other.yml:3: archiver.prefixx" in run(words)[1]


def test_the_default_configuration_is_used(directory: Path) -> None:
    """What is in `archioc.yml` is what is written for the alarm server."""
    directory.joinpath("archioc.yml").write_text("archiver: {prefix: 'HERE:'}\ngroups: {vacuum: {channels: [V]}}\n")
    code, told = run(["alarms", "config"])
    assert code == 0
    assert "HERE:GRP:vacuum:Disconnected" in told
