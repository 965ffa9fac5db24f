"""The command `ImportFile`: channels from files in the directory `import` of the state directory, all of them or none."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass
from pathlib import Path

from archioc.core.config.declared_channels import Declaration
from archioc.core.errors import CommandRefused, SettingError
from archioc.importing.formats import ImportFormat
from archioc.importing.gathering import Imported
from archioc.ioc.commands.apply_to_table import free_slowly
from archioc.ioc.commands.config_subprocess import read_imported
from archioc.ioc.commands.declaring import PickColumns, PickPlaces, Places, own_channels
from archioc.ioc.registry.archived import ArchivedChannel, declare
from archioc.ioc.registry.archived_group import GROUP_SETTINGS, ArchivedGroup
from archioc.ioc.registry.change import Change, missing_groups
from archioc.ioc.registry.content import Content
from archioc.ioc.registry.table_rows import in_pairs
from archioc.ioc.registry.writer import Registry
from archioc.ioc.results import ResultCode

TOLD_BYTES = 900
"""Room for remarks in `Result`."""


@dataclass(frozen=True, slots=True)
class Import:
    """What is going to be imported.

    known: how many of the channels are archived already; they stay as they are.
    foreign: how many belong to other shards, which take them from the same files.
    remarks: what could not be mapped, a sentence each.
    """

    change: Change
    known: int
    remarks: tuple[str, ...]
    foreign: int = 0

    @property
    def left_to_others(self) -> str:
        """How many channels of the files belong to other shards, in words; empty for none."""
        return f", {self.foreign} of other shards left to them" if self.foreign else ""

    def __str__(self) -> str:
        """What `Result` says."""
        added = len(self.change.added)
        known = f", {self.known} archived already" if self.known else ""
        lines = [f"imported {added} channel{'s' if added != 1 else ''}{known}{self.left_to_others}"]
        room = TOLD_BYTES
        for remark in self.remarks:
            room -= len(remark.encode()) + 1
            lines.append(f"not mapped: {remark}" if room >= 0 else "...")
            if room < 0:
                break
        return "\n".join(lines)


def requested_files(text: str, directory: Path) -> list[tuple[Path, ImportFormat]]:
    """The files that the lines of the command name: `PATH [format=FORMAT]`. Raises CommandRefused.

    A path is relative to `directory` and must lead to a file in it, also where it is a link: a client of the control PVs
    must not have the archiver open what it likes.
    """
    files = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if line and not line.startswith("#"):
            files.append(_wanted(line, number, directory))
    if not files:
        raise CommandRefused(ResultCode.SYNTAX, "the command holds no line; nothing was changed")
    return files


def _wanted(line: str, number: int, directory: Path) -> tuple[Path, ImportFormat]:
    try:
        name, *options = shlex.split(line)
        form = ImportFormat(options[0].removeprefix("format=").lower()) if options else ImportFormat.AUTO
    except ValueError:
        name, options, form = "", [], ImportFormat.AUTO
    if not name or len(options) > 1 or (options and not options[0].startswith("format=")):
        rule = f"must be PATH [format={'|'.join(ImportFormat)}]"
        raise CommandRefused(ResultCode.SYNTAX, f"line {number}: {line[:100]}: {rule}; nothing was changed")
    try:
        path = (directory / name).resolve(strict=True)
        allowed = path.is_file() and path.is_relative_to(directory.resolve(strict=True))
    except (OSError, RuntimeError, ValueError):  # not there, links in a circle, a NUL in the name
        allowed = False
    if not allowed:
        rule = f"must be a file in {directory}"
        raise CommandRefused(ResultCode.BAD_FILE, f"line {number}: {name[:100]}: {rule}; nothing was changed")
    return path, form


def plan_imported(content: Content, imported: Imported, pick: PickPlaces) -> Import:
    """Channels and groups that the archive has under no name yet; the others stay as they are. Raises CommandRefused or TableFull.

    Channels of other shards are left out.
    """
    declaration, remarks = imported.declaration, list(imported.remarks)
    unknown = [channel for channel in declaration.channels if content.find(channel.name) is None]
    new = own_channels(content.shard, unknown)
    made = []
    for channel in new:
        try:
            settings = declare(channel.name, channel.given, channel.group, channel.group, content.layers)
        except SettingError as error:
            raise CommandRefused(ResultCode.BAD_SETTING, f"{channel.name}: {error}; nothing was changed") from None
        made.append((channel.name, settings, channel.given))
    groups = _groups(content, declaration, [channel.group for channel in new], remarks)
    added = tuple(
        ArchivedChannel(name, row, generation, settings, settings, own=own)
        for (name, settings, own), (row, generation) in zip(made, pick(len(made)), strict=True)
    )
    known = len(declaration.channels) - len(unknown)
    return Import(Change(added=added, groups=groups), known, tuple(remarks), len(unknown) - len(new))


def _groups(content: Content, declaration: Declaration, used: list[str], remarks: list[str]) -> tuple[ArchivedGroup, ...]:
    """The groups of new channels that are new. What their file says of them counts as an operator's put, so that `Apply` keeps it."""
    wanted = {group.name: group for group in declaration.groups}
    made = []
    for group in missing_groups(used, content.groups):
        new = group
        if group.name in wanted:
            for setting in GROUP_SETTINGS:
                new = new.with_change(setting, getattr(wanted[group.name], setting))
        made.append(new)
    for name in dict.fromkeys(used):
        before, given = content.groups.get(name), wanted.get(name)
        if before and given and (before.enable, before.condition) != (given.enable, given.condition):
            remarks.append(f"group {name}: is in the archive already and stays as it is")
    return tuple(made)


async def plan_import(text: str, directory: Path, registry: Registry, pick: PickColumns) -> Import:
    """The import that the lines of the command ask for: read by another process, planned in a thread.

    pick: called in the event loop. Raises CommandRefused or TableFull.
    """
    imported = await read_imported(requested_files(text, directory))
    loop = asyncio.get_running_loop()

    def pick_there(count: int) -> Places:
        return in_pairs(asyncio.run_coroutine_threadsafe(pick(count), loop).result())

    planned = await asyncio.to_thread(plan_imported, registry.content, imported, pick_there)
    channels: list[object] = list(imported.declaration.channels)
    del imported
    await free_slowly(channels)
    return planned
