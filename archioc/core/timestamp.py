"""Times as people write and read them; inside they are integer nanoseconds since 1970 UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from archioc.core.errors import TimeFormatError
from archioc.core.units import parse_duration

SECOND = 1_000_000_000
LIMIT = 1 << 63
"""Nanoseconds from 1970 to where 64 bits end, either way."""
_CLOCK = r"\d\d:\d\d(?::\d\d)?"
_ISO = re.compile(rf"(\d{{4}}-\d\d-\d\d)(?:[T ]({_CLOCK})(?:[.,](\d{{1,9}}))?)?\s*(Z|[+-]\d\d:?\d\d)?")
_DAY = re.compile(rf"(today|yesterday)(?: ({_CLOCK})(?:[.,](\d{{1,9}}))?)?")
_CLOCK_ALONE = re.compile(rf"({_CLOCK})(?:[.,](\d{{1,9}}))?")
_EPOCH = re.compile(r"(\d{9,})(?:[.,](\d{1,9}))?")
_FORMS = "write now, -1h, 08:30, yesterday 08:30, seconds since 1970, or ISO 8601 such as 2026-01-31T12:00:00Z"


def parse_time(text: str, now_ns: int) -> int:
    """The time that a person writes, ns since 1970; the forms are listed in `docs/reference/contract/cli.md`.

    Without a zone it is local time. Raises TimeFormatError, also for a local time that does not exist or exists twice, and for a time
    that 64 bits of nanoseconds cannot carry.
    """
    time_ns = _parse(text, text.strip(), now_ns)
    if not -LIMIT <= time_ns < LIMIT:
        raise TimeFormatError(f"{text!r} is not a time between the years 1678 and 2262")
    return time_ns


def _parse(text: str, word: str, now_ns: int) -> int:
    try:
        if word == "now":
            return now_ns
        if word.startswith("-"):
            return now_ns - round(parse_duration(word[1:]) * SECOND)
        if match := _EPOCH.fullmatch(word):
            return int(match[1]) * SECOND + _nanoseconds(match[2])
        if match := _DAY.fullmatch(word):
            return _moment(_local_day(now_ns, match[1] == "yesterday"), match[2]) * SECOND + _nanoseconds(match[3])
        if match := _CLOCK_ALONE.fullmatch(word):
            return _last_at(match[1], _nanoseconds(match[2]), now_ns)
        if match := _ISO.fullmatch(word):
            return _moment(match[1], match[2], match[4]) * SECOND + _nanoseconds(match[3])
    except (ValueError, OverflowError) as error:
        raise TimeFormatError(f"{text!r} is not a time: {error}") from None
    raise TimeFormatError(f"{text!r} is not a time; {_FORMS}")


def _nanoseconds(fraction: str | None) -> int:
    return int((fraction or "0").ljust(9, "0"))


def _local_day(now_ns: int, before: bool) -> str:
    day = datetime.fromtimestamp(now_ns // SECOND).astimezone().date() - timedelta(days=before)
    return day.isoformat()


def _last_at(clock: str, nanoseconds: int, now_ns: int) -> int:
    """When the clock showed this last: today, or yesterday where that is still to come."""
    today = _moment(_local_day(now_ns, before=False), clock) * SECOND + nanoseconds
    return today if today <= now_ns else _moment(_local_day(now_ns, before=True), clock) * SECOND + nanoseconds


def _moment(day: str, clock: str | None, zone: str | None = None) -> int:
    """Whole seconds since 1970. A leap second is the one after it, as in POSIX time. Raises ValueError."""
    clock, leap = (clock or "00:00"), 0
    if clock.endswith(":60"):
        clock, leap = f"{clock[:-3]}:59", 1
    moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone == 'Z' else zone or ''}")
    if leap and moment.astimezone(UTC).strftime("%H:%M:%S") != "23:59:59":
        raise ValueError("only the last minute of a UTC day can have a second 60")
    if zone is None:
        _check_local(moment)
    return int(moment.astimezone(UTC).timestamp()) + leap


def _check_local(moment: datetime) -> None:
    """Raises ValueError where the clocks are changed: for a local time that is left out, and for one that comes twice."""
    first, second = moment.astimezone(UTC), moment.replace(fold=1).astimezone(UTC)
    if first == second:
        return
    if first.astimezone().replace(tzinfo=None) != moment.replace(tzinfo=None):
        raise ValueError("this local time does not exist, because the clocks go forward then; write another one, or a zone")
    zones = " or ".join(f"{one.astimezone():%z}" for one in (first, second))
    raise ValueError(f"this local time comes twice, because the clocks go back then; write it with its zone: {zones}")


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
