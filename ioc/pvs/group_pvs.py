"""PVs of groups: made when a client opens one, and kept up to date while somebody looks."""

from __future__ import annotations

import asyncio

from archioc.core.table.table import ChannelTable
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.ca.pv import PV
from archioc.ioc.commands.commands import Commands
from archioc.ioc.peer import Peer
from archioc.ioc.pvs.group_fields import GROUP_FIELDS
from archioc.ioc.pvs.group_put import put_group_setting
from archioc.ioc.pvs.group_snapshot import GroupSnapshot
from archioc.ioc.pvs.removals import REMOVED_ALARM, REMOVED_REASON
from archioc.ioc.registry.writer import Registry

REFRESH_S = 0.5

SLICE_PVS = 50
"""PVs brought up to date between two looks at the event loop (some 50 us each)."""


class GroupPvs:
    """Makes the PVs of groups and refreshes those with monitors."""

    def __init__(self, prefix: str, registry: Registry, table: ChannelTable, commands: Commands) -> None:
        self._start = f"{prefix}GRP:"
        self._registry, self._table, self._commands = registry, table, commands
        self._watched: set[PV] = set()

    def has(self, name: str) -> bool:
        """Whether there is such a PV."""
        group, field = self._split(name)
        return field in GROUP_FIELDS and group in self._registry.groups

    def make(self, name: str) -> PV:
        """The PV. Raises KeyError."""
        group, field = self._split(name)
        if not self.has(name):
            raise KeyError(name)
        spec, setting = GROUP_FIELDS[field].spec, GROUP_FIELDS[field].setting
        return PV(name, spec, group=group, writer=self._put if setting else None, refresh=self._refresh, on_watch=self._watch)

    async def refresh_forever(self) -> None:
        """Refresh what is watched, until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S)
            if not self._watched:
                continue
            look = GroupSnapshot(self._table)
            for count, pv in enumerate(list(self._watched)):
                if count % SLICE_PVS == SLICE_PVS - 1:
                    await asyncio.sleep(0)
                await self._show(pv, look)

    def _split(self, name: str) -> tuple[str, str]:
        if not name.startswith(self._start):
            return "", ""
        group, _, field = name[len(self._start) :].rpartition(":")
        return group, field

    def _watch(self, pv: PV, watched: bool) -> None:
        if watched:
            self._watched.add(pv)
        else:
            self._watched.discard(pv)

    async def _refresh(self, pv: PV) -> None:
        await self._show(pv, GroupSnapshot(self._table))

    async def _show(self, pv: PV, look: GroupSnapshot) -> None:
        assert pv.group is not None
        group, name = self._registry.groups.get(pv.group), self._split(pv.name)[1]
        if group is None:
            await pv.show(REMOVED_REASON if name == "Reason" else pv.last_value, alarm=REMOVED_ALARM)
            return
        field, view = GROUP_FIELDS[name], look.of(group)
        await pv.show(field.show(view), alarm=field.alarm_of(view))

    async def _put(self, pv: PV, value: PutValue, peer: Peer) -> None:
        assert pv.group is not None
        await put_group_setting(self._commands, pv.name, pv.group, GROUP_FIELDS[self._split(pv.name)[1]], value, peer)
        await self._refresh(pv)
