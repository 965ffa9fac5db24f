"""The command line as a whole: how soon it answers, completion, what Ctrl-C and a pipe do."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from archioc.cli.main import app
from archioc.core.timestamp import SECOND, format_utc
from tests.archives.batches import T0, Point
from tests.archives.stored_archive import StoredArchive, make_archive

HELP_S = 0.3
"""`archioc --help` answers within this time; the guard allows three times as much."""

ALL = ("--start", format_utc(T0), "--end", format_utc(T0 + 40 * 86400 * SECOND))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> StoredArchive:
    made = make_archive(tmp_path_factory.mktemp("archive"))
    made.store([Point(name, T0 + at * 86400 * SECOND, float(at), severity=2) for name in "AB" for at in range(40)])
    return made


def archioc(*words: str) -> list[str]:
    return [sys.executable, "-m", "archioc", *words]


def helps(command: object, name: str = "archioc") -> dict[str, str]:
    """The help of every command under one that does something itself, by its words."""
    parts = dict(getattr(command, "commands", {}))
    if not parts:
        return {name: str(getattr(command, "help", ""))}
    return {words: text for word, part in parts.items() for words, text in helps(part, f"{name} {word}").items()}


def test_help_comes_at_once() -> None:
    """Of five runs of --help the quickest takes less processor time than three times what is promised; no library for data is loaded."""
    took = []
    for _ in range(5):
        process = subprocess.Popen(archioc("--help"), stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        took.append(used.ru_utime + used.ru_stime)
    assert min(took) < 3 * HELP_S
    loaded = "import sys, archioc.cli.main; print(*{'numpy', 'duckdb', 'pydantic', 'caproto', 'yaml', 'matplotlib'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "\n"


def test_every_command_has_an_example() -> None:
    """The help of each command has a line that can be typed."""
    texts = helps(typer.main.get_command(app))
    assert len(texts) > 15
    assert [name for name, text in texts.items() if f"Example: {name}" not in text and f"Examples: {name}" not in text] == []


def test_help_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns no help is cut: each line but an example fits, no word is broken, and every option is there."""
    monkeypatch.setenv("COLUMNS", "80")
    for words in ("archioc", *helps(typer.main.get_command(app))):
        done = CliRunner().invoke(app, [*words.split()[1:], "--help"], terminal_width=80)
        assert done.exit_code == 0
        lines = [line for line in done.output.splitlines() if not line.startswith(f"  {words} ")]
        assert [line for line in lines if len(line) > 80 or "\u2026" in line or (line.endswith("..") and "Usage" not in line)] == []
        assert "non_finite" in done.output or words != "archioc get"


def test_commands_stand_in_sections() -> None:
    """The help of `archioc` has its commands under titles, none of them without one."""
    output = CliRunner().invoke(app, ["--help"]).output
    assert [line for line in output.splitlines() if line.endswith(":") and not line.startswith(" ")] == [
        "Options:", "Run:", "Read:", "Change:", "Look inside:", "Tools:"
    ]  # fmt: skip


def test_explain_has_help() -> None:
    """-h alone asks for help of explain, where -1h is a time."""
    output = CliRunner().invoke(app, ["explain", "-h"]).output
    assert "Usage:" in output
    assert "Examples:" in output


def test_a_full_disk_for_the_output(archive: StoredArchive) -> None:
    """An output that cannot be written ends with 1 and one line, no traceback."""
    for words in (("--help",), ("get", "A", "--config", str(archive.config), *ALL), ("channels", "list", "--config", str(archive.config))):
        with Path("/dev/full").open("wb") as full:
            done = subprocess.run(archioc(*words), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        assert done.returncode == 1, words
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert done.stderr.startswith("archioc: ")


def test_completion() -> None:
    """A shell that asks for words that begin with `ex` is told of export and explain."""
    environment = os.environ | {"_ARCHIOC_COMPLETE": "complete_bash", "COMP_WORDS": "archioc ex", "COMP_CWORD": "1"}
    program = "import sys; sys.argv[0] = 'archioc'; from archioc.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False, timeout=60)
    assert done.stdout.split() == ["export", "explain"]


def test_plain_when_piped_and_coloured_on_a_terminal(archive: StoredArchive) -> None:
    """A pipe gets the lines without colours; a terminal gets alarms in colour, and the same lines."""
    command = archioc("get", "A", "--config", str(archive.config), *ALL)
    piped = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "\x1b" not in piped
    shown = on_terminal(command)
    assert "\x1b[31m" in shown
    assert "39" in shown


def on_terminal(command: list[str]) -> str:
    """What a command writes to a terminal."""
    leader, follower = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower, env=environment)
    os.close(follower)
    written = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([leader], [], [], 0.5)[0]:
            continue
        try:
            written += os.read(leader, 65536)
        except OSError:  # EIO: the last one at the other end has gone
            break
    os.close(leader)
    assert process.wait(30) == 0
    return written.decode()


def test_an_export_shows_how_far_it_is(archive: StoredArchive, tmp_path: Path) -> None:
    """On a terminal the export has a bar with the name of the channel; in a pipe only the line at its end."""
    path = tmp_path / "a.csv"
    command = archioc("export", "A", "B", "-o", str(path), "--force", "--config", str(archive.config), *ALL)
    assert "100%" in on_terminal(command)
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == (f"{path}: 80 samples of 2 channels\n", "")


_SLOW_EXPORT = """
import signal
import time
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell takes from what it starts in the background
import archioc.cli.export.export as command
from archioc.cli.main import main
found = command.expand
def expand(*arguments):
    print("begun", flush=True)
    time.sleep(60)
    return found(*arguments)
command.expand = expand
main()
"""


def test_ctrl_c_ends_an_export_without_a_file(archive: StoredArchive, tmp_path: Path) -> None:
    """SIGINT in the middle of an export ends it with 130, and nothing of the file is left."""
    path = tmp_path / "a.csv"
    command = [sys.executable, "-c", _SLOW_EXPORT, "export", "A", "-o", str(path), "--config", str(archive.config), *ALL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        assert [one.name.startswith(".a.csv.") for one in tmp_path.iterdir()] == [True]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert not list(tmp_path.iterdir())
