"""The collector process: `python -m archioc.engine CONFIG --parent PID`."""

from __future__ import annotations

import os
import sys

from archioc.core.config.config import Config
from archioc.core.process import StopSignal, run_process
from archioc.engine.ca.repeater import repeater_at_hand
from archioc.engine.collector_process import CollectorProcess


def _work(config: Config, stop: StopSignal) -> int:
    """Collect until told to stop; the exit code."""
    os.environ.update(config.ca.environment())
    with repeater_at_hand():
        ended = CollectorProcess(config, stop).collect()
    if not ended:  # threads of libca must not meet an interpreter that is being taken down
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


if __name__ == "__main__":
    sys.exit(run_process("archioc.engine", "engine", _work))
