"""A committed change becomes known: in memory and in the channel table, in slices between which the event loop runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from archioc.ioc.registry.archived import ArchivedChannel
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry

SLICE_CHANNELS = 100
"""Channels brought into memory and table at once (some 10 us each)."""

FREED_AT_ONCE = 1000


async def apply_change(registry: Registry, rows: ChannelRows, change: Change, revision: int) -> None:
    """Make a committed change known. The engine applies it as one, when it is complete."""
    registry.accept_first(change)
    for part in _parts(change):
        registry.accept_channels(part)
        rows.write_channels(part)
        await asyncio.sleep(0)
    registry.accept_rest(change, revision)
    rows.publish_revision(revision)


async def free_slowly(items: list[object]) -> None:
    """Free many objects that nobody else holds any more, in slices: all at once would stop the loop as long as making them."""
    while items:
        del items[-FREED_AT_ONCE:]
        await asyncio.sleep(0)


async def names_gone(registry: Registry, change: Change) -> set[str]:
    """Names that stand for a channel no more after a change. Those of a renamed one still do."""
    renamed = {alias.old for alias in change.renamed}
    gone: set[str] = set()
    for some in _slices(change.removed):
        for channel in some:
            if channel.name not in renamed:
                gone.add(channel.name)
                gone.update(registry.aliases.olds(channel.name))
        await asyncio.sleep(0)
    return gone


def _parts(change: Change) -> Iterator[Change]:
    for some in _slices(change.removed):
        yield Change(removed=some)
    for some in _slices(change.added):
        yield Change(added=some)
    for some in _slices(change.changed):
        yield Change(changed=some)


def _slices(channels: tuple[ArchivedChannel, ...]) -> Iterator[tuple[ArchivedChannel, ...]]:
    return (channels[begin : begin + SLICE_CHANNELS] for begin in range(0, len(channels), SLICE_CHANNELS))
