"""A channel of the archive as the registry knows it: what the file declares, and what operators have put over it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import IntEnum

from archioc.core.channel import SETTING_NAMES, ChannelSettings
from archioc.core.declared import DeclaredChannel
from archioc.core.errors import SettingError


@dataclass(frozen=True, slots=True)
class Override:
    """A setting that an operator has put.

    value: as text that `read_setting` reads.
    file_value: what the file said at the time; when it says something else later, the override is dropped.
    """

    setting: str
    value: str
    file_value: str


@dataclass(frozen=True, slots=True)
class ArchivedChannel:
    """A channel with its place in the channel table.

    declared: what the file says, the defaults for a channel that an operator added.
    in_file: whether the file declares it; if so it goes when the file no longer does.
    settings: what holds: overrides before declared.
    """

    name: str
    row: int
    generation: int
    declared: ChannelSettings
    settings: ChannelSettings
    overrides: tuple[Override, ...] = ()
    in_file: bool = False

    def with_changes(self, changes: dict[str, object]) -> ArchivedChannel:
        """This channel after an operator has put some settings. Raises SettingError."""
        settings = self.settings.with_changes(changes)
        kept = [override for override in self.overrides if override.setting not in changes]
        for name in changes:
            value, file_value = setting_text(settings, name), setting_text(self.declared, name)
            if value != file_value:
                kept.append(Override(name, value, file_value))
        return dataclasses.replace(self, settings=settings, overrides=tuple(kept))

    def redeclared(self, declared: DeclaredChannel) -> ArchivedChannel:
        """This channel after the file has been read again: overrides of settings that the file has changed are dropped.

        When those that remain do not go together with the file (mode and rate), the file wins.
        """
        overrides = tuple(o for o in self.overrides if setting_text(declared.settings, o.setting) == o.file_value)
        try:
            settings = effective(declared.settings, overrides)
        except SettingError:
            overrides = tuple(o for o in overrides if o.setting not in {"mode", "rate"})
            settings = effective(declared.settings, overrides)
        return dataclasses.replace(self, declared=declared.settings, settings=settings, overrides=overrides, in_file=True)


def effective(declared: ChannelSettings, overrides: tuple[Override, ...]) -> ChannelSettings:
    """The settings that hold. Raises SettingError when they do not go together."""
    return declared.with_changes({override.setting: override.value for override in overrides}) if overrides else declared


def setting_text(settings: ChannelSettings, name: str) -> str:
    """One setting as text that `read_setting` reads back to the same value."""
    assert name in SETTING_NAMES
    value = getattr(settings, name)
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, IntEnum):
        return value.name.lower()
    return repr(value) if isinstance(value, float) else str(value)
