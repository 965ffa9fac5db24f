"""`archioc grafana`: the files that Grafana reads at its start."""

from __future__ import annotations

import sys
from importlib import resources
from importlib.abc import Traversable
from pathlib import Path

from archioc.core.errors import OutputError

FOLDERS = ("dashboards", "provisioning", "examples")
"""Of the package `archioc.grafana`, which a person need not have the libraries of."""


def write_provisioning(directory: Path) -> None:
    """Copy dashboards, provisioning and examples; raises OutputError."""
    shipped = resources.files("archioc") / "grafana"
    try:
        written = sum(_copy(shipped / folder, directory / folder) for folder in FOLDERS)
    except OSError as error:
        raise OutputError(f"{error.filename or directory}: cannot be written: {error.strerror or error}") from None
    sys.stdout.write(f"{directory}: {written} files; let Grafana's provisioning path be {directory / 'provisioning'}\n")


def _copy(source: Traversable, target: Path) -> int:
    """How many files were written."""
    if source.is_file():
        target.write_bytes(source.read_bytes())
        return 1
    target.mkdir(parents=True, exist_ok=True)
    return sum(_copy(one, target / one.name) for one in source.iterdir())
