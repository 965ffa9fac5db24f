"""Keeps the PVs of the archiver as a whole up to date, twice a second."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from archioc.core.dbr import Dbr
from archioc.core.errors import RunDirError
from archioc.core.machine.rate_limited_log import RateLimitedLog
from archioc.core.table.process_counts import ProcessCounts, read_counts
from archioc.core.table.table import ChannelTable, ProcessState
from archioc.ioc.ca.alarm import NO_ALARM
from archioc.ioc.ca.pv import PV
from archioc.ioc.pvs.limit_puts import LimitPuts
from archioc.ioc.pvs.loss_window import LossWindow
from archioc.ioc.pvs.overview import ArchiverState, Overview, OwnHealth, read_overview
from archioc.ioc.pvs.status_fields import STATUS_FIELDS
from archioc.ioc.registry.hand_over import NO_SHARING, Sharing
from archioc.ioc.registry.table_rows import ChannelRows

PERIOD_S = 0.5
PROBE_S = 0.05
"""How often the delay of the event loop is measured."""

SHARING = tuple(name for name in STATUS_FIELDS if name.startswith("Shard:"))
"""PVs that follow each command."""

_PAGE = os.sysconf("SC_PAGE_SIZE")

_STATM = Path("/proc/self/statm")

limited_log = RateLimitedLog()


class StatusPvs:
    """The PVs of the archiver, and the heartbeat of the ioc process in the channel table.

    conflict: tells why clients may reach another IOC under our names; empty when they cannot.
    sharing: tells how the archiver stands among the shards.
    """

    def __init__(
        self,
        prefix: str,
        table: ChannelTable,
        rows: ChannelRows,
        spool_max_bytes: int,
        limits: LimitPuts,
        conflict: Callable[[], str] = str,
        http_state: Callable[[], ProcessState] = lambda: ProcessState.STOPPED,
        sharing: Callable[[], Sharing] = lambda: NO_SHARING,
    ) -> None:
        self.pvs = {
            name: PV(f"{prefix}{name}", field.spec, limit_writer=limits.put if field.spec.dbr in {Dbr.DOUBLE, Dbr.LONG} else None)
            for name, field in STATUS_FIELDS.items()
        }
        self._limits, self._conflict, self._http_state, self._sharing = limits, conflict, http_state, sharing
        self._table, self._rows, self._spool_max_bytes = table, rows, spool_max_bytes
        self._version = version("archioc")
        self._started_ns = time.time_ns()
        self._beats = 0
        self._losses = LossWindow(table.run_dir / "losses.json")
        self._was_running = False
        self._stopping = False
        self._lag = 0.0
        self._resident = 0
        self._restarts = ProcessCounts()
        self._overview: Overview | None = None

    async def load_limits(self) -> None:
        """Take up the alarm limits that operators have put. Raises RegistryError."""
        await self._limits.load({name: (self.pvs[name], field.limits) for name, field in STATUS_FIELDS.items()})

    async def stopping(self) -> None:
        """Show that the archiver stops."""
        self._stopping = True
        await self.refresh(0)

    async def refresh_forever(self, clients: Callable[[], int]) -> None:
        """Refresh until cancelled. clients: how many are connected."""
        while True:
            await self.refresh(clients())
            self._lag = 0.0
            loop = asyncio.get_running_loop()
            end = loop.time() + PERIOD_S
            while (begun := loop.time()) < end:
                await asyncio.sleep(PROBE_S)
                self._lag = max(self._lag, loop.time() - begun - PROBE_S)

    async def refresh(self, clients: int) -> None:
        """Show how things are now."""
        self._rows.write_heartbeat(ProcessState.STOPPING if self._stopping else ProcessState.RUNNING, os.getpid())
        self._rows.release()
        self._beats += 1
        own = OwnHealth(
            self._version,
            self._started_ns,
            self._beats,
            self._resident_bytes(),
            clients,
            self._lag,
            self._count_restarts(),
            self._spool_max_bytes,
            self._conflict(),
            self._http_state(),
            self._sharing(),
        )
        overview = read_overview(self._table, own, time.time_ns(), self._losses, was_running=self._was_running, stopping=self._stopping)
        if overview.state not in {ArchiverState.STARTING, ArchiverState.STOPPING}:
            self._was_running = True
        self._overview = overview
        for name in STATUS_FIELDS:
            await self._show(name, overview)

    async def show_sharing(self) -> None:
        """Show now how the archiver stands among the shards: who waits for the end of a hand-over must not see the time before it."""
        sharing = self._sharing()
        if self._overview is not None and self._overview.own.sharing != sharing:
            self._overview = replace(self._overview, own=replace(self._overview.own, sharing=sharing))
            for name in SHARING:
                await self._show(name, self._overview)

    async def _show(self, name: str, overview: Overview) -> None:
        pv, field = self.pvs[name], STATUS_FIELDS[name]
        value, alarm = field.show(overview), field.alarm_of(overview)
        if alarm == NO_ALARM and not isinstance(value, str):
            alarm = pv.limits.judge(value, pv.alarm)
        await pv.show(value, alarm=alarm)

    def _count_restarts(self) -> ProcessCounts:
        try:
            self._restarts = read_counts(self._table.run_dir)
        except (RunDirError, OSError) as error:
            limited_log.warning("restart_counts_unreadable", error=str(error))
        return self._restarts

    def _resident_bytes(self) -> int:
        """As last read where it cannot be read now: a figure for people is no reason to end."""
        try:
            self._resident = int(_STATM.read_text().split()[1]) * _PAGE
        except OSError as error:
            limited_log.warning("memory_unreadable", error=str(error))
        return self._resident
