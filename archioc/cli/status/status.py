"""`archioc status`: how the archiver does, from its run directory."""

from __future__ import annotations

import fnmatch
import math
import sys
import time
from dataclasses import asdict
from pathlib import Path

import orjson
from rich.markup import escape
from rich.table import Table

from archioc.cli.output.terminal import TerminalConsole
from archioc.core.channel import Mode
from archioc.core.config.config import Config
from archioc.core.config.file import load_config
from archioc.core.dbr import severity_name
from archioc.core.directories import Directories, is_locked
from archioc.core.errors import UnknownChannel
from archioc.core.overview import ChannelOverview, Overview, RunningArchiver
from archioc.core.timestamp import format_span

PIPED_WIDTH = 500
"""Where the output is no terminal a line is never folded: other programs read it."""


def show_status(path: Path, pattern: str | None, form: str) -> None:
    """Write the status of the archiver with this configuration. Raises ConfigError, RunDirError, RegistryError."""
    config = load_config(path)
    directories = Directories(config.archiver.state_dir)
    archiver = RunningArchiver(directories)
    try:
        running, overview = is_locked(directories), archiver.overview()
        channels = archiver.channels() if pattern is not None or form == "json" else []
    finally:
        archiver.close()
    if pattern is not None:
        channels = [one for one in channels if fnmatch.fnmatchcase(one.name, pattern)]
        if not channels:
            raise UnknownChannel(pattern)
    if form == "json":
        sys.stdout.write(orjson.dumps(_document(config, running, overview, channels), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        console = TerminalConsole(highlight=False, emoji=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
        _show_overview(console, config, running, overview)
        if pattern is not None:
            _show_channels(console, channels)


def _document(config: Config, running: bool, overview: Overview, channels: list[ChannelOverview]) -> dict[str, object]:
    return {
        "name": config.archiver.name,
        "prefix": config.archiver.prefix,
        "running": running,
        "processes": [asdict(process) for process in overview.processes],
        "channel_counts": {"total": overview.channels, "connected": overview.connected, "enabled": overview.enabled},
        "event_rate": overview.event_rate,
        "sample_rate": overview.sample_rate,
        "store": {"state": overview.store_state, "error": overview.store_error},
        "spool": {"files": overview.spool_files, "bytes": overview.spool_bytes, "error": overview.spool_error},
        "groups": [asdict(group) for group in overview.groups],
        "conservation": {**overview.conservation.as_dict(), "unaccounted": overview.conservation.unaccounted},
        "channels": [_channel_document(one) for one in channels],
    }


def _channel_document(channel: ChannelOverview) -> dict[str, object]:
    document = asdict(channel)
    del document["conservation"]
    return {**document, "mode": Mode(channel.mode).name.lower(), **channel.conservation.as_dict()}


def _show_overview(console: TerminalConsole, config: Config, running: bool, overview: Overview) -> None:
    counts = overview.conservation
    state = "[green]running[/]" if running else "[yellow]stopped[/] (figures of its last run)"
    console.print(f"[bold]{config.archiver.name}[/] ({config.archiver.prefix}) is {state}")
    if running:
        told = (f"{one.name} {one.state}" + (f" (restarted {one.restarts} times)" if one.restarts else "") for one in overview.processes)
        console.print(f"  processes     {', '.join(told)}")
    console.print(f"  channels      {overview.channels}: {overview.connected} connected, {overview.enabled} enabled")
    console.print(f"  rates         {overview.event_rate:.1f} updates/s in, {overview.sample_rate:.1f} samples/s out")
    for group in overview.groups:
        if not group.on:
            console.print(f"  groups off    {group.reason.removeprefix('group ')}", markup=False)
    error = f": {overview.store_error}" if overview.store_error else ""
    console.print(f"  store         {overview.store_state}{error}", markup=False)
    spool_error = f", cannot be written: {overview.spool_error}" if overview.spool_error else ""
    console.print(f"  spool         {overview.spool_files} files, {overview.spool_bytes} bytes{spool_error}", markup=False)
    console.print(f"  in            {counts.received} received + {counts.generated} generated")
    console.print(
        f"  became        {counts.stored} stored + {counts.filtered} filtered + {counts.pending} pending"
        f" + {counts.rejected} rejected + {counts.dropped} dropped"
    )
    if not running and counts.unaccounted:
        console.print(f"  [red]unaccounted   {counts.unaccounted}[/]")


_NUMBERS = ("value", "age", "rate", "received", "stored", "dropped")


def _show_channels(console: TerminalConsole, channels: list[ChannelOverview]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("channel", "state", "severity", "mode", *_NUMBERS):
        table.add_column(column, no_wrap=True, justify="right" if column in _NUMBERS else "left")
    now = time.time_ns()
    for one in channels:
        value = one.text or ("" if math.isnan(one.value) else f"{one.value:.6g}")
        age = format_span(max(0, now - one.time_ns) / 1e9) if one.time_ns else ""
        counts = one.conservation
        state = one.state if one.state == "archiving" else f"{one.state} ({one.reason})"
        severity = severity_name(one.severity) if one.time_ns else ""
        rate = f"{one.rate:g} Hz" if one.rate else "-"
        numbers = (escape(value), age, rate, str(counts.received), str(counts.stored), str(counts.dropped))
        table.add_row(escape(one.name), escape(state), severity, Mode(one.mode).name.lower(), *numbers)
    console.print(table)
