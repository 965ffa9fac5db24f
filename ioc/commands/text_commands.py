"""The commands `Add`, `Remove` and `Set`: from lines of text to one change of the registry.

All or nothing: every line is checked before anything is applied. Long commands give way to the event
loop between slices.
"""

from __future__ import annotations

import asyncio
import dataclasses
import fnmatch
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from archioc.core.channel import given, read_setting
from archioc.core.channel_name import split_command_line
from archioc.core.errors import ArchiocError, ChannelNameError, CommandRefused, SettingError, TableFull, UnknownChannel
from archioc.core.ownership import owner_of
from archioc.ioc.registry.archived import ArchivedChannel, declare
from archioc.ioc.registry.change import Change, missing_groups
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry
from archioc.ioc.results import ResultCode, code_of

SLICE_LINES = 100
SLICE_NAMES = 10_000
"""Work done between two looks at the event loop; each takes a few milliseconds."""

NOTHING_CHANGED = "nothing was changed"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a command, read. number: from 1, as the person who wrote it counts."""

    number: int
    name: str
    changes: dict[str, str]


async def plan_add(text: str, registry: Registry, rows: ChannelRows) -> Change:
    """Channels to add, a line each; policies and groups give what a line does not. Raises CommandRefused."""
    wanted: dict[str, tuple[int, ArchivedChannel]] = {}
    async for line in _read_lines(text):
        if line.name in registry.channels:
            raise line_refused(line.number, ResultCode.EXISTS, f"{line.name}: is archived already")
        refuse_foreign(line.number, line.name, registry)
        if line.name in wanted:
            raise line_refused(line.number, ResultCode.EXISTS, f"{line.name}: stands in line {wanted[line.name][0]} too")
        try:
            wanted[line.name] = line.number, _new_channel(line, registry)
        except SettingError as error:
            raise line_refused(line.number, ResultCode.BAD_SETTING, f"{line.name}: {error}") from None
    try:
        places = rows.pick(len(wanted))
    except TableFull as error:
        raise CommandRefused(ResultCode.TABLE_FULL, f"{error}; {NOTHING_CHANGED}") from None
    added = tuple(
        dataclasses.replace(channel, row=row, generation=generation)
        for (_, channel), (row, generation) in zip(wanted.values(), places, strict=True)
    )
    return _with_groups(Change(added=added), (channel.settings.group for channel in added), registry)


def refuse_foreign(number: int, name: str, registry: Registry) -> None:
    """Raise CommandRefused where a channel that is to come belongs to another shard."""
    shard = registry.content.shard
    owner = owner_of(name, shard.count)
    if owner != shard.index:
        raise line_refused(number, ResultCode.FOREIGN, f"{name}: belongs to {shard.describe(owner)}")


def _new_channel(line: Line, registry: Registry) -> ArchivedChannel:
    """A channel without a place. What its line gives is its own entry. Raises SettingError."""
    group = str(read_setting("group", line.changes.get("group", "")))
    own = given({name: value for name, value in line.changes.items() if name != "group"})
    settings = declare(line.name, own, group, group, registry.layers)
    return ArchivedChannel(line.name, 0, 0, settings, settings, own=own)


def _with_groups(change: Change, names: Iterable[str], registry: Registry) -> Change:
    """The change with those groups of these names that there are none of. Raises CommandRefused."""
    try:
        groups = missing_groups(names, registry.groups)
    except TableFull as error:
        raise CommandRefused(ResultCode.TABLE_FULL, f"{error}; {NOTHING_CHANGED}") from None
    return dataclasses.replace(change, groups=groups)


async def plan_remove(text: str, registry: Registry) -> Change:
    """Channels to remove, a name or glob with `confirm=N` a line. Raises CommandRefused."""
    removed: dict[str, ArchivedChannel] = {}
    async for line in _read_lines(text):
        for setting in line.changes.keys() - {"confirm"}:
            raise line_refused(line.number, ResultCode.SYNTAX, f"{line.name}: {setting}={line.changes[setting]}: Remove takes no settings")
        meant = await _meant(line, registry)
        for begin in range(0, len(meant), SLICE_NAMES):
            removed.update((channel.name, channel) for channel in meant[begin : begin + SLICE_NAMES])
            await asyncio.sleep(0)
    return Change(removed=tuple(removed.values()))


async def plan_set(text: str, registry: Registry) -> Change:
    """Settings to change, a name or glob with settings and `confirm=N` a line. Raises CommandRefused."""
    changed: dict[str, ArchivedChannel] = {}
    groups: list[str] = []
    async for line in _read_lines(text):
        changes: dict[str, object] = {name: value for name, value in line.changes.items() if name != "confirm"}
        if not changes:
            raise line_refused(line.number, ResultCode.SYNTAX, f"{line.name}: names no setting; write setting=value")
        groups.append(line.changes.get("group", ""))
        for count, channel in enumerate(await _meant(line, registry)):
            if count % SLICE_LINES == 0:
                await asyncio.sleep(0)
            try:
                changed[channel.name] = changed.get(channel.name, channel).with_changes(changes, registry.layers)
            except SettingError as error:
                raise line_refused(line.number, ResultCode.BAD_SETTING, f"{channel.name}: {error}") from None
    return _with_groups(Change(changed=tuple(changed.values())), groups, registry)


def plan_setting(name: str, setting: str, value: object, registry: Registry) -> Change:
    """One setting of one channel, by any name that stands for it. Raises CommandRefused."""
    channel = registry.content.find(name)
    if channel is None:
        raise refusal(UnknownChannel(name))
    try:
        change = Change(changed=(channel.with_changes({setting: value}, registry.layers),))
    except SettingError as error:
        raise CommandRefused(ResultCode.BAD_SETTING, f"{name}: {error}; {NOTHING_CHANGED}") from None
    return _with_groups(change, (str(value),) if setting == "group" else (), registry)


def plan_group(name: str, setting: str, value: object, registry: Registry) -> Change:
    """One setting (GROUP_SETTINGS) of one group. Raises CommandRefused."""
    group = registry.groups.get(name)
    if group is None:
        raise CommandRefused(ResultCode.UNKNOWN_CHANNEL, f"{name}: no such group in this archive; {NOTHING_CHANGED}")
    try:
        return Change(groups=(group.with_change(setting, value),))
    except SettingError as error:
        raise CommandRefused(ResultCode.BAD_SETTING, f"group {name}: {error}; {NOTHING_CHANGED}") from None


async def numbered_lines(text: str) -> AsyncIterator[tuple[int, str]]:
    """The lines that say something, with their numbers, giving way to the event loop. Raises CommandRefused when there is none."""
    found = 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        found += 1
        if found % SLICE_LINES == 0:
            await asyncio.sleep(0)
        yield number, line
    if not found:
        raise CommandRefused(ResultCode.SYNTAX, f"the command holds no line; {NOTHING_CHANGED}")


async def _read_lines(text: str) -> AsyncIterator[Line]:
    async for number, line in numbered_lines(text):
        try:
            yield Line(number, *split_command_line(line))
        except ChannelNameError as error:
            raise line_refused(number, ResultCode.BAD_SETTING, str(error)) from None
        except SettingError as error:
            raise line_refused(number, ResultCode.SYNTAX, str(error)) from None


async def _meant(line: Line, registry: Registry) -> list[ArchivedChannel]:
    """The channels that a name or a glob means, confirmed where they are more than one."""
    channels = await _matching(line, registry)
    confirm = line.changes.get("confirm")
    if confirm is None and len(channels) > 1:
        advice = f"means {len(channels)} channels, repeat it with confirm={len(channels)}"
        raise line_refused(line.number, ResultCode.CONFIRM, f"{line.name}: {advice}")
    if confirm is not None and confirm != str(len(channels)):
        raise line_refused(line.number, ResultCode.CONFIRM, f"{line.name}: confirm={confirm}, but it means {len(channels)} channels")
    return channels


async def _matching(line: Line, registry: Registry) -> list[ArchivedChannel]:
    exact = registry.channels.get(line.name)
    if exact is not None:
        return [exact]
    if not any(character in line.name for character in "*?["):
        raise line_refused(line.number, ResultCode.UNKNOWN_CHANNEL, unknown(line.name, registry))
    matches = re.compile(fnmatch.translate(line.name)).match
    found = []
    for count, (name, channel) in enumerate(registry.channels.items()):
        if count % SLICE_NAMES == SLICE_NAMES - 1:
            await asyncio.sleep(0)
        if matches(name):
            found.append(channel)
    if not found:
        raise line_refused(line.number, ResultCode.UNKNOWN_CHANNEL, f"{line.name}: no channel in this archive has such a name")
    return found


def unknown(name: str, registry: Registry) -> str:
    """Why there is no channel of this name, for people."""
    current = registry.aliases.current(name)
    return f"{name}: is called {current} now" if current != name else str(UnknownChannel(name))


def line_refused(line: int, code: ResultCode, why: str) -> CommandRefused:
    """The refusal of a command because of one line."""
    return CommandRefused(code, f"line {line}: {why}; {NOTHING_CHANGED}")


def refusal(error: ArchiocError) -> CommandRefused:
    """Any error as the refusal of a put that changed nothing."""
    return error if isinstance(error, CommandRefused) else CommandRefused(code_of(error), f"{error}; {NOTHING_CHANGED}")
