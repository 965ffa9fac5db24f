"""The file `alive` is written in a thread of its own: an fsync takes as long as the disk likes, and the ring is drained meanwhile."""

from __future__ import annotations

import threading

import structlog

from archioc.core.alive import Alive
from archioc.engine.channels.last_run import AliveFile

_log = structlog.get_logger()

LOOK_S = 60.0
"""How long the thread sleeps when it has nothing to write."""


class AliveThread:
    """Writes the newest sign of life it was given. A failing disk is logged once, until it is over; the spool reports it to clients."""

    def __init__(self, file: AliveFile) -> None:
        self._file = file
        self._changed = threading.Condition()
        self._newest: Alive | None = None
        self._stopping = self._failing = False
        self._thread = threading.Thread(target=self._run, name="alive", daemon=True)
        self._thread.start()

    def write(self, alive: Alive) -> None:
        """Have it written, in place of one that waits."""
        with self._changed:
            self._newest = alive
            self._changed.notify()

    def finish(self, last: Alive, timeout: float) -> bool:
        """Write the last sign of life, for at most `timeout` seconds; whether the thread has ended by then."""
        with self._changed:
            self._newest, self._stopping = last, True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._newest is None and not self._stopping:
                    self._changed.wait(LOOK_S)
                alive, self._newest = self._newest, None
            if alive is None:
                return
            self._replace(alive)

    def _replace(self, alive: Alive) -> None:
        try:
            self._file.replace(alive)
        except OSError as error:
            if not self._failing:
                _log.error("alive_not_written", error=str(error))
            self._failing = True
        else:
            self._failing = False
