"""`archioc serve`: HTTP without an archiver."""

from __future__ import annotations

from pathlib import Path

from archioc.core.config.file import load_blocks
from archioc.core.machine.log import configure_log
from archioc.core.process import StopSignal
from archioc.retrieval.serving import serve


def serve_archive(path: Path) -> None:
    """Serve until told to stop. Raises ConfigError, ServeError."""
    config = load_blocks(path)
    configure_log("http", config.log.level.value, config.log.format.value)
    stop = StopSignal()
    stop.install()
    serve(config, stop, alone=True)
