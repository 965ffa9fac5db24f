"""What the processes have in common: how they are told to stop, and that none outlives its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import types

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
