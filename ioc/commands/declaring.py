"""What a declaration (the configuration file) changes in the registry."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from archioc.core.config.declared_channels import Declaration, DeclaredChannel
from archioc.core.config.setting_precedence import DeclaredGroup, SettingPrecedence
from archioc.core.config.yaml_positions import collector_paused
from archioc.core.ownership import owners_of
from archioc.core.shard import Shard
from archioc.ioc.registry.archived import ArchivedChannel, declare
from archioc.ioc.registry.archived_group import ArchivedGroup
from archioc.ioc.registry.change import Change, free_numbers
from archioc.ioc.registry.content import Content
from archioc.ioc.registry.hand_over import HandOver
from archioc.ioc.registry.table_rows import ChannelRows, IntArray
from archioc.ioc.registry.writer import Registry

Places = list[tuple[int, int]]
PickPlaces = Callable[[int], Places]
PickColumns = Callable[[int], Coroutine[Any, Any, tuple[IntArray, IntArray]]]
"""Row and generation for so many new channels. May raise TableFull."""


def plan_declared(content: Content, declaration: Declaration, pick: PickPlaces, *, prune: bool = False) -> Change:
    """The change that makes the registry follow the file. Raises TableFull.

    Channels that were in the file and no longer are go; those that operators added stay, unless `prune`. Groups that the
    file does not name stay as long as a channel belongs to them. An entry under an earlier name means the channel that has been
    renamed (`under_earlier_names`). Channels of other shards do not come; those that are here are handed over. Takes seconds for
    100 000 channels.
    """
    layers = declaration.layers()
    known = content.channels
    meant = dict(under_earlier_names(content, declaration))
    declared = [dataclasses.replace(c, name=meant[c.name]) if c.name in meant else c for c in declaration.channels]
    names = {channel.name for channel in declared}
    parting = _Parting.among(known, declaration.shard, frozenset(meant.values()))
    added = _added(own_channels(declaration.shard, [channel for channel in declared if channel.name not in known]), layers, pick)
    kept: list[ArchivedChannel] = []
    changed: list[ArchivedChannel] = []
    for before, own, group, in_file in _followed(known.values(), declared, content, prune=prune):
        handover = parting.handover(before, in_file=in_file)
        after = before.redeclared(own, group, layers, in_file=in_file)
        if after.handover != handover:
            after = dataclasses.replace(after, handover=handover)
        kept.append(after)
        if after != before:
            changed.append(after)
    removed = tuple(c for c in known.values() if c.name not in names and (c.in_file or prune))
    used = {channel.settings.group for channel in (*added, *kept)}
    groups, removed_groups = _plan_groups(content.groups, declaration.groups, used)
    return Change(
        added,
        tuple(changed),
        removed,
        groups,
        removed_groups,
        policies=declaration.policies if declaration.policies != content.layers.policies else None,
        fingerprint=declaration.fingerprint if declaration.fingerprint != content.fingerprint else None,
        shard=declaration.shard if declaration.shard != content.shard else None,
    )


@dataclass(frozen=True, slots=True)
class _Parting:
    """Which of the channels that are here leave.

    owners: the shard of each. renamed: those that the file has under an earlier name, so that only this shard knows of them.
    """

    shard: Shard
    owners: Mapping[str, int]
    renamed: frozenset[str]
    now_ns: int

    @classmethod
    def among(cls, known: Collection[str], shard: Shard, renamed: frozenset[str]) -> _Parting:
        """To look at channels of these names."""
        names = list(known)
        return cls(shard, dict(zip(names, owners_of(names, shard.count).tolist(), strict=True)), renamed, time.time_ns())

    def handover(self, channel: ArchivedChannel, *, in_file: bool) -> HandOver | None:
        """What becomes of a channel that is here. One that is on its way to the same shard keeps the time at which it leaves."""
        owner = self.owners[channel.name]
        if owner == self.shard.index:
            return None
        before = channel.handover
        leaves = in_file and channel.name not in self.renamed
        if before and before.to == owner and before.leaves == leaves:
            return before
        return HandOver(owner, self.now_ns + round(self.shard.handover_s * 1e9) if leaves else 0)


def own_channels(shard: Shard, channels: Sequence[DeclaredChannel]) -> list[DeclaredChannel]:
    """The channels that belong to a shard."""
    owners = owners_of([channel.name for channel in channels], shard.count)
    return [channel for channel, owner in zip(channels, owners.tolist(), strict=True) if owner == shard.index]


def under_earlier_names(content: Content, declaration: Declaration) -> list[tuple[str, str]]:
    """Names in the file that channels had before they were renamed, each with the name that its channel has now.

    A file that has both names means two channels; of several earlier names of one channel, the first in the file means it.
    """
    if not len(content.aliases):
        return []
    named = {channel.name for channel in declaration.channels}
    found: dict[str, str] = {}
    for channel in declaration.channels:
        if channel.name in content.channels or channel.name not in content.aliases:
            continue
        current = content.aliases.current(channel.name)
        if current in content.channels and current not in named:
            found.setdefault(current, channel.name)
    return [(old, current) for current, old in found.items()]


def _added(new: Sequence[DeclaredChannel], layers: SettingPrecedence, pick: PickPlaces) -> tuple[ArchivedChannel, ...]:
    made = []
    for channel, (row, generation) in zip(new, pick(len(new)), strict=True):
        settings = declare(channel.name, channel.given, channel.group, channel.group, layers)
        made.append(ArchivedChannel(channel.name, row, generation, settings, settings, in_file=True, own=channel.given))
    return tuple(made)


def _followed(
    known: Iterable[ArchivedChannel], declared: Iterable[DeclaredChannel], content: Content, *, prune: bool
) -> Iterable[tuple[ArchivedChannel, tuple[tuple[str, str], ...], str, bool]]:
    """The channels that stay, each with its own settings and group, and whether the file names it."""
    names = set()
    for channel in declared:
        names.add(channel.name)
        before = content.channels.get(channel.name)
        if before is not None:
            yield before, channel.given, channel.group, True
    for before in known:
        if not prune and not before.in_file and before.name not in names:
            yield before, before.own, before.declared.group, False


def _plan_groups(
    known: dict[str, ArchivedGroup], declared: Sequence[DeclaredGroup], used: set[str]
) -> tuple[tuple[ArchivedGroup, ...], tuple[ArchivedGroup, ...]]:
    """Groups that come or change, and groups that go. A number that becomes free is not given again in the same change."""
    wanted = {group.name: group for group in declared}
    others = [name for name in used if name and name not in wanted]
    names = [*wanted, *sorted(others)]
    numbers = iter(free_numbers({group.number for group in known.values()}, sum(name not in known for name in names)))
    changed = []
    for name in names:
        before = known.get(name)
        new = wanted.get(name, DeclaredGroup(name))
        after = (before or ArchivedGroup(next(numbers), new)).redeclared(new, in_file=name in wanted)
        if after != before:
            changed.append(after)
    return tuple(changed), tuple(group for name, group in known.items() if name not in wanted and name not in used)


def apply_declared(registry: Registry, rows: ChannelRows, declaration: Declaration | None, floor: int) -> Change:
    """Bring the file into the registry, durably. Raises RegistryError or TableFull.

    declaration: None when the file is the one that was applied last. floor: revision that others may have seen already; the
    next one is above it.
    """
    rows.reserve()
    change = Change()
    if declaration is not None:
        with collector_paused():
            change = plan_declared(registry.content, declaration, rows.pick)
    if change or floor > registry.revision:
        revision = max(registry.revision, floor) + 1
        registry.commit(change, (), revision)
        registry.accept(change, revision)
    return change


def pick_nothing(count: int) -> Places:
    """Places for channels that are not going to be added: of a dry run."""
    return [(0, 0)] * count
