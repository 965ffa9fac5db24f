"""What a configuration declares of channels, groups and policies."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

from archioc.core.channel import Given, given
from archioc.core.config.setting_precedence import DeclaredGroup, DeclaredPolicy, SettingPrecedence
from archioc.core.config.yaml_positions import key_path
from archioc.core.errors import SettingError
from archioc.core.shard import ALONE, Shard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archioc.core.config.channels import ChannelEntry
    from archioc.core.config.config import Config
    from archioc.core.config.yaml_positions import Loc


@dataclass(frozen=True, slots=True)
class DeclaredChannel:
    """A channel as the file declares it. given: the settings of its own entry."""

    name: str
    group: str = ""
    given: Given = ()


@dataclass(frozen=True, slots=True)
class Declaration:
    """All that a file declares.

    channels: those of the groups first, then the others, as the file orders them.
    fingerprint: tells this text, read by this version of ArchIOC, from others; empty: not known.
    shard: which of the channels are for this archiver; the others are among `channels` too.
    """

    policies: tuple[DeclaredPolicy, ...] = ()
    groups: tuple[DeclaredGroup, ...] = ()
    channels: tuple[DeclaredChannel, ...] = ()
    fingerprint: str = ""
    shard: Shard = ALONE

    def layers(self) -> SettingPrecedence:
        """What gives settings besides the channels' own entries."""
        return SettingPrecedence(self.policies, {group.name: group.given for group in self.groups})


@dataclass(frozen=True, slots=True)
class DeclarationFault:
    """A declaration that breaks a rule which only shows when everything is put together."""

    loc: Loc
    message: str


def fingerprint_of(text: bytes, shard: Shard) -> str:
    """What tells this content of a file, read by this version of ArchIOC for this shard, from others."""
    about = f"{version('archioc')}\0{shard.index} {shard.count} {shard.handover_s}\0"
    return hashlib.sha256(about.encode() + text).hexdigest()


def declaration_of(config: Config, fingerprint: str = "") -> Declaration:
    """What a configuration declares; it comes from `archioc.core.config.file`, which has refused what cannot be resolved."""
    return Declaration(
        policies=tuple(DeclaredPolicy(policy.match, given(policy.given())) for policy in config.policies),
        groups=tuple(
            DeclaredGroup(name, group.enable, group.condition, group.description, given(group.settings.given()))
            for name, group in config.groups.items()
        ),
        channels=tuple(DeclaredChannel(entry.pv, group, given(entry.given())) for entry, group, _ in _entries(config)),
        fingerprint=fingerprint,
        shard=config.own_shard,
    )


def declaration_faults(config: Config) -> Iterator[DeclarationFault]:
    """Channels declared twice, and settings that do not go together once group and policy are applied."""
    return _Check(config, declaration_of(config).layers()).faults()


def _entries(config: Config) -> Iterator[tuple[ChannelEntry, str, Loc]]:
    """Every channel of the file with its group and its place."""
    for name, group in config.groups.items():
        for index, entry in enumerate(group.channels):
            yield entry, name, ("groups", name, "channels", index)
    for index, entry in enumerate(config.channels):
        yield entry, "", ("channels", index)


@dataclass(frozen=True, slots=True)
class _Check:
    """One pass over the channels of a file."""

    config: Config
    layers: SettingPrecedence
    seen: dict[str, Loc] = field(default_factory=dict)

    def faults(self) -> Iterator[DeclarationFault]:
        for entry, group, loc in _entries(self.config):
            first = self.seen.setdefault(entry.pv, loc)
            if first is not loc:
                yield DeclarationFault((*loc, "pv"), f"{entry.pv}: this channel is already declared at {key_path(first)}")
                continue
            own = given(entry.given())
            try:
                self.layers.settings(entry.pv, own, group)
            except SettingError as error:
                yield DeclarationFault(self._place(entry.pv, own, group, loc), f"{error.rule} (channel {entry.pv})")

    def _place(self, name: str, own: Given, group: str, loc: Loc) -> Loc:
        """The most specific place that has a part in mode and rate; that is the one to correct."""
        policy = self.layers.policy_of(name)
        for layer in self.layers.of(name, own, group):
            kind = layer.source.partition(" ")[0]
            place = {"own": loc, "group": ("groups", group, "settings"), "policy": ("policies", policy)}[kind]
            for setting in ("rate", "mode"):
                if any(setting == found for found, _ in layer.given):
                    return (*place, setting)
        return loc
