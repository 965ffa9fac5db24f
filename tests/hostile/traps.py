"""A directory full of Python files that must never run: they have the names of the archiver's modules and of its libraries."""

from __future__ import annotations

from pathlib import Path

NAMES = (
    "archioc", "engine", "db", "ioc", "opi", "retrieval", "grafana", "epics", "caproto", "yaml", "numpy", "structlog", "duckdb", "orjson",
    "pydantic", "typer", "rich", "uvicorn", "starlette", "isal", "influxdb_client", "prometheus_client", "matplotlib", "pandas", "plotly",
    "logging", "json", "ctypes", "asyncio", "sqlite3", "sitecustomize", "usercustomize",
)  # fmt: skip
"""Modules of ours, of the libraries, and of Python itself."""

_TRAP = "import pathlib\nwith (pathlib.Path(__file__).parent / 'sprung').open('a') as sprung:\n    sprung.write(__file__ + chr(10))\n"


def lay_traps(directory: Path) -> None:
    """Write a trap for each name; the directory is writable for everybody."""
    directory.chmod(0o777)
    for name in NAMES:
        (directory / f"{name}.py").write_text(_TRAP)


def sprung_traps(directory: Path) -> list[str]:
    """The traps that have run."""
    sprung = directory / "sprung"
    return sprung.read_text().splitlines() if sprung.exists() else []
