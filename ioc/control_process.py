"""The control process: composed, run until it is told to stop, stopped in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from functools import partial
from typing import Any

from archioc.core.config.config import Config
from archioc.core.directories import Directories
from archioc.core.table.table import ChannelTable
from archioc.ioc.ca.prefix_watch import Address, PrefixWatch, is_own_address, search_targets
from archioc.ioc.ca.server import ControlServer
from archioc.ioc.commands.commands import Commands
from archioc.ioc.commands.put_executor import PutExecutor
from archioc.ioc.pvs.alarm_server import AlarmServerHeartbeat
from archioc.ioc.pvs.channel_pvs import ChannelPvs
from archioc.ioc.pvs.command_pvs import CommandPvs
from archioc.ioc.pvs.group_pvs import GroupPvs
from archioc.ioc.pvs.http_process import http_state
from archioc.ioc.pvs.limit_puts import LimitPuts
from archioc.ioc.pvs.pv_names import PvDatabase
from archioc.ioc.pvs.removals import Removals
from archioc.ioc.pvs.status_pvs import StatusPvs
from archioc.ioc.registry.limit_store import LimitStore
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry
from archioc.ioc.views.pvs import ViewPvs

NOTES_PERIOD_S = 1.0
"""How often the audit of refused puts is written."""

HANDOVER_POLL_S = 0.5
"""How often channels are released that have been handed over."""

STOP_NOTICE_S = 0.1
"""Time for clients to be sent State=Stopping before they are disconnected."""


class ControlProcess:
    """Serves the control PVs of one archiver."""

    def __init__(self, config: Config, table: ChannelTable, registry: Registry, rows: ChannelRows) -> None:
        self._config = config
        prefix, directories = config.archiver.prefix, Directories(config.archiver.state_dir)
        self._executor = PutExecutor(registry, rows)
        self._commands = Commands(self._executor, registry, rows, table, config.path, directories.imports)
        self._channels = ChannelPvs(prefix, registry, table, self._commands)
        self._groups = GroupPvs(prefix, registry, table, self._commands)
        self._views = ViewPvs(prefix, registry, table, self._commands)
        self._command_pvs = CommandPvs(prefix, self._commands)
        self._heartbeat = AlarmServerHeartbeat(prefix)
        self._watch = PrefixWatch(prefix, search_targets(config), self._is_ours)
        limits = LimitPuts(prefix, LimitStore(directories.registry), self._commands)
        http = partial(http_state, config)
        self._status = StatusPvs(
            prefix, table, rows, config.spool.max_bytes, limits, lambda: self._watch.reason, http, lambda: registry.sharing
        )
        fixed = (*self._status.pvs.values(), *self._command_pvs.pvs.values(), self._heartbeat.pv)
        names = PvDatabase(fixed, (self._channels, self._groups, self._views))
        self._server = ControlServer(names, self._executor, config.access)
        self._removals = Removals(registry, self._server.drop, self._channels.show_removed)
        self._executor.set_callbacks(self._removals.begin, self._show_result, self._views.show_outcome)
        self._commands.on_access = self._server.use_access

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises ServeError, and what ends one of its works."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await self._start()
        works = [asyncio.create_task(work) for work in (*self._works(), _wait(stop))]
        await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        for work in works:
            work.cancel()
        outcomes = await asyncio.gather(*works, return_exceptions=True)
        await self._stop()
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _start(self) -> None:
        await self._command_pvs.show_result()
        await self._status.load_limits()
        await self._status.refresh(0)
        block = self._config.ioc
        await self._server.start(block.interfaces, block.port, block.beacon_addr_list)

    def _works(self) -> tuple[Coroutine[Any, Any, None], ...]:
        return (
            self._channels.refresh_forever(),
            self._groups.refresh_forever(),
            self._views.refresh_forever(),
            self._status.refresh_forever(lambda: len(self._server.circuits)),
            self._heartbeat.watch_forever(),
            self._write_notes_forever(),
            self._removals.watch_forever(),
            self._end_handovers_forever(),
            self._watch.watch_forever(),
        )

    async def _stop(self) -> None:
        await self._executor.finish()
        await self._status.stopping()
        await asyncio.sleep(STOP_NOTICE_S)
        await self._server.stop()

    async def _show_result(self) -> None:
        await self._status.show_sharing()
        await self._command_pvs.show_result()

    def _is_ours(self, address: Address) -> bool:
        return address[1] == self._server.tcp_port and is_own_address(address[0], self._config.ioc.interfaces)

    async def _write_notes_forever(self) -> None:
        while True:
            await asyncio.sleep(NOTES_PERIOD_S)
            await self._executor.write_notes()

    async def _end_handovers_forever(self) -> None:
        while True:
            await asyncio.sleep(HANDOVER_POLL_S)
            await self._commands.end_handovers(f"{self._config.archiver.prefix}Shard:Leaving")


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()
