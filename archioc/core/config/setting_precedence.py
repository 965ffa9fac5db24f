"""Where the settings of a channel come from: its own entry before its group before a policy before the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archioc.core.channel import SETTING_NAMES, ChannelSettings, Given
from archioc.core.config.channels import compile_match

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


MOST_SHARED = 10_000
"""Settings kept for channels to share; channels may come and go for years, each with settings of its own."""


@dataclass(frozen=True, slots=True)
class DeclaredPolicy:
    """Settings for channels by their name. match: glob, or regular expression between slashes."""

    match: str
    given: Given


@dataclass(frozen=True, slots=True)
class DeclaredGroup:
    """A group as the file declares it. condition: as `parse_condition` reads it, empty for none. given: settings for its channels."""

    name: str
    enable: bool = True
    condition: str = ""
    description: str = ""
    given: Given = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings given in one place. source: `own`, `group NAME` or `policy MATCH`."""

    source: str
    given: Given


class SettingPrecedence:
    """All places but the channels' own entries. Channels with equal settings share one object."""

    def __init__(self, policies: Sequence[DeclaredPolicy], groups: Mapping[str, Given]) -> None:
        self.policies = tuple(policies)
        self._patterns = [compile_match(policy.match) for policy in policies]
        self._groups = dict(groups)
        self._settings: dict[tuple[Given, str, int], ChannelSettings] = {}

    def policy_of(self, name: str) -> int:
        """The number of the first policy that matches a name; -1 when none does."""
        return next((number for number, pattern in enumerate(self._patterns) if pattern.search(name)), -1)

    def of(self, name: str, own: Given, group: str) -> Iterator[Layer]:
        """The layers of a channel, what holds first."""
        yield Layer("own", own)
        if group:
            yield Layer(f"group {group}", self._groups.get(group, ()))
        number = self.policy_of(name)
        if number >= 0:
            yield Layer(f"policy {self.policies[number].match}", self.policies[number].given)

    def settings(self, name: str, own: Given, group: str) -> ChannelSettings:
        """What is declared of a channel of this group. Raises SettingError when it does not go together."""
        key = own, group, self.policy_of(name)
        found = self._settings.get(key)
        if found is None:
            if len(self._settings) >= MOST_SHARED:
                self._settings.clear()
            changes: dict[str, object] = {}
            for layer in reversed(list(self.of(name, own, group))):
                changes.update(layer.given)
            found = self._settings[key] = ChannelSettings().with_changes({**changes, "group": group})
        return found

    def sources(self, name: str, own: Given, group: str) -> dict[str, str]:
        """Where each setting comes from: the source of a layer, or `default`."""
        found = dict.fromkeys(SETTING_NAMES, "default")
        for layer in reversed(list(self.of(name, own, group))):
            found.update({setting: layer.source for setting, _ in layer.given})
        if group:
            found["group"] = f"group {group}"
        return found
