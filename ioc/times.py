"""Times as our PVs show them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_time(time_ns: int) -> str:
    """`2026-03-01T12:00:00.123456789Z` for ns since 1970; empty for 0 (never)."""
    if time_ns <= 0:
        return ""
    seconds, nanoseconds = divmod(time_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"
