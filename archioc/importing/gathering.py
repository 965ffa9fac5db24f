"""What a file to be imported declares, gathered entry by entry, and what it says that has no place here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from archioc.core.channel import MAX_GROUP_LETTERS, Given, given
from archioc.core.channel_name import channel_name
from archioc.core.condition import parse_condition
from archioc.core.config.declared_channels import Declaration, DeclaredChannel
from archioc.core.config.setting_precedence import DeclaredGroup
from archioc.core.errors import ChannelNameError, ConfigError, SettingError

EXAMPLES = 3
"""Names told with a remark."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What files to be imported declare.

    declaration: channels and groups, no policies; a channel's own settings are all that its file gives it.
    remarks: what could not be mapped, a sentence each.
    """

    declaration: Declaration
    remarks: tuple[str, ...] = ()


@dataclass(slots=True)
class _Remark:
    count: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        self.count += 1
        if len(self.names) < EXAMPLES:
            self.names.append(name)

    def __str__(self) -> str:
        return ", ".join(self.names) + (f" and {self.count - len(self.names)} more" if self.count > len(self.names) else "")


class Gathering:
    """Channels and groups of one import, from one file after another. `at` begins a file."""

    def __init__(self) -> None:
        self._path = Path()
        self._channels: dict[str, tuple[DeclaredChannel, str]] = {}
        self._groups: dict[str, DeclaredGroup] = {}
        self._group_names: dict[str, str] = {}
        self._remarks: dict[str, _Remark] = {}
        self._owns: dict[Given, Given] = {}

    def at(self, path: Path) -> None:
        """What follows comes from this file."""
        self._path = path

    def fault(self, line: int | None, entry: str, message: str) -> ConfigError:
        """A broken rule, with its place in the file. entry: such as `[3].samplingPeriod`, where a line does not tell enough."""
        return ConfigError(self._path, line, entry, message)

    def channel(self, line: int | None, entry: str, written_name: str, settings: Mapping[str, object], group: str = "") -> str:
        """Take a channel; its name as it is archived. Raises ConfigError for a broken rule and a channel given twice."""
        try:
            name = channel_name(written_name)
        except ChannelNameError as error:
            raise self.fault(line, entry, str(error)) from None
        place = f"{self._path}:{line}" if line is not None else f"{self._path}: {entry}"
        if name in self._channels:
            raise self.fault(line, entry, f"{name}: stands at {self._channels[name][1]} too")
        try:
            own = given(settings)
        except SettingError as error:
            raise self.fault(line, entry, f"{name}: {error}") from None
        self._channels[name] = DeclaredChannel(name, group, self._owns.setdefault(own, own)), place
        return name

    def has(self, written_name: str) -> bool:
        """Whether a channel has been taken already."""
        return written_name.strip().removeprefix("ca://").removesuffix(".VAL") in self._channels

    def group(self, line: int | None, entry: str, name: str, *, enable: bool = True, condition: str = "") -> None:
        """Take a group. Raises ConfigError."""
        try:
            found = parse_condition(condition)
        except SettingError as error:
            raise self.fault(line, entry, f"group {name}: {error}") from None
        self._groups[name] = DeclaredGroup(name, enable, str(found) if found else "")

    def group_name(self, written: str) -> str:
        """The name that a group gets here; one that is not allowed is made so, with a remark."""
        name = self._group_names.get(written)
        if name is None:
            name = base = re.sub(r"[^A-Za-z0-9_-]", "_", written)[:MAX_GROUP_LETTERS]
            taken = set(self._group_names.values())
            number = 1
            while name in taken:
                number += 1
                name = f"{base[: MAX_GROUP_LETTERS - 5]}_{number}"
            self._group_names[written] = name
            if name != written:
                self.remark("groups with another name here", f"{written} = {name}")
        return name

    def remark(self, what: str, name: str) -> None:
        """Something that has no place here. what: the same for all of its kind; name: of the channel or group concerned."""
        self._remarks.setdefault(what, _Remark()).add(name)

    def result(self) -> Imported:
        """All that has been taken."""
        channels = tuple(channel for channel, _ in self._channels.values())
        remarks = tuple(f"{what}: {remark}" for what, remark in self._remarks.items())
        return Imported(Declaration(groups=tuple(self._groups.values()), channels=channels), remarks)
