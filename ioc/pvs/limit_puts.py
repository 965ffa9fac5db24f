"""Puts to alarm limits (`.HIHI` ...) of the archiver's own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from archioc.core.errors import CommandRefused
from archioc.ioc.ca.alarm import TIMEOUT
from archioc.ioc.ca.alarm_limits import AlarmLimits, read_limit
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.ca.pv import PV
from archioc.ioc.commands.commands import Commands
from archioc.ioc.peer import Peer
from archioc.ioc.registry.limit_store import LimitStore


class LimitPuts:
    """Carries out puts to alarm limits: on disk first, then the value shown is judged anew."""

    def __init__(self, prefix: str, store: LimitStore, commands: Commands) -> None:
        self._prefix, self._store, self._commands = prefix, store, commands

    async def load(self, pvs: Mapping[str, tuple[PV, AlarmLimits]]) -> None:
        """Give the PVs (by name without prefix) their limits: those given here, except where others were put. Raises RegistryError."""
        limits = {name: given for name, (_, given) in pvs.items()}
        for (name, field), value in self._store.load().items():
            if name in limits:
                limits[name] = limits[name].changed(field, value)
        for name, (pv, _) in pvs.items():
            if pv.limit_writer is not None:
                await pv.show_limits(limits[name])

    async def put(self, pv: PV, field: str, value: PutValue, peer: Peer) -> None:
        """Change one field of the limits of a PV. Raises CommandRefused."""
        name = f"{pv.name}.{field}"
        try:
            number = read_limit(field, value)
        except CommandRefused as error:
            raise await self._commands.executor.refuse_unreadable(name, str(value), error, peer) from None
        limits = pv.limits.changed(field, number)
        store = partial(self._store.write, pv.name.removeprefix(self._prefix), field, number)
        await self._commands.put_limit(name, f"{pv.limits.number(field):g}", f"{number:g}", store, peer, limits.hidden)
        await pv.show_limits(limits)
        if pv.alarm != TIMEOUT and isinstance(pv.value, int | float):
            await pv.show(pv.value, alarm=pv.limits.judge(pv.value, pv.alarm))
