"""The http process: `python -m retrieval CONFIG --parent PID`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import structlog

from archioc.core.config_file import load_blocks
from archioc.core.errors import ArchiocError, ConfigError
from archioc.core.log import configure_log
from archioc.core.process import StopSignal, stop_with_parent
from retrieval.serving import serve

_log = structlog.get_logger()


def main() -> int:
    """Answer HTTP until SIGTERM or SIGINT; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m retrieval")
    parser.add_argument("config", type=Path)
    parser.add_argument("--parent", type=int, default=0, help="process to end with; 0: none")
    arguments = parser.parse_args()
    stop = StopSignal()
    stop.install()
    stop_with_parent(arguments.parent)
    try:
        config = load_blocks(arguments.config)
        configure_log("http", config.log.level.value, config.log.format.value)
        serve(config, stop, alone=False)
    except ConfigError as error:
        _log.error("http_cannot_start", error=str(error))
        return 2
    except ArchiocError as error:
        _log.error("http_cannot_start", error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
