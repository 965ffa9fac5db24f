"""The control process: `python -m archioc.ioc CONFIG --parent PID`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from archioc.core.config.config import Config
from archioc.core.config.declared_channels import Declaration, fingerprint_of
from archioc.core.config.file import load_declaration, read_config
from archioc.core.directories import Directories
from archioc.core.errors import CommandRefused, RegistryError
from archioc.core.process import StopSignal, run_process
from archioc.core.table.table import ChannelTable, ProcessState
from archioc.ioc.commands.config_subprocess import read_declaration
from archioc.ioc.commands.declaring import apply_declared
from archioc.ioc.control_process import ControlProcess
from archioc.ioc.garbage import keep_collections_short
from archioc.ioc.registry.backup import back_up, back_up_earlier_version
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry

SWITCH_INTERVAL_S = 0.0001
"""How long the event loop and a worker thread (a commit, the plan of a large change) wait for each other.

A commit takes the interpreter some fifty times: at 0.5 ms for each, a put beside a busy loop took 60 ms.
"""

APART_BYTES = 500_000
"""A file as long as this is read by another process: what reading takes, 1 kB a channel, this one would keep."""

log = structlog.get_logger()


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


def _work(config: Config, stop: StopSignal) -> int:
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
    rows.write_heartbeat(ProcessState.STARTING, 0)
    _follow_file(config.path, registry, rows, int(table.settings.head["revision"][0]))
    keep_collections_short()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        if not stop:
            asyncio.run(ControlProcess(config, table, registry, rows).run())
    finally:
        registry.close()
        table.settings.head["state"][0] = ProcessState.STOPPED
    return 0


def main() -> int:
    """Exit code 0 after a stop, 1 when the control process cannot go on, 2 for a bad configuration."""
    return run_process("archioc.ioc", "ioc", _work)


if __name__ == "__main__":
    sys.exit(main())
