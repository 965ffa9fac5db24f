"""A sign of life that a process leaves in a file, and how the one that watches it counts its silence."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

BEAT_S = 1.0
"""How often a process gives its sign."""

LONGEST_STEP_S = 1.0
"""What one look adds to a silence at most."""


class Heartbeat:
    """The side that lives. Each `beat` sets the time of the file, which costs no room on a full disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def beat(self) -> None:
        """Give a sign. Raises OSError where the directory is gone or closed."""
        try:
            os.utime(self._path)
        except FileNotFoundError:
            self._path.touch()


@dataclass(slots=True)
class Watch:
    """The side that watches one run of a process; it looks often.

    A silence is counted in steps between two looks, each of LONGEST_STEP_S at most. So a time in which the watcher slept too (a machine
    that was suspended, all processes stopped, no processor for anybody) counts as one step, however long it was.
    """

    path: Path
    silent_s: float = 0.0
    """How long there has been no new sign, as far as the watcher was awake (s)."""
    begun: bool = False
    """Whether there has been one at all."""
    _seen_ns: int | None = None
    _looked_at: float | None = None

    def look(self, now: float) -> None:
        """Look at the file. now: of a monotonic clock (s)."""
        step = 0.0 if self._looked_at is None else min(now - self._looked_at, LONGEST_STEP_S)
        self._looked_at = now
        try:
            found: int | None = self.path.stat().st_mtime_ns
        except OSError:
            found = None
        if found is not None and found != self._seen_ns:
            self._seen_ns, self.begun, self.silent_s = found, True, 0.0
        else:
            self.silent_s += step
