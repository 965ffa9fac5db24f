"""PVs of views, `View:<view>:<field>` and `View:<view>:<slot>:<field>` (`docs/reference/contract/views.md`)."""

from __future__ import annotations

import asyncio
import re
import time
from functools import partial
from typing import NamedTuple

from archioc.core.errors import CommandRefused
from archioc.core.table.table import ChannelTable
from archioc.ioc.ca.alarm import NO_ALARM
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.ca.pv import PV, Writer
from archioc.ioc.commands.commands import Commands
from archioc.ioc.peer import Peer
from archioc.ioc.pvs.command_puts import CommandPuts
from archioc.ioc.pvs.row_view import RowView, view_row
from archioc.ioc.pvs.setting_put import put_setting
from archioc.ioc.registry.writer import Registry
from archioc.ioc.results import Outcome
from archioc.ioc.views.fields import COMMANDS, LIST_FIELDS, SLOT_FIELDS, nothing
from archioc.ioc.views.groups import GROUP_SLOT_FIELDS, LookOnce, ViewGroups
from archioc.ioc.views.lists import ViewLists
from archioc.ioc.views.puts import LIST_PUTS, REARRANGING, channel_meant, group_meant
from archioc.ioc.views.view import GROUP_NAMES, SLOT_NAMES, Place, View

PERIOD_S = 0.5
"""How often values are shown anew."""

SLICE_PVS = 50
"""PVs brought up to date between two looks at the event loop (some 50 us each)."""

_VIEW = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)

RESULT, RESULT_CODE = Place("", "Result"), Place("", "ResultCode")

Rows = dict[str, RowView | None]
"""What slots show, as far as it has been looked up."""


class _Name(NamedTuple):
    view: str
    place: Place


