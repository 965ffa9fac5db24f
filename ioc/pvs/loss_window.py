"""What was lost in the last minute: counters only grow, so an alarm on them would never end."""

from __future__ import annotations

from collections import deque
from dataclasses import astuple, dataclass, field
from pathlib import Path

import orjson

from archioc.core.machine.rate_limited_log import RateLimitedLog
from archioc.core.table.archive_totals import ArchiveTotals
from archioc.core.table.columns import DROPS

WINDOW_S = 60.0
STEP_S = 0.5
"""Looks that come closer together are not kept."""


_WORDS = ("because the event ring was full", "because the spool was full", "beyond the quota of their channel")
"""Why, in the order of DROPS."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Samples dropped and rejected, and updates with unusable time stamps. drops: what was dropped, in the order of DROPS."""

    dropped: float = 0.0
    rejected: float = 0.0
    bad_time: float = 0.0
    drops: tuple[float, ...] = field(default=(), compare=False)

    @property
    def words(self) -> str:
        """What was dropped and why; empty where nothing was."""
        kinds = [f"{count:.0f} {why}" for count, why in zip(self.drops, _WORDS, strict=False) if count > 0]
        return f"samples are lost: in the last minute {', '.join(kinds)}" if kinds else ""


NO_LOSSES = Losses()

log = RateLimitedLog()


class LossWindow:
    """Remembers the counters of the last minute.

    kept: a file in the run directory for what it remembers, so that an ioc process that is killed within a minute after a loss
    goes on to show that loss. Its times are of the monotonic clock, which all processes share until the machine restarts.
    """

    def __init__(self, kept: Path | None = None) -> None:
        self._kept = kept
        self._seen: deque[tuple[float, Losses]] = deque(_read(kept), maxlen=int(WINDOW_S / STEP_S) + 2)

    def update(self, totals: ArchiveTotals, now: float) -> Losses:
        """How much the counters have grown in the last minute, at most since the first look. now: s, monotonic."""
        drops = tuple(totals.ledger(drop) for drop in DROPS)
        counted = Losses(totals.dropped, totals.delivery("rejected"), totals.ledger("bad_time"), drops)
        while len(self._seen) > 1 and self._seen[1][0] <= now - WINDOW_S:
            self._seen.popleft()
        if not self._seen or now - self._seen[-1][0] >= STEP_S:
            has_grown = bool(self._seen) and counted != self._seen[-1][1]
            self._seen.append((now, counted))
            if has_grown and self._kept is not None:
                _write(self._kept, self._seen)
        first = self._seen[0][1]
        return Losses(
            max(counted.dropped - first.dropped, 0.0),
            max(counted.rejected - first.rejected, 0.0),
            max(counted.bad_time - first.bad_time, 0.0),
            tuple(max(count - before, 0.0) for count, before in zip(drops, first.drops, strict=True)),
        )


def _write(path: Path, seen: deque[tuple[float, Losses]]) -> None:
    scratch = path.with_suffix(".new")
    try:
        scratch.write_bytes(orjson.dumps([(at, *astuple(losses)) for at, losses in seen]))
        scratch.replace(path)
    except OSError as error:
        log.warning("losses_not_kept", error=str(error))


def _read(path: Path | None) -> list[tuple[float, Losses]]:
    """What was kept; nothing where that cannot be read, as at the first start."""
    try:
        found = orjson.loads(path.read_bytes()) if path else []
        return [(float(at), _losses(*counts)) for at, *counts in found]
    except (OSError, ValueError, TypeError):
        return []


def _losses(dropped: float, rejected: float, bad_time: float, drops: list[float]) -> Losses:
    if len(drops) != len(DROPS):
        raise ValueError(f"{len(drops)} kinds of losses instead of {len(DROPS)}")
    return Losses(float(dropped), float(rejected), float(bad_time), tuple(map(float, drops)))
