"""What the archiver says it has stored, asked for through its command line as a user would."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from archioc.core.machine.python_module import python_module
from archioc.demo.errors import DemoFailed

_COMMAND_S = 60.0


@dataclass(frozen=True, slots=True)
class Counts:
    """The line of conservation: what came in and what became of it."""

    received: int
    generated: int
    filtered: int
    stored: int
    pending: int
    rejected: int
    dropped: int

    @property
    def balanced(self) -> bool:
        """Received + generated = filtered + stored + pending + rejected + dropped"""
        return self.received + self.generated == self.filtered + self.stored + self.pending + self.rejected + self.dropped

    @property
    def withheld(self) -> int:
        """Updates that are not in the store for a reason that was counted."""
        return self.filtered + self.pending + self.rejected + self.dropped

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "balanced": self.balanced}


@dataclass(frozen=True, slots=True)
class ArchiverCounts:
    """The conservation of the whole archiver and of each channel."""

    total: Counts
    channels: dict[str, Counts]


def archiver_counts(config: Path) -> ArchiverCounts:
    """The counts from `archioc status`; to be asked when the archiver has stopped. Raises DemoFailed."""
    answer = json.loads(_archioc("status", "--config", str(config), "--format", "json"))
    return ArchiverCounts(_counts(answer["conservation"]), {one["name"]: _counts(one) for one in answer["channels"]})


def stored_samples(config: Path, names: Sequence[str], start_ns: int, end_ns: int) -> dict[str, list[tuple[int, str]]]:
    """Time (ns) and value, as `archioc get` writes it into CSV, of the samples of each channel in a range. Raises DemoFailed."""
    text = _archioc("get", "--config", str(config), *names, "--start", _iso(start_ns), "--end", _iso(end_ns), "--format", "csv")
    found: dict[str, list[tuple[int, str]]] = {name: [] for name in names}
    for row in csv.DictReader(io.StringIO(text)):
        found[row["channel"]].append((int(row["time_ns"]), row["value"]))
    return found


def _counts(fields: dict[str, int]) -> Counts:
    return Counts(**{name: fields[name] for name in Counts.__slots__})


def _iso(time_ns: int) -> str:
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def _archioc(*arguments: str) -> str:
    try:
        command = python_module("archioc", *arguments)
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_S, check=False)
    except subprocess.TimeoutExpired:
        raise DemoFailed(f"archioc {arguments[0]} did not end within {_COMMAND_S:g} s") from None
    if done.returncode != 0:
        raise DemoFailed(f"archioc {arguments[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
