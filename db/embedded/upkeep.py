"""What the embedded store needs besides its writes: checkpoints, and a look at each of its files."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable

import duckdb
import structlog

from archioc.core.errors import StoreUnavailable
from archioc.db.embedded.day_files import DayFiles
from archioc.db.embedded.days import LATE

_log = structlog.get_logger()

CHECKPOINT_S = 60.0
"""How long what was committed may be in the log of a file alone."""

LOOK_S = 86_400.0
"""Between two looks at all files, the first of which comes when the store is opened."""

_STEP_S = 0.05
_FIRST_S = 1.0
"""The first query, and the batches that wait, go before the first look."""

CLOSE_S = 10.0


class Upkeep:
    """A thread that does it. lock: held by who writes. tell: writes events of what was lost. reopen: opens the store anew."""

    def __init__(self, files: DayFiles, lock: threading.Lock, tell: Callable[[], None], reopen: Callable[[], None]) -> None:
        self._files, self._lock, self._tell, self._reopen = files, lock, tell, reopen
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._unseen: deque[str] = deque()
        self._look_at = self._checkpoint_at = 0.0

    def begin(self) -> None:
        """Begin; does nothing once it has."""
        if self._thread is None:
            now = time.monotonic()
            self._look_at, self._checkpoint_at = now + _FIRST_S, now + CHECKPOINT_S
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
            self._thread.start()

    def end(self) -> None:
        """End, after what is at work."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)
            self._thread = None

    def _run(self) -> None:
        while not self._stop.wait(_STEP_S):
            try:
                self._step(time.monotonic())
            except (duckdb.Error, StoreUnavailable, OSError) as error:  # delivery says so as well, and tries again
                _log.debug("upkeep_failed", error=str(error))
                self._stop.wait(_FIRST_S)

    def _step(self, now: float) -> None:
        if self._files.ill:  # found by a query while nothing is written
            self._reopen()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._unseen.extend([*self._files.days(), *([LATE] if self._files.has_late else [])])
        if self._unseen:
            with self._files.day(self._unseen.popleft()):
                pass  # opening it is the look; what is damaged is set aside
        if self._files.damaged.has_unreported and self._lock.acquire(timeout=_STEP_S):
            with contextlib.ExitStack() as stack:
                stack.callback(self._lock.release)
                self._tell()
        if now >= self._checkpoint_at and self._lock.acquire(timeout=_STEP_S):
            with contextlib.ExitStack() as stack:
                stack.callback(self._lock.release)
                self._checkpoint_at = now + CHECKPOINT_S
                self._files.checkpoint()
