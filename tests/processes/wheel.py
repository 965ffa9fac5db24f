"""A wheel of the checkout, built as a person builds it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]
LINKED = ("db", "engine", "grafana", "ioc", "opi", "retrieval")
"""Folders of the product that are sub-packages of archioc by a link."""

BUILD_S = 180.0


def build_wheel(directory: Path) -> Path:
    """Build from a copy, so that no file of an earlier build comes along."""
    source = directory / "source"
    source.mkdir(parents=True)
    for folder in ("archioc", *LINKED):
        shutil.copytree(TOP / folder, source / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for file in ("pyproject.toml", "README.md", "LICENSE", "docs/reference/contract/openapi.yaml"):
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / file, source / file)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(directory)]
    subprocess.run([*command, str(source)], check=True, capture_output=True, timeout=BUILD_S)
    (wheel,) = directory.glob("*.whl")
    return wheel


def install_apart(wheel: Path, directory: Path) -> dict[str, str]:
    """Unpack a wheel beside the installed libraries; the variables with which Python runs it in place of the checkout."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(directory), str(wheel)]
    subprocess.run(command, check=True, capture_output=True, timeout=BUILD_S)
    return {"PYTHONPATH": str(directory)}
