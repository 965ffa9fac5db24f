"""Fields of our PVs, as a record would have them: `.DESC`, `.EGU`, `.PREC`, `.RTYP`, `.NAME`, `.SEVR`, `.STAT`."""

from __future__ import annotations

from archioc.core.dbr import Dbr, Severity, severity_name, status_name
from ioc.pv import PV, PvSpec, Value

SEVERITIES = tuple(severity.name for severity in Severity)

_SPECS = {
    "DESC": PvSpec(Dbr.STRING, "Description"),
    "EGU": PvSpec(Dbr.STRING, "Engineering unit"),
    "PREC": PvSpec(Dbr.LONG, "Digits after the point"),
    "RTYP": PvSpec(Dbr.STRING, "Record type that behaves most like it"),
    "NAME": PvSpec(Dbr.STRING, "Name"),
    "SEVR": PvSpec(Dbr.ENUM, "Alarm severity", labels=SEVERITIES),
    "STAT": PvSpec(Dbr.STRING, "Alarm status"),
}
FIELD_NAMES = frozenset(_SPECS)


async def field_pv(base: PV, field: str) -> PV:
    """A field of a PV. It keeps its PV alive and is brought up to date when it is read, and with its PV while it is monitored."""

    async def follow(pv: PV) -> None:
        await pv.show(_value(base, field))

    async def refresh(pv: PV) -> None:
        if base.refresh is not None:
            await base.refresh(base)
        await follow(pv)

    def watch(pv: PV, watched: bool) -> None:
        if watched:
            base.add_follower(pv, follow)
        else:
            base.remove_follower(pv)

    made = PV(f"{base.name}.{field}", _SPECS[field], channel=base.channel, refresh=refresh, on_watch=watch)
    await refresh(made)
    return made


def _value(base: PV, field: str) -> Value:
    status, severity = base.alarm
    match field:
        case "DESC":
            return base.spec.description
        case "EGU":
            return str(getattr(base.data, "units", ""))
        case "PREC":
            return base.spec.precision
        case "RTYP":
            return str(base.data.reported_record_type)
        case "NAME":
            return base.name
        case "SEVR":
            return SEVERITIES.index(severity_name(severity))
        case "STAT":
            return status_name(status)
    raise KeyError(field)
