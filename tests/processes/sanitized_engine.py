"""The engine with C modules of another build: `python -m tests.processes.sanitized_engine DIRECTORY ...`, as `python -m engine ...`."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path

import engine

MODULES = ("_event_callback", "_libca_guard")


def _load(directory: Path) -> None:
    for name in MODULES:
        spec = importlib.util.spec_from_file_location(f"engine.{name}", directory / f"{name}.so")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[f"engine.{name}"] = module
        setattr(engine, name, module)


if __name__ == "__main__":
    _load(Path(sys.argv.pop(1)))
    runpy.run_module("engine", run_name="__main__", alter_sys=True)
