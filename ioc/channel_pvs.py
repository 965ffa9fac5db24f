"""PVs of channels: views of the channel table, made when a client opens one and kept up to date while somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from archioc.core.errors import CommandRefused, UnknownChannel
from archioc.core.table import ChannelTable
from ioc.audit import Peer
from ioc.channel_fields import CHANNEL_FIELDS
from ioc.channel_refs import ChannelRefs
from ioc.commands import refusal
from ioc.control import Control
from ioc.put_value import PutValue
from ioc.pv import PV
from ioc.registry import Registry
from ioc.results import ResultCode
from ioc.row_view import view_row
from ioc.setting_put import put_setting

REFRESH_S = 0.1
AGE_PERIOD_S = 1.0
SLICE_PVS = 50
"""PVs brought up to date between two looks at the event loop (some 50 us each)."""


class ChannelPvs:
    """Makes the PVs of channels and refreshes those with monitors."""

    def __init__(self, prefix: str, registry: Registry, table: ChannelTable, control: Control) -> None:
        self._start = f"{prefix}CH:"
        self._registry, self._table, self._control = registry, table, control
        self._refs = ChannelRefs(registry, table)
        self._watched: dict[str, set[PV]] = {}
        self._seen: dict[str, bytes] = {}

    def has(self, name: str) -> bool:
        """Whether there is such a PV."""
        channel, field = self._split(name)
        return field in CHANNEL_FIELDS and self._refs.name(channel) in self._registry.channels

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

    async def keep_fresh(self) -> None:
        """Refresh what is watched, until cancelled: at most 10 times a second, and only rows that changed."""
        loop = asyncio.get_running_loop()
        everything_at = loop.time()
        while True:
            await asyncio.sleep(REFRESH_S)
            now = loop.time()
            if now - everything_at >= AGE_PERIOD_S:
                # Age grows without any change in the table, and so does the silence of a process.
                everything_at = now
                await self._refresh_channels(list(self._watched))
            else:
                await self._refresh_channels(self._changed())

    def _split(self, name: str) -> tuple[str, str]:
        if not name.startswith(self._start):
            return "", ""
        channel, _, field = name[len(self._start) :].rpartition(":")
        return channel, field

    def _watch(self, pv: PV, watched: bool) -> None:
        assert pv.channel is not None
        pvs = self._watched.setdefault(pv.channel, set())
        if watched:
            pvs.add(pv)
        else:
            pvs.discard(pv)
        if not pvs:
            del self._watched[pv.channel]

    def _changed(self) -> list[str]:
        """Watched channels whose rows differ from what they were at the last look."""
        channels = self._registry.channels
        names = [name for name in self._watched if name in channels]
        if not names:
            self._seen.clear()
            return []
        rows = np.array([channels[name].row for name in names], np.int64)
        bytes_now = _snapshot((block.cells[rows] for block in self._table.blocks), len(rows))
        seen, self._seen = self._seen, {name: row.tobytes() for name, row in zip(names, bytes_now, strict=True)}
        return [name for name, row in self._seen.items() if seen.get(name) != row]

    async def _refresh_channels(self, names: list[str]) -> None:
        done = 0
        for name in names:
            channel = self._registry.channels.get(name)
            if channel is None:
                continue
            view = view_row(self._table, channel)
            for pv in list(self._watched.get(name, ())):
                field = CHANNEL_FIELDS[self._split(pv.name)[1]]
                await pv.show(field.show(view), alarm=field.alarm_of(view), unit=field.unit(view) if field.unit else None)
                done += 1
                if done % SLICE_PVS == 0:
                    await asyncio.sleep(0)

    async def _refresh(self, pv: PV) -> None:
        assert pv.channel is not None
        channel = self._registry.channels.get(pv.channel)
        if channel is None:
            return  # removed a moment ago; the client is being told
        view = view_row(self._table, channel)
        field = CHANNEL_FIELDS[self._split(pv.name)[1]]
        await pv.show(field.show(view), alarm=field.alarm_of(view), unit=field.unit(view) if field.unit else None)

    async def _put_setting(self, pv: PV, value: PutValue, peer: Peer) -> None:
        assert pv.channel is not None
        field = self._split(pv.name)[1]
        await put_setting(self._control, f"{self._start}{pv.channel}:{field}", pv.channel, CHANNEL_FIELDS[field], value, peer)
        await self._refresh(pv)

    async def _remove(self, pv: PV, value: PutValue, peer: Peer) -> None:
        assert pv.channel is not None
        if self._refs.name(str(value).strip()) != pv.channel:
            rule = f"{str(value)[:60]!r}: must be the channel's own name, {pv.channel}"
            raise await self._control.refuse_unreadable(pv.name, str(value), CommandRefused(ResultCode.CONFIRM, rule), peer)
        if pv.channel not in self._registry.channels:
            raise refusal(UnknownChannel(pv.channel))
        await self._control.remove(pv.name, pv.channel, peer)


def _snapshot(blocks: Iterable[npt.NDArray[np.void]], count: int) -> npt.NDArray[np.uint8]:
    """Rows of several blocks side by side, as bytes."""
    return np.concatenate([np.ascontiguousarray(block).view(np.uint8).reshape(count, -1) for block in blocks], axis=1)
