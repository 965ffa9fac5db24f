"""Fields of our PVs as PVs of their own: made when a client opens one."""

from __future__ import annotations

from dataclasses import replace

from archioc.ioc.ca.alarm import NO_ALARM
from archioc.ioc.ca.alarm_limits import LIMIT_FIELDS, SEVERITY_FIELDS
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.ca.pv import PV
from archioc.ioc.peer import Peer
from archioc.ioc.pvs.record_fields import RECORD_FIELDS
from archioc.ioc.pvs.worded import can_be_put_worded, read_worded

WORDED = "TXT"
FIELD_NAMES = frozenset(RECORD_FIELDS)


async def field_pv(base: PV, field: str) -> PV:
    """A field of a PV. It keeps its PV alive and is brought up to date when it is read, and with its PV while it is monitored."""
    known = RECORD_FIELDS[field]

    async def follow(pv: PV) -> None:
        # What people read of a value is in alarm as the value is.
        await pv.show(known.show(base), alarm=base.alarm if field == WORDED else NO_ALARM)

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

    async def put_worded(_: PV, value: PutValue, peer: Peer) -> None:
        assert base.writer is not None
        await base.writer(base, read_worded(base, value), peer)

    spec, writer = known.spec_for(base), None
    if field == WORDED and can_be_put_worded(base):
        spec, writer = replace(spec, access=base.spec.access), put_worded
    if base.limit_writer is not None and field in {*LIMIT_FIELDS, *SEVERITY_FIELDS}:
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
