"""Fields of our PVs, as a record would have them. All PVs have all of them; what does not apply is empty, 0 or NaN."""

from __future__ import annotations

from dataclasses import replace

from archioc.core.dbr import Dbr, severity_name, status_name
from ioc.alarm_limits import LIMIT_FIELDS, SEVERITIES, SEVERITY_FIELDS
from ioc.audit import Peer
from ioc.put_value import PutValue
from ioc.pv import PV, PvSpec, Value

_SPECS = {
    "DESC": PvSpec(Dbr.STRING, "Description"),
    "EGU": PvSpec(Dbr.STRING, "Engineering unit"),
    "PREC": PvSpec(Dbr.LONG, "Digits after the point"),
    "RTYP": PvSpec(Dbr.STRING, "Record type that behaves most like it"),
    "NAME": PvSpec(Dbr.STRING, "Name"),
    "SEVR": PvSpec(Dbr.ENUM, "Alarm severity", labels=SEVERITIES),
    "STAT": PvSpec(Dbr.STRING, "Alarm status"),
    "HIHI": PvSpec(Dbr.DOUBLE, "Upper alarm limit; NaN: none"),
    "HIGH": PvSpec(Dbr.DOUBLE, "Upper warning limit; NaN: none"),
    "LOW": PvSpec(Dbr.DOUBLE, "Lower warning limit; NaN: none"),
    "LOLO": PvSpec(Dbr.DOUBLE, "Lower alarm limit; NaN: none"),
    "HYST": PvSpec(Dbr.DOUBLE, "How far a value comes back before its alarm ends"),
    **{name: PvSpec(Dbr.ENUM, "Severity of a limit; NO_ALARM: the limit does nothing", labels=SEVERITIES) for name in SEVERITY_FIELDS},
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

    async def put_limit(_: PV, value: PutValue, peer: Peer) -> None:
        assert base.limit_writer is not None
        await base.limit_writer(base, field, value, peer)

    spec, writer = _SPECS[field], None
    if field in {*LIMIT_FIELDS, *SEVERITY_FIELDS}:
        spec = replace(spec, unit=base.spec.unit, precision=base.spec.precision)
        if base.limit_writer is not None:
            spec, writer = replace(spec, access="expert"), put_limit
    made = PV(
        f"{base.name}.{field}",
        spec,
        channel=base.channel,
        group=base.group,
        view=base.view,
        writer=writer,
        refresh=refresh,
        on_watch=watch,
    )
    await refresh(made)
    return made


def _value(base: PV, field: str) -> Value:
    if field in SEVERITY_FIELDS:
        return int(base.limits.number(field))
    if field in LIMIT_FIELDS:
        return base.limits.number(field)
    return _described(base, field)


def _described(base: PV, field: str) -> Value:
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
