"""A put to a setting of a group."""

from __future__ import annotations

from archioc.core.dbr import Dbr
from archioc.core.errors import CommandRefused
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.commands.commands import Commands
from archioc.ioc.peer import Peer
from archioc.ioc.pvs.group_fields import GroupField


async def put_group_setting(commands: Commands, pv: str, group: str, field: GroupField, value: PutValue, peer: Peer) -> None:
    """Carry it out. pv: under which name it is audited. Raises CommandRefused."""
    read: object
    try:
        read = bool(value.choice(field.spec.labels)) if field.spec.dbr is Dbr.ENUM else value.text(field.spec.count)
    except CommandRefused as error:
        raise await commands.executor.refuse_unreadable(pv, str(value), error, peer) from None
    await commands.put_group(pv, group, field.setting, read, peer)
