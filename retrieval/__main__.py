"""The http process: `python -m archioc.retrieval CONFIG --parent PID`."""

from __future__ import annotations

import sys

from archioc.core.config.config import Config
from archioc.core.process import StopSignal, run_process
from archioc.retrieval.serving import serve


def _work(config: Config, stop: StopSignal) -> int:
    """Answer HTTP until told to stop."""
    serve(config, stop, alone=False)
    return 0


if __name__ == "__main__":
    sys.exit(run_process("archioc.retrieval", "http", _work))
