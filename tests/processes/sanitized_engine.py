"""The engine with C modules of another build: `python -m tests.processes.sanitized_engine DIRECTORY ...`."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path

from archioc.engine import ca

MODULES = ("_event_callback", "_libca_guard")


def _load(directory: Path) -> None:
    for name in MODULES:
        spec = importlib.util.spec_from_file_location(f"archioc.engine.ca.{name}", directory / f"{name}.so")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[f"archioc.engine.ca.{name}"] = module
        setattr(ca, name, module)


if __name__ == "__main__":
    _load(Path(sys.argv.pop(1)))
    runpy.run_module("archioc.engine", run_name="__main__", alter_sys=True)
