"""What the processes have in common: how they are started and told to stop, and that none outlives its parent."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import threading
import types
from collections.abc import Callable
from pathlib import Path

import structlog

from archioc.core.config.config import Config
from archioc.core.config.file import load_blocks
from archioc.core.errors import ArchiocError, ConfigError
from archioc.core.machine.log import configure_log

_log = structlog.get_logger()

_PR_SET_PDEATHSIG = 1


class StopSignal:
    """Set by SIGTERM or SIGINT; the main loop of a process looks at it.

    `wait` gives way to other threads and returns early when the signal comes.
    """

    def __init__(self) -> None:
        self._event = threading.Event()

    def install(self) -> None:
        """Listen from now on. The main thread must call this."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, _number: int, _frame: types.FrameType | None) -> None:
        self._event.set()

    def set(self) -> None:
        """Stop from inside."""
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds; whether to stop."""
        return self._event.wait(timeout)


def stop_with_parent(parent: int) -> None:
    """Have the kernel send SIGTERM when the parent process dies, however it dies (Linux).

    parent: the process id that the supervisor has told us; if it is gone already we stop at once.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def run_process(module: str, name: str, work: Callable[[Config, StopSignal], int]) -> int:
    """The life of one process, `python -m MODULE CONFIG --parent PID`.

    The exit code is that of `work`, 2 for a wrong configuration, 1 for other errors of ours. name: of the process in the log.
    work: does what the process is for until it is told to stop; its configuration is without the blocks that declare channels.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("config", type=Path)
    parser.add_argument("--parent", type=int, default=0, help="process to end with; 0: none")
    arguments = parser.parse_args()
    stop = StopSignal()
    stop.install()
    stop_with_parent(arguments.parent)
    try:
        config = load_blocks(arguments.config)
        configure_log(name, config.log.level.value, config.log.format.value)
        return work(config, stop)
    except ArchiocError as error:
        _log.error("cannot_go_on", error=str(error))
        return 2 if isinstance(error, ConfigError) else 1
