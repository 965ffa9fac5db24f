"""The control process: `python -m archioc.ioc CONFIG --parent PID`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from archioc.core.config.config import Config
from archioc.core.config.declared_channels import Declaration, fingerprint_of
from archioc.core.config.file import load_blocks, load_declaration, read_config
from archioc.core.directories import Directories
from archioc.core.errors import ArchiocError, CommandRefused, ConfigError, RegistryError
from archioc.core.log import configure_log
from archioc.core.process import stop_with_parent
from archioc.core.table.table import ChannelTable, ProcessState
from archioc.ioc.ca.prefix_watch import Address, PrefixWatch, is_own_address, search_targets
from archioc.ioc.ca.server import ControlServer
from archioc.ioc.commands.config_subprocess import read_declaration
from archioc.ioc.commands.control import Control
from archioc.ioc.commands.declaring import apply_declared
from archioc.ioc.garbage import keep_collections_short
from archioc.ioc.pvs.alarm_server import AlarmServerHeartbeat
from archioc.ioc.pvs.channel_pvs import ChannelPvs
from archioc.ioc.pvs.command_pvs import CommandPvs
from archioc.ioc.pvs.group_pvs import GroupPvs
from archioc.ioc.pvs.http_process import http_state
from archioc.ioc.pvs.limit_puts import LimitPuts
from archioc.ioc.pvs.pv_names import PvDatabase
from archioc.ioc.pvs.status_pvs import StatusPvs
from archioc.ioc.registry.backup import back_up, back_up_earlier_version
from archioc.ioc.registry.limit_store import LimitStore
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry
from archioc.ioc.views.pvs import ViewPvs

NOTES_PERIOD_S = 1.0
"""How often the audit of refused puts is written."""

HANDOVER_POLL_S = 0.5
"""How often it is looked whether channels have been handed over."""

STOP_NOTICE_S = 0.1
"""Time for clients to be sent State=Stopping before they are disconnected."""

SWITCH_INTERVAL_S = 0.0001
"""How long the event loop and a worker thread (a commit, the plan of a large change) wait for each other.

A commit takes the interpreter some fifty times: at 0.5 ms for each, a put beside a busy loop took 60 ms.
"""

APART_BYTES = 500_000
"""A file as long as this is read by another process: what reading takes, 1 kB a channel, this one would keep."""

log = structlog.get_logger()


async def serve(config: Config, table: ChannelTable, registry: Registry, rows: ChannelRows) -> None:
    """Serve the control PVs until SIGTERM or SIGINT. Raises ServeError."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    prefix = config.archiver.prefix
    control = Control(registry, rows, table, config.path, Directories(config.archiver.state_dir).imports)
    channels, groups = ChannelPvs(prefix, registry, table, control), GroupPvs(prefix, registry, table, control)
    views, commands = ViewPvs(prefix, registry, table, control), CommandPvs(prefix, control)
    limits = LimitPuts(prefix, LimitStore(Directories(config.archiver.state_dir).registry), control)

    def is_ours(address: Address) -> bool:
        return address[1] == server.tcp_port and is_own_address(address[0], config.ioc.interfaces)

    watch = PrefixWatch(prefix, search_targets(config), is_ours)
    http = partial(http_state, config)
    status = StatusPvs(prefix, table, rows, config.spool.max_bytes, limits, lambda: watch.reason, http, lambda: registry.sharing)
    heartbeat = AlarmServerHeartbeat(prefix)
    fixed = (*status.pvs.values(), *commands.pvs.values(), heartbeat.pv)
    server = ControlServer(PvDatabase(fixed, (channels, groups, views)), control, config.access)

    async def show_result() -> None:
        await status.show_sharing()
        await commands.show_result()

    control.listen(server.drop, show_result, server.use_access)
    await commands.show_result()
    await status.load_limits()
    await status.refresh(0)
    await server.start(config.ioc.interfaces, config.ioc.port, config.ioc.beacon_addr_list)
    works: tuple[Coroutine[Any, Any, None], ...] = (
        channels.keep_fresh(),
        groups.keep_fresh(),
        views.keep_fresh(),
        status.keep_fresh(lambda: len(server.circuits)),
        heartbeat.keep_watch(),
        _write_notes(control),
        _end_handovers(control, f"{prefix}Shard:Leaving"),
        watch.keep_watch(),
    )
    tasks = [asyncio.create_task(work) for work in works]
    stopped = asyncio.create_task(_wait(stop))
    await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, stopped):
        task.cancel()
    outcomes = await asyncio.gather(*tasks, stopped, return_exceptions=True)
    await control.finish()
    await status.stopping()
    await asyncio.sleep(STOP_NOTICE_S)
    await server.stop()
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()


