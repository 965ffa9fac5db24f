"""Alarm limits of a number, as an EPICS record has them: `HIHI HIGH LOW LOLO`, their severities, and `HYST`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from archioc.core.dbr import Dbr, Severity, Status
from archioc.core.errors import CommandRefused
from archioc.ioc.ca.alarm import NO_ALARM, Alarm
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.results import ResultCode

SEVERITIES = tuple(severity.name for severity in Severity)

LIMIT_FIELDS = ("HIHI", "HIGH", "LOW", "LOLO", "HYST")
SEVERITY_FIELDS = ("HHSV", "HSV", "LSV", "LLSV")


@dataclass(frozen=True, slots=True)
class AlarmLimits:
    """Limits in the unit of the PV, NaN for none. A limit whose severity is NO_ALARM does nothing.

    hyst: how far a value must come back from a limit before that alarm ends.
    """

    hihi: float = math.nan
    high: float = math.nan
    low: float = math.nan
    lolo: float = math.nan
    hyst: float = 0.0
    hhsv: Severity = Severity.MAJOR
    hsv: Severity = Severity.MINOR
    lsv: Severity = Severity.MINOR
    llsv: Severity = Severity.MAJOR

    def judge(self, value: float, before: Alarm) -> Alarm:
        """The alarm of a value after the alarm `before`; order and comparison are those of `checkAlarms` of the ai record."""

        def held(status: Status) -> float:
            return self.hyst if before[0] is status else 0.0

        for status, limit, severity in ((Status.HIHI, self.hihi, self.hhsv), (Status.LOLO, self.lolo, self.llsv)):
            if severity and _beyond(status, value, limit, held(status)):
                return status, severity
        for status, limit, severity in ((Status.HIGH, self.high, self.hsv), (Status.LOW, self.low, self.lsv)):
            if severity and _beyond(status, value, limit, held(status)):
                return status, severity
        return NO_ALARM

    @property
    def hidden(self) -> str:
        """Which alarm can never show because a severer one begins before it, in words; empty where none is hidden."""
        if self.high >= self.hihi and self.hsv and self.hhsv:
            return f"MINOR above {self.high:g} never shows, because MAJOR begins at {self.hihi:g}"
        if self.low <= self.lolo and self.lsv and self.llsv:
            return f"MINOR below {self.low:g} never shows, because MAJOR begins at {self.lolo:g}"
        if self.low >= self.high:
            return f"the value is always in alarm, because it is at or below {self.low:g} or at or above {self.high:g}"
        return ""

    def number(self, field: str) -> float:
        """A field by its EPICS name; a severity as its index."""
        return float(getattr(self, field.lower()))

    def changed(self, field: str, value: float) -> AlarmLimits:
        """With another value of one field. Raises ValueError for a severity that there is not."""
        new: Any = Severity(int(value)) if field in SEVERITY_FIELDS else value
        return replace(self, **{field.lower(): new})


NO_LIMITS = AlarmLimits()


def read_limit(field: str, value: PutValue) -> float:
    """What was put to a field, as a number. Raises CommandRefused."""
    if field in SEVERITY_FIELDS:
        return value.choice(SEVERITIES)
    item = value.scalar()
    try:
        number = float(item)
    except ValueError:
        raise CommandRefused(ResultCode.SYNTAX, f"{field}: {str(item)[:40]!r} must be a number, or NaN for no limit") from None
    if field == "HYST" and not 0 <= number < math.inf:
        raise CommandRefused(ResultCode.SYNTAX, f"HYST: {number:g} must be 0 or more; nothing was changed")
    return number


def metadata_of(limits: AlarmLimits, dbr: Dbr) -> dict[str, float]:
    """The limits as DBR_CTRL tells them. A DBR_LONG cannot say NaN: there 0 stands for none, as with a record."""
    named = {
        "upper_alarm_limit": limits.hihi,
        "upper_warning_limit": limits.high,
        "lower_warning_limit": limits.low,
        "lower_alarm_limit": limits.lolo,
    }
    if dbr is Dbr.DOUBLE:
        return named
    return {name: int(limit) if math.isfinite(limit) else 0 for name, limit in named.items()}


def _beyond(status: Status, value: float, limit: float, hysteresis: float) -> bool:
    if status in {Status.HIHI, Status.HIGH}:
        return value >= limit - hysteresis
    return value <= limit + hysteresis
