from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProofCounts:
    """How much is proven. away_s: seconds without the store."""

    demo_minutes: float
    counters: int
    kill_rounds: int
    away_s: float
    old_channels: int


_COUNTS = {
    "short": ProofCounts(demo_minutes=0.4, counters=200, kill_rounds=1, away_s=10, old_channels=1000),
    "full": ProofCounts(demo_minutes=1, counters=500, kill_rounds=3, away_s=60, old_channels=20_000),
}


def counts() -> ProofCounts:
    """By the environment variable ARCHIOC_PROOF, `full` where it is not set."""
    return _COUNTS[os.environ.get("ARCHIOC_PROOF", "full")]