async def _write_notes(control: Control) -> None:
    while True:
        await asyncio.sleep(NOTES_PERIOD_S)
        await control.write_notes()


async def _end_handovers(control: Control, pv: str) -> None:
    while True:
        await asyncio.sleep(HANDOVER_POLL_S)
        await control.end_handovers(pv)


def _back_up(copy: Callable[[Path, Path], Path | None], directories: Directories) -> None:
    """Copy the registry. An archiver without a copy is better than none."""
    try:
        copy(directories.registry, directories.backups)
    except RegistryError as error:
        log.warning("no_backup", error=str(error))


def _follow_file(path: Path, registry: Registry, rows: ChannelRows, floor: int) -> None:
    """Apply the file, unless it is the one that was applied last, and bring the table up to date. floor: as for `apply_declared`."""
    begun = time.monotonic()
    content = read_config(path)
    known = registry.content.fingerprint == fingerprint_of(content, registry.content.shard)
    declaration = None if known else _declared(path, len(content))
    change = apply_declared(registry, rows, declaration, floor)
    rows.synchronise(registry.channels.values(), registry.revision)
    log.info(
        "channels_ready",
        channels=len(registry.channels),
        added=len(change.added),
        changed=len(change.changed),
        removed=len(change.removed),
        file_read=declaration is not None,
        seconds=round(time.monotonic() - begun, 3),
    )


def _declared(path: Path, size: int) -> Declaration:
    """What a file of so many bytes declares. Raises ConfigError."""
    if size >= APART_BYTES:
        with contextlib.suppress(CommandRefused):  # then the fault, with its place, is found below
            return asyncio.run(read_declaration(path))
    return load_declaration(path)


def run(config: Config) -> None:
    """Bring registry and channel table up to date with the configuration, then serve. Raises ArchiocError.

    config: without the blocks that declare channels; these are read only when the file is not the one that was applied last.
    """
    directories = Directories(config.archiver.state_dir)
    table = ChannelTable(directories.run)
    table.open()
    _back_up(back_up_earlier_version, directories)
    registry = Registry(directories.registry, config.own_shard)
    _back_up(back_up, directories)  # only now it has been found healthy
    rows = ChannelRows(table, registry.channels.values(), registry.removed_rows, registry.groups)
    rows.beat(ProcessState.STARTING, 0)
    _follow_file(config.path, registry, rows, int(table.settings.head["revision"][0]))
    keep_collections_short()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        asyncio.run(serve(config, table, registry, rows))
    finally:
        registry.close()
        table.settings.head["state"][0] = ProcessState.STOPPED


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 after a stop, 1 when the control process cannot go on, 2 for a bad configuration."""
    parser = argparse.ArgumentParser(prog="python -m archioc.ioc", description="The control process of ArchIOC.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--parent", type=int, default=0, help="process id of the supervisor; the control process ends with it")
    options = parser.parse_args(arguments)
    try:
        config = load_blocks(options.config)
        configure_log("ioc", config.log.level.value, config.log.format.value)
        stop_with_parent(options.parent)
        run(config)
    except ArchiocError as error:
        sys.stderr.write(f"ioc: {error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
