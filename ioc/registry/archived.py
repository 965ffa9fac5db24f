"""A channel of the archive as the registry knows it: what the file declares, and what operators have put over it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from archioc.core.channel import SETTING_NAMES, ChannelSettings, Given, read_setting, written
from archioc.core.config.setting_precedence import SettingPrecedence
from archioc.core.errors import SettingError
from archioc.ioc.registry.hand_over import HandOver
from archioc.ioc.registry.override import Override

_TIED = frozenset({"mode", "rate"})
"""Settings with a rule between them."""


@dataclass(frozen=True, slots=True)
class ArchivedChannel:
    """A channel with its place in the channel table.

    declared: what the file says; for a channel that an operator added, what its policy, its group and `Add` say.
    settings: what holds: overrides before declared.
    in_file: whether the file declares it; if so it goes when the file no longer does.
    own: the settings of its own entry, in the file or in `Add`.
    handover: None as long as it belongs to this shard.
    """

    name: str
    row: int
    generation: int
    declared: ChannelSettings
    settings: ChannelSettings
    overrides: tuple[Override, ...] = ()
    in_file: bool = False
    own: Given = ()
    handover: HandOver | None = None

    def with_changes(self, changes: Mapping[str, object], layers: SettingPrecedence) -> ArchivedChannel:
        """This channel after an operator has put some settings. Raises SettingError.

        Another group brings its own settings along; what operators have put stays.
        """
        put = {override.setting: override.value for override in self.overrides}
        put.update({name: written(read_setting(name, value)) for name, value in changes.items()})
        declared = self.declared
        if "group" in changes:
            declared = declare(self.name, self.own, declared.group, put["group"], layers)
        settings = declared.with_changes(dict(put))
        overrides = _differing(put, declared)
        return dataclasses.replace(self, declared=declared, settings=settings, overrides=overrides)

    def redeclared(self, own: Given, group: str, layers: SettingPrecedence, *, in_file: bool) -> ArchivedChannel:
        """This channel after the file has been read again: overrides of settings that the file has changed are dropped.

        When those that remain do not go together with the file (mode and rate), the file wins.
        """
        moved = next((o.value for o in self.overrides if o.setting == "group" and o.file_value == group), group)
        try:
            declared = declare(self.name, own, group, moved, layers)
        except SettingError:
            moved, own, declared = group, *self._declared_without_conflict(own, group, layers, in_file=in_file)
        overrides = tuple(
            o
            for o in self.overrides
            if setting_text(declared, o.setting) == o.file_value and not (o.setting == "group" and o.value != moved)
        )
        try:
            settings = effective(declared, overrides)
        except SettingError:
            overrides = tuple(o for o in overrides if o.setting not in _TIED)
            settings = effective(declared, overrides)
        return ArchivedChannel(self.name, self.row, self.generation, declared, settings, overrides, in_file, own, self.handover)

    def _declared_without_conflict(
        self, own: Given, group: str, layers: SettingPrecedence, *, in_file: bool
    ) -> tuple[Given, ChannelSettings]:
        """Own settings and what is declared where an operator's group, or what came with `Add`, does not fit the file any more."""
        if in_file:
            return own, layers.settings(self.name, own, group)
        own = tuple((name, value) for name, value in own if name not in _TIED)
        try:
            return own, layers.settings(self.name, own, group)
        except SettingError:  # a policy or group that fits no channel as it stands; the file has none of the kind, so nobody was told
            return self.own, dataclasses.replace(self.declared, group=group)


def declare(name: str, own: Given, group: str, moved: str, layers: SettingPrecedence) -> ChannelSettings:
    """What is declared of a channel of this group, with the settings of the group that an operator has moved it to.

    Raises SettingError when it does not go together.
    """
    found = layers.settings(name, own, moved)
    return found if moved == group else dataclasses.replace(found, group=group)


def _differing(put: Mapping[str, str], declared: ChannelSettings) -> tuple[Override, ...]:
    """Overrides for what differs from the file."""
    texts = ((name, value, setting_text(declared, name)) for name, value in put.items())
    return tuple(Override(name, value, file_value) for name, value, file_value in texts if value != file_value)


def effective(declared: ChannelSettings, overrides: tuple[Override, ...]) -> ChannelSettings:
    """The settings that hold. Raises SettingError when they do not go together."""
    return declared.with_changes({override.setting: override.value for override in overrides}) if overrides else declared


def setting_text(settings: ChannelSettings, name: str) -> str:
    """One setting as text that `read_setting` reads back to the same value."""
    assert name in SETTING_NAMES
    return written(getattr(settings, name))
