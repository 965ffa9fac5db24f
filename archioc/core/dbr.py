"""Channel Access data types, alarm severities and statuses, as `db_access.h` and `alarm.h` of EPICS Base number them."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

EPICS_EPOCH_S = 631_152_000
"""Seconds from 1970-01-01 to 1990-01-01 (UTC), the epoch of `epicsTimeStamp`."""

DBR_TIME_OFFSET = 14
"""DBR_TIME_x = DBR_x + 14."""

DBR_CTRL_OFFSET = 28
"""DBR_CTRL_x = DBR_x + 28."""


class Dbr(IntEnum):
    """Native (plain) DBR types."""

    STRING = 0
    SHORT = 1
    FLOAT = 2
    ENUM = 3
    CHAR = 4
    LONG = 5
    DOUBLE = 6


ELEMENT_DTYPE: dict[Dbr, np.dtype[np.generic]] = {
    Dbr.STRING: np.dtype("S40"),
    Dbr.SHORT: np.dtype("<i2"),
    Dbr.FLOAT: np.dtype("<f4"),
    Dbr.ENUM: np.dtype("<u2"),
    Dbr.CHAR: np.dtype("u1"),
    Dbr.LONG: np.dtype("<i4"),
    Dbr.DOUBLE: np.dtype("<f8"),
}
"""One element of each type, little endian, as arrays are kept in spool and store."""


class Severity(IntEnum):
    """Alarm severity (`alarm.h`)."""

    NO_ALARM = 0
    MINOR = 1
    MAJOR = 2
    INVALID = 3


class Status(IntEnum):
    """Alarm status (`alarm.h`, `epicsAlarmCondition`)."""

    NO_ALARM = 0
    READ = 1
    WRITE = 2
    HIHI = 3
    HIGH = 4
    LOLO = 5
    LOW = 6
    STATE = 7
    COS = 8
    COMM = 9
    TIMEOUT = 10
    HW_LIMIT = 11
    CALC = 12
    SCAN = 13
    LINK = 14
    SOFT = 15
    BAD_SUB = 16
    UDF = 17
    DISABLE = 18
    SIMM = 19
    READ_ACCESS = 20
    WRITE_ACCESS = 21


def severity_name(code: int) -> str:
    """The name of a severity; a code outside 0..3 is given as the number."""
    return Severity(code).name if 0 <= code <= 3 else str(code)


def status_name(code: int) -> str:
    """The name of a status; a code outside 0..21 is given as the number."""
    return Status(code).name if 0 <= code <= 21 else str(code)
