"""A put to a setting of a channel."""

from __future__ import annotations

from archioc.core.dbr import Dbr
from archioc.core.errors import CommandRefused
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.commands.commands import Commands
from archioc.ioc.peer import Peer
from archioc.ioc.pvs.channel_field import ChannelField


async def put_setting(commands: Commands, pv: str, channel: str, field: ChannelField, value: PutValue, peer: Peer) -> None:
    """Carry it out. pv: under which name it is audited. Raises CommandRefused."""
    try:
        read = _read(field, value)
    except CommandRefused as error:
        raise await commands.executor.refuse_unreadable(pv, str(value), error, peer) from None
    await commands.put_setting(pv, channel, field.setting, read, peer)


def _read(field: ChannelField, value: PutValue) -> object:
    """What was put, as the setting takes it. Raises CommandRefused."""
    if field.setting == "enable":
        return bool(value.choice(field.spec.labels))
    if field.spec.dbr is Dbr.ENUM:
        return field.spec.labels[value.choice(field.spec.labels)]
    if field.spec.dbr in {Dbr.DOUBLE, Dbr.LONG}:
        return value.scalar()
    return value.text(field.spec.count)