class ViewPvs:
    """Makes the PVs of views and refreshes those with monitors."""

    def __init__(self, prefix: str, registry: Registry, table: ChannelTable, commands: Commands) -> None:
        self._prefix, self._start = prefix, f"{prefix}View:"
        self._table, self._commands = table, commands
        self._puts = CommandPuts(prefix, commands)
        self._lists = ViewLists(registry, table)
        self._groups = ViewGroups(prefix, registry, commands)

    def has(self, name: str) -> bool:
        """Whether there is such a PV."""
        found = self._read(name)
        return found is not None and self._lists.has_room(found.view)

    def make(self, name: str) -> PV:
        """The PV. Raises KeyError."""
        found = self._read(name)
        if found is None:
            raise KeyError(name)
        view, place = self._lists.open(found.view), found.place
        writer: Writer | None = None
        if not place.slot:
            spec = LIST_FIELDS[place.field].spec
            if place.field in LIST_PUTS:
                writer = partial(self._put_list, view, place)
            elif place.field in COMMANDS:
                writer = self._puts.writer(place.field)
        elif place.slot in GROUP_NAMES:
            spec = GROUP_SLOT_FIELDS[place.field].spec
            if GROUP_SLOT_FIELDS[place.field].setting:
                writer = partial(self._put_group, view, place)
        else:
            spec = SLOT_FIELDS[place.field].spec
            if SLOT_FIELDS[place.field].setting:
                writer = partial(self._put_slot, view, place)
        made = PV(
            name, spec, view=found.view, writer=writer, refresh=partial(self._refresh, view, place), on_watch=partial(_watch, view, place)
        )
        view.pvs.add(made)
        return made

    async def refresh_forever(self) -> None:
        """Refresh what is watched, until cancelled; where that takes long, less often."""
        took = 0.0
        while True:
            await asyncio.sleep(max(PERIOD_S, took))
            begun = time.monotonic()
            for view in self._lists.all():
                if view.watched:
                    await self._lists.arrange(view)
                    await self._show_watched(view)
            self._lists.forget_deserted()
            took = time.monotonic() - begun

    async def show_outcome(self, peer: Peer, outcome: Outcome) -> None:
        """Show what became of a put of this client in the views that are this client's own."""
        for view in self._lists.shown_to(peer, outcome):
            view.outcome = outcome
            for pv, place in list(view.watched.items()):
                if place in {RESULT, RESULT_CODE}:
                    await self._show(pv, view, place, {}, LookOnce(self._table))

    def _read(self, name: str) -> _Name | None:
        if not name.startswith(self._start):
            return None
        view, *rest = name[len(self._start) :].split(":")
        if not _VIEW.fullmatch(view):
            return None
        match rest:
            case [field] if field in LIST_FIELDS:
                return _Name(view, Place("", field))
            case [slot, field] if slot in SLOT_NAMES and field in SLOT_FIELDS:
                return _Name(view, Place(slot, field))
            case [slot, field] if slot in GROUP_NAMES and field in GROUP_SLOT_FIELDS:
                return _Name(view, Place(slot, field))
            case _:
                return None

    async def _refresh(self, view: View, place: Place, pv: PV) -> None:
        self._groups.arrange(view)
        if await self._lists.arrange(view):
            # Whoever watches must see what came into a row before a put to it can be meant for that.
            await self._show_watched(view)
        await self._show(pv, view, place, {}, LookOnce(self._table))

    async def _show_watched(self, view: View) -> None:
        self._groups.arrange(view)
        rows: Rows = {}
        look = LookOnce(self._table)
        for count, (pv, place) in enumerate(list(view.watched.items()), 1):
            await self._show(pv, view, place, rows, look)
            if count % SLICE_PVS == 0:
                await asyncio.sleep(0)
                rows.clear()  # the rows may show other channels now

    async def _show(self, pv: PV, view: View, place: Place, rows: Rows, look: LookOnce) -> None:
        if not place.slot:
            shown = LIST_FIELDS[place.field]
            await pv.show(shown.show(view), alarm=shown.alarm(view))
            return
        if place.slot in GROUP_NAMES:
            await self._groups.show(pv, view.groups.slots[place.slot], GROUP_SLOT_FIELDS[place.field], look)
            return
        field = SLOT_FIELDS[place.field]
        if place.slot not in rows:
            channel = self._lists.channel_in(view.slots[place.slot])
            rows[place.slot] = view_row(self._table, channel) if channel else None
        row = rows[place.slot]
        if row is None:
            await pv.show(nothing(place.field), alarm=NO_ALARM, unit="" if field.unit else None, empty=True)
        else:
            await field.show_on(pv, row)

    async def _put_list(self, view: View, place: Place, pv: PV, value: PutValue, _: Peer) -> None:
        try:
            LIST_PUTS[place.field](self._lists, view, value)
        except CommandRefused as refused:
            await self._tell(view, str(refused))
            raise
        if place.field in REARRANGING:
            view.arranged = None
            await self._lists.arrange(view)
        await self._tell(view, "")
        await self._show(pv, view, place, {}, LookOnce(self._table))
        await pv.notify_unchanged()

    async def _put_slot(self, view: View, place: Place, pv: PV, value: PutValue, peer: Peer) -> None:
        try:
            try:
                channel = channel_meant(self._lists, view, place.slot, value.arrived)
            except CommandRefused as refused:
                raise await self._commands.executor.refuse_unreadable(pv.name, str(value), refused, peer) from None
            name = f"{self._prefix}CH:{channel.name}:{place.field}"
            await put_setting(self._commands, name, channel.name, SLOT_FIELDS[place.field], value, peer)
        except CommandRefused as refused:
            await self._tell(view, str(refused))
            raise
        await self._tell(view, "")

    async def _put_group(self, view: View, place: Place, pv: PV, value: PutValue, peer: Peer) -> None:
        try:
            try:
                group = group_meant(self._groups, view, place.slot, value.arrived)
            except CommandRefused as refused:
                raise await self._groups.refuse(pv.name, value, refused, peer) from None
            await self._groups.put(group, place.field, value, peer)
        except CommandRefused as refused:
            await self._tell(view, str(refused))
            raise
        await self._tell(view, "")

    async def _tell(self, view: View, message: str) -> None:
        """Let the view say what became of a put, and show what it changed."""
        view.message = message
        await self._show_watched(view)


def _watch(view: View, place: Place, pv: PV, watched: bool) -> None:
    if watched:
        view.watched[pv] = place
    else:
        view.watched.pop(pv, None)
    if place == RESULT:
        view.result = pv if watched else None
