"""The groups in a view: a second list in pages, in the order of their names, whose slots show what the PVs of groups show."""

from __future__ import annotations

import time
from collections.abc import Callable

from archioc.core.dbr import Dbr
from archioc.core.errors import CommandRefused
from archioc.core.table.table import ChannelTable
from archioc.ioc.ca.alarm import NO_ALARM
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.ca.pv import PV, PvSpec, Value
from archioc.ioc.commands.commands import Commands
from archioc.ioc.peer import Peer
from archioc.ioc.pvs.group_fields import GROUP_FIELDS, GroupField
from archioc.ioc.pvs.group_put import put_group_setting
from archioc.ioc.pvs.group_snapshot import GroupSnapshot
from archioc.ioc.registry.archived_group import ArchivedGroup
from archioc.ioc.registry.writer import Registry
from archioc.ioc.views.view import GROUP_ROWS, Slot, View

GROUP_SLOT_FIELDS: dict[str, GroupField] = {
    "Name": GroupField(
        PvSpec(Dbr.CHAR, "Name of the group shown; empty beyond the end of the list", count=64),
        lambda view: view.group.name,
        by_engine=False,
    ),
    **GROUP_FIELDS,
}


class LookOnce:
    """The groups, looked at when the first of them is asked for."""

    def __init__(self, table: ChannelTable) -> None:
        self._table = table
        self._look: GroupSnapshot | None = None

    def __call__(self) -> GroupSnapshot:
        if self._look is None:
            self._look = GroupSnapshot(self._table)
        return self._look


class ViewGroups:
    """Shows groups in the slots of views and carries out puts to them."""

    def __init__(self, prefix: str, registry: Registry, commands: Commands) -> None:
        self._start = f"{prefix}GRP:"
        self._registry, self._commands = registry, commands

    def arrange(self, view: View) -> None:
        """Show the page that the view is at, and the last one where there is no such page any more."""
        wanted = self._registry.revision, view.groups.page
        if view.groups.arranged == wanted:
            return
        names = sorted(self._registry.groups)
        view.groups.total = len(names)
        view.groups.page = min(view.groups.page, view.groups.pages - 1)
        first = view.groups.page * GROUP_ROWS
        view.groups.show_page(names[first : first + GROUP_ROWS], time.monotonic())
        view.groups.arranged = self._registry.revision, view.groups.page

    def group_in(self, slot: Slot) -> ArchivedGroup | None:
        """The group that a slot shows; when it is no longer there, the slot is empty from now on."""
        group = self._registry.groups.get(slot.shown)
        if group is None:
            slot.show("", time.monotonic())
        return group

    async def show(self, pv: PV, slot: Slot, field: GroupField, look: Callable[[], GroupSnapshot]) -> None:
        """Bring a PV of a slot up to date."""
        group = self.group_in(slot)
        if group is None:
            await pv.show(_nothing(field), alarm=NO_ALARM, empty=True)
        else:
            seen = look().of(group)
            await pv.show(field.show(seen), alarm=field.alarm_of(seen))

    async def put(self, group: ArchivedGroup, name: str, value: PutValue, peer: Peer) -> None:
        """A put to a setting of the group in a slot. Raises CommandRefused."""
        await put_group_setting(self._commands, f"{self._start}{group.name}:{name}", group.name, GROUP_FIELDS[name], value, peer)

    async def refuse(self, pv: str, value: PutValue, refused: CommandRefused, peer: Peer) -> CommandRefused:
        """The refusal of a put that is meant for no group; it is audited under the name that was put."""
        return await self._commands.executor.refuse_unreadable(pv, str(value), refused, peer)


def _nothing(field: GroupField) -> Value:
    """What a field shows of a slot without a group."""
    return "" if field.spec.dbr is Dbr.CHAR else 0
