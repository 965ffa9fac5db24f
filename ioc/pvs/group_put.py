"""A put to a setting of a group."""

from __future__ import annotations

from archioc.core.dbr import Dbr
from archioc.core.errors import CommandRefused
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.commands.control import Control
from archioc.ioc.pvs.group_fields import GroupField
from archioc.ioc.registry.audit import Peer


async def put_group_setting(control: Control, pv: str, group: str, field: GroupField, value: PutValue, peer: Peer) -> None:
    """Carry it out. pv: under which name it is audited. Raises CommandRefused."""
    read: object
    try:
        read = bool(value.choice(field.spec.labels)) if field.spec.dbr is Dbr.ENUM else value.text(field.spec.count)
    except CommandRefused as error:
        raise await control.refuse_unreadable(pv, str(value), error, peer) from None
    await control.put_group(pv, group, field.setting, read, peer)
