"""First on PYTHONPATH, this burns processor time in every process `archioc.ioc`, as an operator's script there might."""

# ruff: noqa: INP001 - no package: a directory to put first on PYTHONPATH
from __future__ import annotations

import sys
import threading


def _burn() -> None:
    while True:
        pass


if sys.orig_argv[1:4] == ["-P", "-m", "archioc.ioc"]:
    threading.Thread(target=_burn, daemon=True, name="burning").start()
