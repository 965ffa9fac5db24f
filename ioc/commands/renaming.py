"""The command `Rename`: channels get other names.

For Channel Access the new name is another channel, so it gets a row of its own; the old row is let go of as that of a removed
channel. What was collected before thus goes to the store under the name under which it was collected.
"""

from __future__ import annotations

import dataclasses
import time

from archioc.core.aliases import Alias
from archioc.core.channel_name import channel_name
from archioc.core.errors import ChannelNameError, CommandRefused, TableFull
from archioc.ioc.commands.text_commands import NOTHING_CHANGED, line_refused, numbered_lines, refuse_foreign, unknown
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry
from archioc.ioc.results import ResultCode


async def plan_rename(text: str, registry: Registry, rows: ChannelRows) -> Change:
    """Channels to rename, `OLD NEW` a line; their settings and operators' puts stay as they are. Raises CommandRefused.

    Lines are judged by the names before the command, so they cannot hand a name on to each other.
    """
    wanted: dict[str, str] = {}
    taken: dict[str, int] = {}
    async for number, line in numbered_lines(text):
        old, new = _names(number, line)
        if old in wanted:
            raise line_refused(number, ResultCode.EXISTS, f"{old}: is renamed in another line too")
        if old not in registry.channels:
            raise line_refused(number, ResultCode.UNKNOWN_CHANNEL, unknown(old, registry))
        if new in registry.channels:
            raise line_refused(number, ResultCode.EXISTS, f"{new}: is archived already")
        if new in taken:
            raise line_refused(number, ResultCode.EXISTS, f"{new}: is given in line {taken[new]} too")
        refuse_foreign(number, new, registry)
        wanted[old], taken[new] = new, number
    try:
        places = rows.pick(len(wanted))
    except TableFull as error:
        raise CommandRefused(ResultCode.TABLE_FULL, f"{error}; {NOTHING_CHANGED}") from None
    until_ns = registry.aliases.next_ns(time.time_ns())
    before = tuple(registry.channels[old] for old in wanted)
    after = tuple(
        dataclasses.replace(channel, name=wanted[channel.name], row=row, generation=generation, handover=None)
        for channel, (row, generation) in zip(before, places, strict=True)
    )
    return Change(added=after, removed=before, renamed=tuple(Alias(old, new, until_ns) for old, new in wanted.items()))


def _names(number: int, line: str) -> tuple[str, str]:
    words = line.split()
    if len(words) != 2:
        raise line_refused(number, ResultCode.SYNTAX, f"{line[:100]}: must be OLD NEW")
    try:
        return channel_name(words[0]), channel_name(words[1])
    except ChannelNameError as error:
        raise line_refused(number, ResultCode.BAD_SETTING, str(error)) from None
