"""Which file a sample belongs to: that of the UTC day of its time, or LATE."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

DAY_NS = 86_400_000_000_000
LATE = "late"
"""The file with samples that were committed more than LATE_DAYS after the day of their time."""

LATE_DAYS = 7
"""So that an IOC whose stamps jump touches a bounded number of files."""

_LATE = np.iinfo(np.int64).min
"""Stands for the file LATE among the numbers of days."""


def day_of(time_ns: int) -> str:
    """The UTC day of a time, as its file is called."""
    return str(np.datetime64(time_ns // DAY_NS, "D"))


def start_of(day: str) -> int:
    """The first moment of a day by the name of its file (ns since 1970)."""
    return int(np.datetime64(day, "D").astype(np.int64)) * DAY_NS


def places(times: npt.NDArray[np.int64], committed_ns: int) -> npt.NDArray[np.int64]:
    """For each of these times the number of the file that it goes to: that of its day, or one that stands for LATE."""
    days = times // DAY_NS
    return np.where(days < committed_ns // DAY_NS - LATE_DAYS, _LATE, days)


def place_name(place: int) -> str:
    """The name of a file by its number."""
    return LATE if place == _LATE else day_of(place * DAY_NS)
