"""Statements that take too long are interrupted."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Protocol

IDLE_S = 60.0
"""How long the thread sleeps when it has nothing to watch."""


class Interruptible(Protocol):
    """What can be told to stop, a cursor of DuckDB for example."""

    def interrupt(self) -> None:
        """Stop at once."""
        ...


class StatementLimit:
    """Watches over statements, in one thread for all: one for each would cost as much as a short statement."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: dict[int, tuple[float, Interruptible]] = {}
        self._number = 0
        self._wakes = 0.0
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def within(self, seconds: float, running: Interruptible) -> Iterator[None]:
        """What is done here is interrupted, once, when it takes longer."""
        until = time.monotonic() + seconds
        with self._changed:
            self._number = number = self._number + 1
            self._watched[number] = until, running
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="statement_limit", daemon=True)
                self._thread.start()
            elif until < self._wakes:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.pop(number, None)

    def _watch(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                self._interrupt(now)
                self._wakes = min((until for until, _ in self._watched.values()), default=now + IDLE_S)
                self._changed.wait(self._wakes - now)

    def _interrupt(self, now: float) -> None:
        """All that should have ended. The thread keeps nothing of it in sight while it sleeps."""
        late = [number for number, (until, _) in self._watched.items() if until <= now]
        for number in late:
            self._watched.pop(number)[1].interrupt()
