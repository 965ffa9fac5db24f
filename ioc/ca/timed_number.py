"""One number with alarm and time in a PV's own type (`DBR_TIME_*` of `db_access.h`), which is what nearly all monitors ask for.

Anything else is converted and described by caproto, which takes 40 us for each event.
"""

from __future__ import annotations

from struct import Struct

from caproto import ChannelType

from archioc.core.dbr import Dbr
from archioc.ioc.ca.alarm import Alarm

_FORMS = {
    (Dbr.DOUBLE, ChannelType.TIME_DOUBLE): (Struct(">HHII4xd"), (float, int), float("-inf"), float("inf")),
    (Dbr.LONG, ChannelType.TIME_LONG): (Struct(">HHIIi"), (int,), -(2**31), 2**31 - 1),
    (Dbr.ENUM, ChannelType.TIME_ENUM): (Struct(">HHII2xH"), (int,), 0, 2**16 - 1),
}
"""By native type and the type that is asked for: status, severity, seconds and nanoseconds since 1990, padding, value; what it can hold."""


def timed_number(dbr: Dbr, data_type: ChannelType, value: object, alarm: Alarm, stamp: tuple[int, int]) -> bytes | None:
    """The payload, None where it is not for here: another type, another value, or one that the type cannot hold.

    stamp: seconds since 1990 UTC, nanoseconds.
    """
    form = _FORMS.get((dbr, data_type))
    if form is None:
        return None
    struct, types, lowest, highest = form
    if not isinstance(value, types) or value < lowest or value > highest:
        return None
    return struct.pack(int(alarm[0]), int(alarm[1]), *stamp, value)
