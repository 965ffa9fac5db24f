"""PVs of channels: views of the channel table, made when a client opens one and kept up to date while somebody looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from archioc.core.errors import CommandRefused, UnknownChannel
from archioc.core.table.table import ChannelTable
from archioc.ioc.ca.limits.time_slice import TimeSlice
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.ca.pv import PV, Value
from archioc.ioc.commands.commands import Commands
from archioc.ioc.peer import Peer
from archioc.ioc.pvs.channel_fields import CHANNEL_FIELDS, REMOVED
from archioc.ioc.pvs.channel_refs import ChannelRefs
from archioc.ioc.pvs.removals import REMOVED_ALARM, REMOVED_REASON
from archioc.ioc.pvs.row_changes import RowChanges
from archioc.ioc.pvs.row_view import RowView, is_silent, view_row
from archioc.ioc.pvs.setting_put import put_setting
from archioc.ioc.registry.archived import ArchivedChannel
from archioc.ioc.registry.writer import Registry
from archioc.ioc.results import ResultCode

REFRESH_S = 0.1
AGE_PERIOD_S = 1.0
AGEING = "Age"
"""The field that changes by itself."""


class ChannelPvs:
    """Makes the PVs of channels and refreshes those with monitors."""

    def __init__(self, prefix: str, registry: Registry, table: ChannelTable, commands: Commands) -> None:
        self._start = f"{prefix}CH:"
        self._registry, self._table, self._commands = registry, table, commands
        self._refs = ChannelRefs(registry, table)
        self._watched: dict[str, set[PV]] = {}
        self._changes = RowChanges(table, self._find)
        self._beside: set[PV] = set()  # those with monitors that change although their rows do not
        self._silent = (True, True)

    def has(self, name: str) -> bool:
        """Whether there is such a PV."""
        channel, field = self._split(name)
        return field in CHANNEL_FIELDS and self._find(self._refs.name(channel)) is not None

    def make(self, name: str) -> PV:
        """The PV. Raises KeyError."""
        channel, field = self._split(name)
        if not self.has(name):
            raise KeyError(name)
        writer = None
        if field == "Remove":
            writer = self._remove
        elif CHANNEL_FIELDS[field].setting:
            writer = self._put_setting
        channel = self._refs.name(channel)
        return PV(name, CHANNEL_FIELDS[field].spec, channel=channel, writer=writer, refresh=self._refresh, on_watch=self._watch)

    async def refresh_forever(self) -> None:
        """Refresh what is watched, until cancelled: at most 10 times a second, and only rows that changed."""
        loop = asyncio.get_running_loop()
        everything_at = loop.time()
        while True:
            await asyncio.sleep(REFRESH_S)
            slice_ = TimeSlice()
            for names in self._changes.poll():
                await self._refresh_channels(names, slice_)
                await slice_.give_way()
            if loop.time() - everything_at >= AGE_PERIOD_S:
                everything_at = loop.time()
                before, self._silent = self._silent, self._who_is_silent()
                if before != self._silent:
                    await self._refresh_channels(list(self._watched), slice_)
                for pv in list(self._beside):
                    if not pv.defer():
                        await self._refresh(pv)
                    await slice_.give_way()

    def _who_is_silent(self) -> tuple[bool, bool]:
        """Whether the engine and the db process do not answer."""
        now = time.time_ns()
        engine, db = (int(block.head["heartbeat"][0]) for block in (self._table.status, self._table.delivery))
        return is_silent(engine, now), is_silent(db, now)

    def _find(self, name: str) -> ArchivedChannel | None:
        """The channel of this name, also of an earlier one."""
        return self._registry.content.find(name)

    def _split(self, name: str) -> tuple[str, str]:
        if not name.startswith(self._start):
            return "", ""
        channel, _, field = name[len(self._start) :].rpartition(":")
        return channel, field

    def _watch(self, pv: PV, watched: bool) -> None:
        assert pv.channel is not None
        pvs = self._watched.get(pv.channel)
        if pvs is None:
            pvs = self._watched[pv.channel] = set()
            self._changes.watch(pv.channel)
        field = self._split(pv.name)[1]
        for those in (pvs, self._beside) if field == AGEING or CHANNEL_FIELDS[field].source == "registry" else (pvs,):
            if watched:
                those.add(pv)
            else:
                those.discard(pv)
        if not pvs:
            del self._watched[pv.channel]
            self._changes.forget(pv.channel)

    async def _refresh_channels(self, names: Iterable[str], slice_: TimeSlice) -> None:
        for name in names:
            await slice_.give_way()
            wanted = [pv for pv in self._watched.get(name, ()) if not pv.defer()]
            if not wanted:
                continue
            channel = self._find(name)
            view = view_row(self._table, channel) if channel else None
            for pv in wanted:
                await self._show(pv, view)
                await slice_.give_way()

    async def _refresh(self, pv: PV) -> None:
        assert pv.channel is not None
        channel = self._find(pv.channel)
        await self._show(pv, view_row(self._table, channel) if channel else None)

    async def show_removed(self, names: Iterable[str]) -> None:
        """Have those who look at the PVs of channels that have been removed see it now."""
        await self._refresh_channels(names, TimeSlice())

    async def _show(self, pv: PV, view: RowView | None) -> None:
        """view: the channel's row, None where the channel is removed."""
        name = self._split(pv.name)[1]
        field = CHANNEL_FIELDS[name]
        if view is None:
            last: dict[str, Value] = {"State": REMOVED, "Reason": REMOVED_REASON}
            await pv.show(last.get(name, pv.last_value), alarm=REMOVED_ALARM)
            return
        await field.show_on(pv, view)

    async def _put_setting(self, pv: PV, value: PutValue, peer: Peer) -> None:
        assert pv.channel is not None
        field = self._split(pv.name)[1]
        await put_setting(self._commands, f"{self._start}{pv.channel}:{field}", pv.channel, CHANNEL_FIELDS[field], value, peer)
        await self._refresh(pv)

    async def _remove(self, pv: PV, value: PutValue, peer: Peer) -> None:
        assert pv.channel is not None
        if not str(value).strip():
            return
        channel = self._find(pv.channel)
        if channel is None:
            raise await self._commands.executor.refuse_unreadable(pv.name, str(value), UnknownChannel(pv.channel), peer)
        if self._refs.name(str(value).strip()) != channel.name:
            rule = f"{str(value)[:60]!r}: must be the channel's own name, {channel.name}"
            raise await self._commands.executor.refuse_unreadable(pv.name, str(value), CommandRefused(ResultCode.CONFIRM, rule), peer)
        await self._commands.remove(pv.name, channel.name, peer)
