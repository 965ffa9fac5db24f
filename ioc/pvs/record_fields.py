"""What each field of our PVs is, and what it says: as a record that behaves like the PV would.

All PVs have all fields; what does not apply is empty, 0 or NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from archioc.core.dbr import Dbr, severity_name, status_name
from archioc.ioc.ca.alarm_limits import LIMIT_FIELDS, SEVERITIES, SEVERITY_FIELDS
from archioc.ioc.ca.pv import PV, PvSpec, Value
from archioc.ioc.pvs.state_fields import STATE_FIELDS, state_value
from archioc.ioc.pvs.worded import worded

_SCAN = ("Passive", "Event", "I/O Intr", "10 second", "5 second", "2 second", "1 second", ".5 second", ".2 second", ".1 second")
"""`menuScan` of EPICS Base."""


@dataclass(frozen=True, slots=True)
class RecordField:
    """A field. in_units: it is a number in the unit of its PV."""

    spec: PvSpec
    show: Callable[[PV], Value]
    in_units: bool = False

    def spec_for(self, base: PV) -> PvSpec:
        """How the field of this PV looks from outside."""
        return replace(self.spec, unit=base.spec.unit, precision=base.spec.precision) if self.in_units else self.spec


def _limit(field: str) -> RecordField:
    return RecordField(PvSpec(Dbr.DOUBLE, _LIMITS[field]), lambda pv: pv.limits.number(field), in_units=True)


def _limit_severity(field: str) -> RecordField:
    spec = PvSpec(Dbr.ENUM, "Severity of a limit; NO_ALARM: the limit does nothing", labels=SEVERITIES)
    return RecordField(spec, lambda pv: int(pv.limits.number(field)))


def _state(field: str, spec: PvSpec) -> RecordField:
    return RecordField(spec, lambda pv: state_value(pv.spec, field))


def _length(pv: PV) -> int:
    return len(str(pv.value or "").encode()) if pv.spec.dbr is Dbr.CHAR else 1


_LIMITS = {
    "HIHI": "Upper alarm limit; NaN: none",
    "HIGH": "Upper warning limit; NaN: none",
    "LOW": "Lower warning limit; NaN: none",
    "LOLO": "Lower alarm limit; NaN: none",
    "HYST": "How far a value comes back before its alarm ends",
}

_text, _long, _double = partial(PvSpec, Dbr.STRING), partial(PvSpec, Dbr.LONG), partial(PvSpec, Dbr.DOUBLE)

_HIGHEST = RecordField(_double("Upper limit of what can be put; 0, as the lower one: none"), lambda pv: pv.spec.high, in_units=True)
_LOWEST = RecordField(_double("Lower limit of what can be put; 0, as the upper one: none"), lambda pv: pv.spec.low, in_units=True)
_DEAD_BAND = RecordField(_double("Dead band of monitors; every change is told"), lambda _: 0.0, in_units=True)

RECORD_FIELDS: dict[str, RecordField] = {
    "DESC": RecordField(_text("Description"), lambda pv: pv.spec.description),
    "TXT": RecordField(_text("Value in words: thousands apart, days and hours, `no limit`"), worded),
    "EGU": RecordField(_text("Engineering unit"), lambda pv: pv.unit),
    "PREC": RecordField(_long("Digits after the point"), lambda pv: pv.precision),
    "RTYP": RecordField(_text("Record type that behaves most like it"), lambda pv: str(pv.data.reported_record_type)),
    "NAME": RecordField(_text("Name"), lambda pv: pv.name),
    "SEVR": RecordField(PvSpec(Dbr.ENUM, "Alarm severity", labels=SEVERITIES), lambda pv: SEVERITIES.index(severity_name(pv.alarm[1]))),
    "STAT": RecordField(_text("Alarm status"), lambda pv: status_name(pv.alarm[0])),
    "UDF": RecordField(_long("1 before the first value"), lambda pv: int(pv.value is None)),
    "SCAN": RecordField(
        PvSpec(Dbr.ENUM, "When it is processed: when it changes, or when it is put", labels=_SCAN),
        lambda pv: _SCAN.index("I/O Intr" if pv.spec.access == "read" else "Passive"),
    ),
    "NELM": RecordField(_long("Elements it can hold"), lambda pv: pv.spec.count),
    "NORD": RecordField(_long("Elements it holds"), _length),
    "HOPR": _HIGHEST,
    "LOPR": _LOWEST,
    "DRVH": _HIGHEST,
    "DRVL": _LOWEST,
    "MDEL": _DEAD_BAND,
    "ADEL": _DEAD_BAND,
    **{field: _limit(field) for field in LIMIT_FIELDS},
    **{field: _limit_severity(field) for field in SEVERITY_FIELDS},
    **{field: _state(field, spec) for field, spec in STATE_FIELDS.items()},
}
