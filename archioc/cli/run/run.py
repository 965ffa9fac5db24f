"""`archioc run`: configuration, log and signals around the supervisor."""

from __future__ import annotations

from pathlib import Path

from archioc.core.config.file import load_config
from archioc.core.machine.log import configure_log
from archioc.core.process import StopSignal
from archioc.supervisor import Supervisor


def run_archiver(path: Path) -> None:
    """Run until told to stop. Raises ConfigError before anything is started, StateDirInUse, RunDirError."""
    config = load_config(path)
    configure_log("supervisor", config.log.level.value, config.log.format.value)
    stop = StopSignal()
    stop.install()
    Supervisor(config, path.resolve(), stop).run()
