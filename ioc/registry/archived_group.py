"""A group of channels as the registry knows it: what the file declares, and what operators have put over it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from archioc.core.channel import read_setting, written
from archioc.core.condition import parse_condition
from archioc.core.config.setting_precedence import DeclaredGroup
from archioc.ioc.registry.override import Override

GROUP_SETTINGS = ("enable", "condition")
"""What operators may put."""


@dataclass(frozen=True, slots=True)
class ArchivedGroup:
    """A group with its number, which the settings block of the channel table holds for its channels.

    declared: what the file says; for a group that the file does not name, that it has no condition.
    in_file: whether the file declares it. Another one lives as long as a channel belongs to it.
    """

    number: int
    declared: DeclaredGroup
    overrides: tuple[Override, ...] = ()
    in_file: bool = False

    @property
    def name(self) -> str:
        """1 to 40 letters, digits, `-` and `_`."""
        return self.declared.name

    @property
    def enable(self) -> bool:
        """Whether it is switched on."""
        return bool(read_setting("enable", self.text("enable")))

    @property
    def condition(self) -> str:
        """The condition that holds for it, empty for none."""
        return self.text("condition")

    def text(self, setting: str) -> str:
        """One of GROUP_SETTINGS as text."""
        return next((o.value for o in self.overrides if o.setting == setting), _declared_text(self.declared, setting))

    def with_change(self, setting: str, value: object) -> ArchivedGroup:
        """This group after an operator's put. Raises SettingError."""
        if setting == "enable":
            text = written(read_setting("enable", value))
        else:
            condition = parse_condition(str(value))
            text = str(condition) if condition else ""
        file_value = _declared_text(self.declared, setting)
        kept = [override for override in self.overrides if override.setting != setting]
        if text != file_value:
            kept.append(Override(setting, text, file_value))
        return dataclasses.replace(self, overrides=tuple(kept))

    def redeclared(self, declared: DeclaredGroup, *, in_file: bool) -> ArchivedGroup:
        """This group after the file has been read again: overrides of what the file has changed are dropped."""
        overrides = tuple(o for o in self.overrides if _declared_text(declared, o.setting) == o.file_value)
        return ArchivedGroup(self.number, declared, overrides, in_file)


def _declared_text(declared: DeclaredGroup, setting: str) -> str:
    return written(declared.enable) if setting == "enable" else declared.condition
