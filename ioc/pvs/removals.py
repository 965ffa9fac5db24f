"""The PVs of channels and groups that have been removed: clients keep them open for a while.

libca looks for a channel that it has lost only every 10 s. A channel that is added again, or renamed back, is on every screen at once
where its PVs have never gone.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from archioc.core.dbr import Severity, Status
from archioc.ioc.ca.alarm import Alarm
from archioc.ioc.ca.pv import PV
from archioc.ioc.registry.writer import Registry

HOLD_S = 30.0
"""How long the PVs stay open."""

LOOK_S = 1.0

REMOVED_ALARM: Alarm = (Status.UDF, Severity.INVALID)
REMOVED_REASON = "removed"

Gone = Callable[[PV], bool]
Show = Callable[[Iterable[str]], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class _Removed:
    """What one change has removed, by name. until: when its PVs go (s, monotonic)."""

    until: float
    channels: Collection[str]
    groups: Collection[str]


class Removals:
    """What has been removed in the last HOLD_S.

    drop: takes PVs from all clients. show: has the PVs of channels show that these are removed.
    """

    def __init__(self, registry: Registry, drop: Callable[[Gone], None], show: Show) -> None:
        self._registry, self._drop, self._show = registry, drop, show
        self._held: deque[_Removed] = deque()
        self._showing: set[asyncio.Task[None]] = set()

    def begin(self, channels: Collection[str], groups: Collection[str]) -> None:
        """Hold the PVs of these. Those that name a channel by its row go at once: they never stand for another channel."""
        self._held.append(_Removed(time.monotonic() + HOLD_S, channels, groups))
        self._drop(lambda pv: pv.channel in channels and f":{pv.channel}:" not in pv.name)
        task = asyncio.create_task(self._show(channels))
        self._showing.add(task)
        task.add_done_callback(self._showing.discard)

    async def watch_forever(self) -> None:
        """Take the PVs of what has not come back from the clients when its time is over, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.end(time.monotonic())

    def end(self, now: float) -> None:
        """Do so. now: s, monotonic."""
        while self._held and self._held[0].until <= now:
            self._drop(partial(self._is_gone, self._held.popleft()))

    def _is_gone(self, removed: _Removed, pv: PV) -> bool:
        """Whether what a PV belongs to has neither come back nor been removed once more since."""
        if pv.channel is not None and pv.channel in removed.channels:
            is_held = any(pv.channel in later.channels for later in self._held)
            return not is_held and self._registry.content.find(pv.channel) is None
        if pv.group in removed.groups:
            return pv.group not in self._registry.groups and not any(pv.group in later.groups for later in self._held)
        return False
