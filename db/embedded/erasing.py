"""Deleting samples from the files of the embedded store."""

from __future__ import annotations

from archioc.db.embedded.day_files import DayFiles
from archioc.db.embedded.days import DAY_NS, LATE, day_of, start_of
from archioc.db.embedded.identity import transaction
from archioc.db.erasure import Erasure

_TABLES = ("sample", "array_sample", "alarm")
_SAMPLES = _TABLES[:2]


def places_of(files: DayFiles, erasure: Erasure) -> list[str]:
    """Files that may have something of it."""
    first, last = day_of(max(erasure.start_ns, 0)), day_of(erasure.end_ns)
    return [*(day for day in files.days() if first <= day <= last), *([LATE] if files.has_late else [])]


def erase_in(files: DayFiles, place: str, erasure: Erasure, *, dry: bool) -> int:
    """Delete what a file has of it; how many samples. A day of which nothing is to be left goes with its file."""
    with files.day(place) as cursor:
        asked = {"start": erasure.start_ns, "end": erasure.end_ns}
        condition = "time between $start and $end"
        if erasure.channel is not None:
            number = files.numbers.of(cursor, place, erasure.channel)
            if number is None:
                return 0
            asked["channel"] = number
            condition += " and channel = $channel"
        counts = [cursor.execute(f"select count(*) from {table} where {condition}", asked).fetchone() or (0,) for table in _SAMPLES]  # noqa: S608 - constants
        count = sum(int(found) for (found,) in counts)
    if dry or (erasure.channel is None and place != LATE and _covers(erasure, place) and files.remove(place)):
        return count
    with files.day(place) as cursor, transaction(cursor):
        for table in _TABLES:
            cursor.execute(f"delete from {table} where {condition}", asked)  # noqa: S608 - constants
    return count


def _covers(erasure: Erasure, day: str) -> bool:
    begin = start_of(day)
    return erasure.start_ns <= begin and begin + DAY_NS - 1 <= erasure.end_ns
