"""The views there are: made when a client opens one, put in order while somebody looks, forgotten when nobody does."""

from __future__ import annotations

import asyncio
import time

import numpy as np

from archioc.core.table.table import ChannelTable
from archioc.ioc.peer import Peer
from archioc.ioc.pvs.channel_index import ChannelIndex, Mask
from archioc.ioc.registry.archived import ArchivedChannel
from archioc.ioc.registry.archived_group import ArchivedGroup
from archioc.ioc.registry.writer import Registry
from archioc.ioc.results import Outcome, ResultCode
from archioc.ioc.views.filter import Pattern
from archioc.ioc.views.order import filtered, ordered
from archioc.ioc.views.view import PAGE_ROWS, Slot, View

MAX_VIEWS = 200
FORGOTTEN_AFTER_S = 30.0


class ViewLists:
    """All views by name, and the order of their channels."""

    def __init__(self, registry: Registry, table: ChannelTable) -> None:
        self._registry, self._table = registry, table
        self._index = ChannelIndex(registry)
        self._matched: dict[tuple[Pattern, ...], tuple[int, Mask]] = {}
        self._views: dict[str, View] = {}
        self._one = asyncio.Lock()

    def all(self) -> list[View]:
        """In the order in which they were made."""
        return list(self._views.values())

    def shown_to(self, peer: Peer, outcome: Outcome) -> list[View]:
        """The views that show what became of a put of this client.

        They are the views whose `Result` this client monitors, and the view that it has put to. A client without the right to put
        must not write on the display of another one, so a view that others monitor does not show that refusal.
        """
        found = []
        for name, view in self._views.items():
            clients = view.clients
            put_here = name == peer.view and not (outcome.code is ResultCode.NOT_ALLOWED and clients)
            if put_here or peer.connection in clients:
                found.append(view)
        return found

    def has_room(self, name: str) -> bool:
        """Whether there is this view or room for it."""
        return name in self._views or len(self._views) < MAX_VIEWS or any(not view.pvs for view in self._views.values())

    def open(self, name: str) -> View:
        """The view; a new one may take the place of one that nobody looks at. Raises KeyError when there are too many."""
        view = self._views.get(name)
        if view is None:
            if len(self._views) >= MAX_VIEWS:
                deserted = next((other for other, view in self._views.items() if not view.pvs), None)
                if deserted is None:
                    raise KeyError(name)
                del self._views[deserted]
            view = self._views[name] = View()
        return view

    def forget_deserted(self) -> None:
        """Forget views that nobody has looked at for some time, and what they were made from with the last one."""
        now = time.monotonic()
        for name, view in list(self._views.items()):
            if view.pvs:
                view.deserted_at = None
            elif view.deserted_at is None:
                view.deserted_at = now
            elif now - view.deserted_at > FORGOTTEN_AFTER_S:
                del self._views[name]
        if not self._views and not self._one.locked():
            self._index.clear()
            self._matched.clear()

    def channel(self, name: str) -> ArchivedChannel | None:
        """The channel of this name."""
        return self._registry.channels.get(name)

    def group(self, name: str) -> ArchivedGroup | None:
        """The group of this name."""
        return self._registry.groups.get(name)

    def channel_in(self, slot: Slot) -> ArchivedChannel | None:
        """The channel that a slot shows, also when it has been renamed; when it is no longer there, the slot is empty from now on."""
        channel = self._registry.content.find(slot.shown)
        if channel is None:
            slot.show("", time.monotonic())
        return channel

    async def arrange(self, view: View) -> bool:
        """Put the list in order and show its page, if that is due; whether it was."""
        registry = self._registry
        if not view.is_due(registry.names_version, registry.revision, time.monotonic()):
            return False
        async with self._one:
            if not view.is_due(registry.names_version, registry.revision, time.monotonic()):
                return False
            made_from = registry.names_version, registry.revision
            wanted = view.filter, view.sort, view.descending
            await self._index.follow()
            matched = await self._names_matching(view)
            found = await filtered(self._index, matched, view.filter, self._table, registry.groups)
            places = await ordered(self._index, found, view.sort, self._table, descending=view.descending)
            if wanted != (view.filter, view.sort, view.descending):
                return False  # put meanwhile; who put it has the list made again
            view.total = len(places)
            view.page = min(view.page, view.pages - 1)
            names = [self._index.names[place] for place in places[view.page * PAGE_ROWS : (view.page + 1) * PAGE_ROWS].tolist()]
            view.arranged, view.arranged_at = made_from, time.monotonic()
            view.show_page(names, view.arranged_at)
            return True

    async def _names_matching(self, view: View) -> Mask:
        """Kept until names or filters change: looking at 100 000 names takes longer than all the rest."""
        which, version = view.filter, self._index.version
        if not which.names:
            return np.ones(len(self._index.names), bool)
        in_use = {other.filter.names for other in self._views.values()}
        self._matched = {kept: found for kept, found in self._matched.items() if kept in in_use and found[0] == version}
        found = self._matched.get(which.names)
        if found is None:
            found = self._matched[which.names] = version, await self._index.matching(which.fits_name)
        return found[1]
