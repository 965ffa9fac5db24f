"""The archiver's own health at one moment, as it goes to the store beside the samples.

Fields and their meaning: `docs/reference/contract/files.md`, measurement `archiver`.
"""

from __future__ import annotations

from dataclasses import dataclass

HEALTH_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class ArchiverHealth:
    """Rates in updates or samples a second, ages and times in s, parts in percent; counters since the run directory was made."""

    archiver: str
    time_ns: int
    channels: int
    connected: int
    disconnected: int
    enabled: int
    event_rate: float
    sample_rate: float
    write_rate: float
    received: int
    generated: int
    filtered: int
    stored: int
    pending: int
    rejected: int
    dropped: int
    dropped_overflow: int
    dropped_spool_full: int
    dropped_quota: int
    late: int
    bad_time: int
    ring_fill_pct: float
    loop_lag: float
    store_state: int
    write_time: float
    write_lag: float
    retries: int
    spool_files: int
    spool_bytes: int
    spool_age: float
    disk_free_pct: float
    clock_suspect: int
    ioc_age: float
    db_age: float
    ioc_restarts: int
    engine_restarts: int
    db_restarts: int
    http_restarts: int
