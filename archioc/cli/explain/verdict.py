"""One cause of what is stored at a moment, or is not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """word: as the contract lists them. certain: an event or a file says so; otherwise it follows from settings and counters.

    start_ns, end_ns: of the gap, or of the samples concerned (ns since 1970 UTC), None where there is none.
    count: samples or updates concerned, 0 where that means nothing.
    """

    word: str
    text: str
    certain: bool = True
    start_ns: int | None = None
    end_ns: int | None = None
    count: int = 0
