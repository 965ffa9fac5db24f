"""The channels that a configuration declares, each with its settings and where every setting comes from."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from archioc.core.channel import SETTING_NAMES, ChannelSettings
from archioc.core.config_channels import FILE_SETTINGS, compile_match
from archioc.core.config_yaml import key_path
from archioc.core.errors import SettingError

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Mapping

    from archioc.core.config import Config
    from archioc.core.config_channels import ChannelEntry
    from archioc.core.config_yaml import Loc


@dataclass(frozen=True, slots=True)
class DeclaredChannel:
    """A channel as the file declares it.

    sources: setting -> `own`, `group NAME`, `policy MATCH` or `default`.
    """

    name: str
    settings: ChannelSettings
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DeclarationFault:
    """A declaration that breaks a rule which only shows when everything is put together."""

    loc: Loc
    message: str


def declared_channels(config: Config) -> tuple[DeclaredChannel, ...]:
    """All channels of a configuration: those of the groups first, then the others, as the file orders them.

    Each setting comes from the channel's own entry, its group, the first policy that matches its name, or the defaults.
    The configuration comes from `archioc.core.config_file`, which has refused what cannot be resolved.
    """
    return tuple(found for found in _Resolver(config).resolve() if isinstance(found, DeclaredChannel))


def declaration_faults(config: Config) -> Iterator[DeclarationFault]:
    """Channels declared twice, and settings that do not go together once group and policy are applied."""
    return (found for found in _Resolver(config).resolve() if isinstance(found, DeclarationFault))


@dataclass(frozen=True, slots=True)
class _Layer:
    """Settings given in one place, and how that place is called."""

    given: dict[str, object]
    source: str
    loc: Loc


@dataclass(frozen=True, slots=True)
class _Resolved:
    settings: ChannelSettings
    sources: Mapping[str, str]


class _Resolver:
    """One pass over a configuration. Channels with equal settings share one object."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._policies: list[tuple[re.Pattern[str], _Layer]] = [
            (compile_match(policy.match), _Layer(policy.given(), f"policy {policy.match}", ("policies", index)))
            for index, policy in enumerate(config.policies)
        ]
        self._seen: dict[str, Loc] = {}
        self._resolved: dict[tuple[object, ...], _Resolved | DeclarationFault] = {}

    def resolve(self) -> Iterator[DeclaredChannel | DeclarationFault]:
        for name, group in self._config.groups.items():
            layer = _Layer(group.settings.given(), f"group {name}", ("groups", name, "settings"))
            for index, entry in enumerate(group.channels):
                yield self._channel(entry, ("groups", name, "channels", index), name, layer)
        for index, entry in enumerate(self._config.channels):
            yield self._channel(entry, ("channels", index), "", None)

    def _channel(self, entry: ChannelEntry, loc: Loc, group: str, group_layer: _Layer | None) -> DeclaredChannel | DeclarationFault:
        first = self._seen.setdefault(entry.pv, loc)
        if first is not loc:
            return DeclarationFault((*loc, "pv"), f"{entry.pv}: this channel is already declared at {key_path(first)}")
        layers = [_Layer(entry.given(), "own", loc)]
        if group_layer is not None:
            layers.append(group_layer)
        policy = self._policy_for(entry.pv, layers)
        if policy is not None:
            layers.append(policy)
        key = (*layers[0].given.items(), group, policy.loc if policy else None)
        found = self._resolved.get(key)
        if found is None:
            found = self._resolved[key] = _combine(layers, entry.pv, group)
        if isinstance(found, DeclarationFault):
            return found
        return DeclaredChannel(entry.pv, found.settings, found.sources)

    def _policy_for(self, name: str, layers: list[_Layer]) -> _Layer | None:
        if len({setting for layer in layers for setting in layer.given}) == len(FILE_SETTINGS):
            return None
        return next((layer for pattern, layer in self._policies if pattern.search(name)), None)


def _combine(layers: list[_Layer], channel: str, group: str) -> _Resolved | DeclarationFault:
    changes: dict[str, object] = {"group": group}
    sources = dict.fromkeys(SETTING_NAMES, "default")
    if group:
        sources["group"] = f"group {group}"
    for layer in reversed(layers):
        changes.update(layer.given)
        sources.update(dict.fromkeys(layer.given, layer.source))
    try:
        return _Resolved(ChannelSettings().with_changes(changes), MappingProxyType(sources))
    except SettingError as error:
        # The most specific place that has a part in it is the one to correct.
        place, setting = next((layer, name) for layer in layers for name in ("rate", "mode") if name in layer.given)
        return DeclarationFault((*place.loc, setting), f"{error.rule} (channel {channel})")
