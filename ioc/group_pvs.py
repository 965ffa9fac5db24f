"""PVs of groups: made when a client opens one, and kept up to date while somebody looks."""

from __future__ import annotations

import asyncio
import time

import numpy as np

from archioc.core.dbr import Dbr
from archioc.core.errors import CommandRefused
from archioc.core.group_status import ConditionState, identity
from archioc.core.registry import MAX_GROUPS
from archioc.core.table import ChannelTable, RowState
from ioc.archived_group import ArchivedGroup
from ioc.audit import Peer
from ioc.control import Control
from ioc.group_fields import GROUP_FIELDS, GroupView
from ioc.put_value import PutValue
from ioc.pv import PV
from ioc.registry import Registry
from ioc.row_view import is_silent

REFRESH_S = 0.5

SLICE_PVS = 50
"""PVs brought up to date between two looks at the event loop (some 50 us each)."""


class GroupPvs:
    """Makes the PVs of groups and refreshes those with monitors."""

    def __init__(self, prefix: str, registry: Registry, table: ChannelTable, control: Control) -> None:
        self._start = f"{prefix}GRP:"
        self._registry, self._table, self._control = registry, table, control
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

    async def keep_fresh(self) -> None:
        """Refresh what is watched, until cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S)
            if not self._watched:
                continue
            views = _Views(self._table)
            for count, pv in enumerate(list(self._watched)):
                if count % SLICE_PVS == SLICE_PVS - 1:
                    await asyncio.sleep(0)
                await self._show(pv, views)

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
        await self._show(pv, _Views(self._table))

    async def _show(self, pv: PV, views: _Views) -> None:
        assert pv.group is not None
        group = self._registry.groups.get(pv.group)
        if group is None:
            return  # removed a moment ago; the client is being told
        field, view = GROUP_FIELDS[self._split(pv.name)[1]], views.of(group)
        await pv.show(field.show(view), alarm=field.alarm_of(view))

    async def _put(self, pv: PV, value: PutValue, peer: Peer) -> None:
        assert pv.group is not None
        field = GROUP_FIELDS[self._split(pv.name)[1]]
        read: object
        try:
            read = bool(value.choice(field.spec.labels)) if field.spec.dbr is Dbr.ENUM else value.text(field.spec.count)
        except CommandRefused as error:
            raise await self._control.refuse_unreadable(pv.name, str(value), error, peer) from None
        await self._control.put_group(pv.name, pv.group, field.setting, read, peer)
        await self._refresh(pv)


class _Views:
    """All groups at one moment; one pass over the channel table for all of them."""

    def __init__(self, table: ChannelTable) -> None:
        rows = int(table.settings.head["rows"][0])
        settings, status = table.settings.cells[:rows], table.status.cells[:rows]
        group = np.where(settings["state"] == RowState.USED, np.minimum(settings["group"], MAX_GROUPS), 0)
        ours = status["generation"] == settings["generation"]
        self._channels = np.bincount(group, minlength=MAX_GROUPS + 1)
        self._connected = np.bincount(group, ours & (status["connected"] == 1), MAX_GROUPS + 1)
        self._event_rate = np.bincount(group, np.where(ours, status["event_rate"], 0.0), MAX_GROUPS + 1)
        self._cells = table.groups.cells
        self._silent = is_silent(int(table.status.head["heartbeat"][0]), time.time_ns())

    def of(self, group: ArchivedGroup) -> GroupView:
        cell, number = self._cells[group.number], group.number
        known = int(cell["identity"]) == identity(group.name, group.condition)
        state = ConditionState(int(cell["state"])) if known else ConditionState.UNKNOWN if group.condition else ConditionState.NONE
        return GroupView(
            group,
            state,
            bool(cell["on"]) if known else group.enable,
            known,
            int(self._channels[number]),
            int(self._connected[number]),
            float(self._event_rate[number]),
            self._silent,
        )
