"""What the configuration file changes in the registry when the ioc process starts."""

from __future__ import annotations

from collections.abc import Sequence

from archioc.core.declared import DeclaredChannel
from ioc.archived import ArchivedChannel
from ioc.registry import Change, Registry
from ioc.rows import ChannelRows


def plan_declared(registry: Registry, rows: ChannelRows, declared: Sequence[DeclaredChannel]) -> Change:
    """The change that makes the registry follow the file. Raises TableFull.

    Channels that were in the file and no longer are go; those that an operator added stay.
    """
    known = registry.channels
    new = [channel for channel in declared if channel.name not in known]
    added = tuple(
        ArchivedChannel(channel.name, row, generation, channel.settings, channel.settings, in_file=True)
        for channel, (row, generation) in zip(new, rows.pick(len(new)), strict=True)
    )
    followed = ((known[channel.name], known[channel.name].redeclared(channel)) for channel in declared if channel.name in known)
    changed = tuple(after for before, after in followed if after != before)
    names = {channel.name for channel in declared}
    removed = tuple(channel for channel in known.values() if channel.in_file and channel.name not in names)
    return Change(added, changed, removed)


def apply_declared(registry: Registry, rows: ChannelRows, declared: Sequence[DeclaredChannel], floor: int) -> Change:
    """Bring the file into the registry and the channel table, durably. Raises RegistryError or TableFull.

    floor: revision that others may have seen already; the next one is above it.
    """
    rows.reserve()
    change = plan_declared(registry, rows, declared)
    if change or floor > registry.revision:
        revision = max(registry.revision, floor) + 1
        registry.commit(change, (), revision)
        registry.accept(change, revision)
    return change
