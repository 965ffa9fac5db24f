"""Times as people write and read them; inside they are integer nanoseconds since 1970 UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from archioc.core.errors import TimeFormatError
from archioc.core.units import parse_duration

SECOND = 1_000_000_000
LIMIT = 1 << 63
"""Nanoseconds from 1970 to where 64 bits end, either way."""
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d:?\d\d)?")


def parse_time(text: str, now_ns: int) -> int:
    """`now`, `-1h` (so long before now), or ISO 8601 such as `2026-01-31T12:00:00.123456789Z`.

    Without a zone it is local time. Raises TimeFormatError, also for a time that 64 bits of nanoseconds cannot carry.
    """
    time_ns = _parse(text, now_ns)
    if not -LIMIT <= time_ns < LIMIT:
        raise TimeFormatError(f"{text!r} is no time between the years 1678 and 2262")
    return time_ns


def _parse(text: str, now_ns: int) -> int:
    word = text.strip()
    if word == "now":
        return now_ns
    if word.startswith("-"):
        try:
            return now_ns - round(parse_duration(word[1:]) * SECOND)
        except (ValueError, OverflowError) as error:
            raise TimeFormatError(f"{text!r} is no time: {error}") from None
    match = _ISO.fullmatch(word)
    if match is None:
        raise TimeFormatError(f"{text!r} is no time; write now, -1h, -30min, or ISO 8601 such as 2026-01-31T12:00:00Z")
    day, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00'}{'+00:00' if zone == 'Z' else zone or ''}")
        seconds = int(moment.astimezone(UTC).timestamp())
    except (ValueError, OverflowError) as error:
        raise TimeFormatError(f"{text!r} is no time: {error}") from None
    return seconds * SECOND + int((fraction or "0").ljust(9, "0"))


def format_utc(time_ns: int) -> str:
    """`2026-01-31T12:00:00.123456789Z`."""
    seconds, nanoseconds = divmod(time_ns, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def format_local(time_ns: int) -> str:
    """`2026-01-31 12:00:00.123456` in local time, to the microsecond."""
    seconds, nanoseconds = divmod(time_ns, SECOND)
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}.{nanoseconds // 1000:06d}"


def format_span(seconds: float) -> str:
    """A duration for people: `0.4 s`, `12 s`, `3 min 20 s`, `5 h 10 min`, `3 d 4 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, size, below, its_size in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // its_size
            return f"{whole // size} {unit} {rest} {below}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"
