"""What memory a long answer takes, in each process that has a part in it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from archioc.core.timestamp import format_utc
from bench.archive_site import CHANNEL, ArchiveSite, end_of
from bench.synthetic_batches import MIDNIGHT_NS

_MB = 1e6
_FEW = 1000
"""Samples of the export that shows what the command takes without any."""
_LOOK_S = 0.02
"""How often the memory of the command is looked at."""


@dataclass(frozen=True, slots=True)
class Export:
    """A long answer. how: `getData` or the command, with its format; rise_mb: highest resident memory over idle, by process (MB)."""

    how: str
    samples: int
    seconds: float
    megabytes: float
    rise_mb: dict[str, float]

    @property
    def highest_mb(self) -> float:
        return max(self.rise_mb.values())


def export_http(site: ArchiveSite, samples: int, form: str) -> Export:
    """The answer to one request. Idle is what the processes have before it."""
    watched = {name: _Peak(process) for name, process in site.processes.items()}
    seconds, received = site.download(form, CHANNEL, end_of(samples))
    rises = {name: peak.rise_mb for name, peak in watched.items()}
    return Export(f"getData.{form}", samples, seconds, received / _MB, rises)


def export_command(site: ArchiveSite, samples: int, output: Path) -> Export:
    """`archioc export` to a file. Idle is the same command for hardly any sample. Raises SystemExit when it fails."""
    idle = _run(site.config, _FEW, output)
    watched = {name: _Peak(process) for name, process in site.processes.items() if name != "retrieval"}
    started = time.perf_counter()
    highest = _run(site.config, samples, output)
    seconds, written = time.perf_counter() - started, output.stat().st_size
    output.unlink()
    rises = {"command": (highest - idle) / _MB} | {name: peak.rise_mb for name, peak in watched.items()}
    return Export(f"archioc export {output.suffix}", samples, seconds, written / _MB, rises)


class _Peak:
    """The highest resident memory of a process from now on, as the kernel keeps it."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        self._before = process.memory_info().rss

    @property
    def rise_mb(self) -> float:
        return max(0.0, (_highest(self._process.pid) - self._before) / _MB)


def _run(config: Path, samples: int, output: Path) -> int:
    """Run the command; its highest resident memory (bytes)."""
    span = ["--start", format_utc(MIDNIGHT_NS), "--end", format_utc(end_of(samples))]
    command = [sys.executable, "-m", "archioc", "export", CHANNEL, "--config", str(config), "--output", str(output), "--force", *span]
    # What the kernel tells of a child that has ended (`ru_maxrss`) counts the memory of the process that started it too.
    highest = 0
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            highest = max(highest, _highest(process.pid))
            time.sleep(_LOOK_S)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return highest


def _highest(pid: int) -> int:
    """The highest resident memory of a process so far (bytes); 0 of one that has ended."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return 0 if found is None else int(found[1]) * 1024
