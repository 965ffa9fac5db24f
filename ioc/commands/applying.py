"""The command `Apply`: the configuration file is read again and followed, or it is told what that would change."""

from __future__ import annotations

import asyncio
from enum import IntEnum
from pathlib import Path

from archioc.core.errors import CommandRefused
from archioc.core.shard import Shard
from archioc.ioc.commands.apply_to_table import free_slowly
from archioc.ioc.commands.config_subprocess import read_declaration
from archioc.ioc.commands.declaring import PickColumns, Places, pick_nothing, plan_declared
from archioc.ioc.commands.differences import differences, summary
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.content import Content
from archioc.ioc.registry.table_rows import in_pairs
from archioc.ioc.registry.writer import Registry
from archioc.ioc.results import ResultCode

TOLD_BYTES = 900
"""Room for single differences in `Result`."""


class Apply(IntEnum):
    """What is put to `Apply`. With prune, channels that the file does not name go, also those that operators added."""

    APPLY = 1
    DRY_RUN = 2
    PRUNE = 3
    DRY_PRUNE = 4

    @property
    def is_dry(self) -> bool:
        """Whether nothing is to be changed."""
        return self in {Apply.DRY_RUN, Apply.DRY_PRUNE}

    @property
    def prunes(self) -> bool:
        """Whether channels go that the file does not name."""
        return self in {Apply.PRUNE, Apply.DRY_PRUNE}


async def plan_apply(how: Apply, path: Path, registry: Registry, pick: PickColumns) -> Change:
    """The change that makes the registry follow the file, planned in a thread. Raises CommandRefused or TableFull.

    pick: called in the event loop.
    """
    declaration = await read_declaration(path)
    _refuse_another_shard(declaration.shard, registry.content.shard)
    loop = asyncio.get_running_loop()

    def pick_there(count: int) -> Places:
        return in_pairs(asyncio.run_coroutine_threadsafe(pick(count), loop).result())

    places = pick_nothing if how.is_dry else pick_there
    change = await asyncio.to_thread(plan_declared, registry.content, declaration, places, prune=how.prunes)
    channels: list[object] = list(declaration.channels)
    del declaration
    await free_slowly(channels)
    return change


def _refuse_another_shard(wanted: Shard, ours: Shard) -> None:
    """Raise CommandRefused unless the file is for this shard: name, prefix and directories go with its number."""
    if (wanted.index, wanted.prefix) != (ours.index, ours.prefix):
        rule = "its number and its prefix change with a restart; nothing was changed"
        shards = f"the file is for {wanted.describe(wanted.index)}, this is {ours.describe(ours.index)}"
        raise CommandRefused(ResultCode.BAD_FILE, f"{shards}: {rule}")


def applied(how: Apply, change: Change, before: Content) -> str:
    """What `Result` says. Takes long for many channels."""
    counted = summary(change, before)
    if not how.is_dry:
        return f"applied: {counted or 'nothing changes'}"
    if not counted:
        return "dry run: nothing would change"
    lines = [f"dry run: would have {counted}"]
    room = TOLD_BYTES
    for line in differences(change, before):
        room -= len(line.encode()) + 1
        if room < 0:
            lines.append("...")
            break
        lines.append(line)
    return "\n".join(lines)
