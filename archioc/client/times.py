"""Times as users of `archioc.Client` write them."""

from __future__ import annotations

import time
from datetime import datetime

from archioc.core.errors import TimeFormatError
from archioc.core.timestamp import SECOND, format_utc, parse_time

Time = str | datetime
"""`now`, `-1h`, ISO 8601, or a datetime (also of pandas); without a zone it is local time."""


def range_of(start: Time, end: Time) -> tuple[int, int]:
    """Both ends in ns since 1970 UTC. Raises TimeFormatError."""
    now_ns = time.time_ns()
    start_ns, end_ns = time_of(start, now_ns), time_of(end, now_ns)
    if end_ns < start_ns:
        raise TimeFormatError(f"the end ({format_utc(end_ns)}) lies before the start ({format_utc(start_ns)})")
    return start_ns, end_ns


def time_of(moment: Time, now_ns: int) -> int:
    """A time in ns since 1970 UTC. Raises TimeFormatError."""
    if isinstance(moment, str):
        return parse_time(moment, now_ns)
    # A time stamp of pandas has nanoseconds beside, and takes itself for UTC where it has no zone.
    whole = datetime.combine(moment.date(), moment.time().replace(microsecond=0), moment.tzinfo)
    return int(whole.timestamp()) * SECOND + moment.microsecond * 1000 + int(getattr(moment, "nanosecond", 0))
