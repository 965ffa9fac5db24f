"""What an IOC has told of a channel."""

from __future__ import annotations

from dataclasses import dataclass

from archioc.core.dbr import Dbr
from archioc.core.spool.batch import ChannelMeta


@dataclass(frozen=True, slots=True)
class Metadata:
    """What was last told of a channel; None or empty where it has not told it, or nothing is known.

    channel: its present name. type: native type in Channel Access (`DOUBLE`, `FLOAT`, `LONG`, `SHORT`, `CHAR`, `ENUM`, `STRING`).
    elements: how many it has at most. host: of its IOC, with the port. units: of value and limits. precision: digits after the point.
    labels: of the states of an enum, by number. Limits are those of the record: display (LOPR, HOPR), warning (LOW, HIGH),
    alarm (LOLO, HIHI), control (DRVL, DRVH).
    """

    channel: str
    type: str | None = None
    elements: int = 1
    host: str = ""
    units: str = ""
    precision: int | None = None
    labels: tuple[str, ...] = ()
    display_low: float | None = None
    display_high: float | None = None
    warning_low: float | None = None
    warning_high: float | None = None
    alarm_low: float | None = None
    alarm_high: float | None = None
    control_low: float | None = None
    control_high: float | None = None

    @classmethod
    def of(cls, channel: str, told: ChannelMeta | None) -> Metadata:
        """Those of a channel."""
        if told is None:
            return cls(channel)
        limits = {f"{kind}_{end}": getattr(told, f"{kind}_{end}") for kind in _LIMITS for end in ("low", "high")}
        return cls(channel, Dbr(told.dbr).name, told.count, told.host, told.units, told.precision, tuple(told.labels), **limits)


_LIMITS = ("display", "warning", "alarm", "control")
