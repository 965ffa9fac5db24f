"""How much each proof counts, in CI and in full."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ProofCounts:
    """How much is proven.

    away_s: seconds without the store. random_kills: of the engine, and as many of the writer, for each store.
    fast_counters: records that count at 10 Hz, without the store for fast_away_s seconds.
    load_counters: records that count at 10 Hz for load_s seconds beside a query and a busy thread.
    old_channels: channels whose first values are old.
    shown_channels: channels of the archiver whose displays are checked. whole_minute: whether alarms on the last minute are seen to end.
    many: channels lost and regained at once.
    control_channels: of a control process that is asked much, for control_s seconds in each case.
    grafana_channels: channels that the queries of the dashboards find.
    shard_counters: records that count every shard_period_s seconds while shards come and go. handover_s: how long two archive the same.
    hostile_puts: of any kind. control_kills: of the ioc process while it is put to.
    http_examples: requests that schemathesis makes of each operation, at least. hostile_requests: over HTTP, for each store.
    http_messages: of any bytes, damaged ones among them, over HTTP.
    export_days: of a channel at 10 Hz in one answer.
    refused_s: how long a server refuses channels.
    hostile_messages: of a Channel Access server, to each of the two event callbacks.
    stopped_s: how long a process stands still under the eyes of an alarm server.
    damages: cases of a damaged file, for each store.
    failing_calls: runs in each of which a call of the disk fails.
    pair_kills: of one or the other of two archivers of the same channels.
    """

    demo_minutes: float
    counters: int
    kill_rounds: int
    away_s: float
    fast_counters: int
    fast_away_s: float
    random_kills: int
    ioc_restarts: int
    load_counters: int
    load_s: float
    old_channels: int
    many: int
    shown_channels: int
    whole_minute: bool
    control_channels: int
    control_s: float
    grafana_channels: int
    apply_kills: int
    hostile_puts: int
    control_kills: int
    http_examples: int
    hostile_requests: int
    http_messages: int
    export_days: int
    refused_s: float
    hostile_messages: int
    pair_kills: int
    shard_counters: int
    shard_period_s: float
    handover_s: float
    stopped_s: float
    damages: int
    failing_calls: int


_SHORT_AND_FULL: dict[str, tuple[Any, Any]] = {
    "demo_minutes": (0.4, 1),
    "counters": (200, 500),
    "kill_rounds": (1, 3),
    "away_s": (10, 60),
    "fast_counters": (400, 2000),
    "fast_away_s": (15, 120),
    "random_kills": (6, 100),
    "ioc_restarts": (3, 50),
    "load_counters": (1000, 5000),
    "load_s": (10, 60),
    "old_channels": (1000, 20_000),
    "many": (2000, 100_000),
    "shown_channels": (50, 1000),
    "whole_minute": (False, True),
    "control_channels": (15_000, 100_000),
    "control_s": (2, 10),
    "grafana_channels": (200, 1000),
    "apply_kills": (6, 30),
    "hostile_puts": (5000, 100_000),
    "control_kills": (6, 100),
    "http_examples": (4, 20),
    "hostile_requests": (600, 2500),
    "http_messages": (3000, 110_000),
    "export_days": (2, 12),
    "refused_s": (35, 180),
    "hostile_messages": (100_000, 1_000_000),
    "pair_kills": (6, 100),
    "shard_counters": (1500, 20_000),
    "shard_period_s": (0.2, 1),
    "handover_s": (10, 15),
    "stopped_s": (20, 60),
    "damages": (4, 300),
    "failing_calls": (4, 100),
}


def counts() -> ProofCounts:
    """By the environment variable ARCHIOC_PROOF, `full` where it is not set."""
    which = ("short", "full").index(os.environ.get("ARCHIOC_PROOF", "full"))
    return ProofCounts(**{name: both[which] for name, both in _SHORT_AND_FULL.items()})
