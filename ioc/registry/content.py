"""What is in `state.db`, and how channels, groups and policies become rows of it and are read back."""

from __future__ import annotations

import functools
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archioc.core.aliases import Aliases
from archioc.core.channel import SETTING_NAMES, ChannelSettings, Clock, Given, LargeArrays, Mask, Mode, Setting
from archioc.core.config.setting_precedence import DeclaredGroup, DeclaredPolicy, SettingPrecedence
from archioc.core.errors import RegistryError
from archioc.core.registry import BUSY_TIMEOUT_S, check_version, load_aliases, reason_of
from archioc.core.shard import ALONE, Shard
from archioc.ioc.registry.archived import ArchivedChannel, effective
from archioc.ioc.registry.archived_group import ArchivedGroup
from archioc.ioc.registry.hand_over import HandOver
from archioc.ioc.registry.override import Override

_FROM_COLUMN: dict[str, Callable[[Any], Setting]] = {
    "enable": bool,
    "mode": Mode,
    "mask": Mask,
    "clock": Clock,
    "large_arrays": LargeArrays,
    "as_text": bool,
}
"""Settings that SQLite keeps as another type."""

_DECLARED = tuple("channel_group" if name == "group" else name for name in SETTING_NAMES)
"""Columns of what is declared of a channel, in the order of SETTING_NAMES."""

_SELECT_CHANNELS = f"SELECT name, row, generation, in_file, own, moves_to, leaves_ns, {', '.join(_DECLARED)} FROM channel"  # noqa: S608 - constants
_COLUMNS = ("in_file", "own", "moves_to", "leaves_ns", *_DECLARED)
_INSERTED = ("name", "row", "generation", "revision", "added_ns", *_COLUMNS)
INSERT_CHANNEL = f"INSERT INTO channel ({', '.join(_INSERTED)}) VALUES ({', '.join('?' * len(_INSERTED))})"  # noqa: S608 - constants
UPDATE_CHANNEL = f"UPDATE channel SET {', '.join(f'{column} = ?' for column in _COLUMNS)} WHERE name = ?"  # noqa: S608 - constants


@dataclass(slots=True)
class Content:
    """What the registry holds.

    channels, groups: by name.
    removed_rows: rows of removed channels that have not been given to another yet, with their generation.
    layers: policies and settings of the groups.
    revision: grows with every change.
    fingerprint: of the configuration file that was applied last.
    aliases: earlier names that still stand for a channel.
    shard: which part of the channels of the file is for this archiver.
    handed_over: by name, channels that belong to another shard.
    """

    channels: dict[str, ArchivedChannel] = field(default_factory=dict)
    groups: dict[str, ArchivedGroup] = field(default_factory=dict)
    removed_rows: dict[int, int] = field(default_factory=dict)
    layers: SettingPrecedence = field(default_factory=lambda: SettingPrecedence((), {}))
    revision: int = 0
    fingerprint: str = ""
    aliases: Aliases = field(default_factory=Aliases)
    shard: Shard = ALONE
    handed_over: dict[str, HandOver] = field(default_factory=dict)

    def find(self, name: str) -> ArchivedChannel | None:
        """The channel of a name, or of an earlier one that still stands for it."""
        return self.channels.get(name) or self.channels.get(self.aliases.current(name))


_STAYS = HandOver(-1, 0)
"""How the columns tell of a channel that belongs to this shard."""


def load_content(connection: sqlite3.Connection) -> Content:
    """Everything, as one state of the database. Raises sqlite3.Error, SettingError, and ValueError for a damaged text."""
    groups = _load_groups(connection)
    policies = [
        DeclaredPolicy(match, read_given(given)) for match, given in connection.execute("SELECT match, given FROM policy ORDER BY position")
    ]
    revision, fingerprint = connection.execute("SELECT revision, fingerprint FROM meta").fetchone()
    channels = _load_channels(connection)
    return Content(
        channels=channels,
        groups=groups,
        removed_rows=dict(connection.execute("SELECT row, generation FROM removed_row")),
        layers=layers_of(policies, groups),
        revision=revision,
        fingerprint=fingerprint,
        aliases=Aliases(load_aliases(connection)),
        handed_over={name: channel.handover for name, channel in channels.items() if channel.handover},
    )


def read_content(path: Path, shard: Shard = ALONE) -> Content:
    """What the registry of an archiver, this shard, holds, whether it runs or not. Raises RegistryError."""
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            check_version(connection, path)
            connection.execute("BEGIN")
            content = load_content(connection)
            content.shard = shard
            return content
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise RegistryError(f"{path}: cannot be read: {reason_of(path, error)}") from None


def layers_of(policies: list[DeclaredPolicy] | tuple[DeclaredPolicy, ...], groups: Mapping[str, ArchivedGroup]) -> SettingPrecedence:
    """What gives settings besides the channels' own entries."""
    return SettingPrecedence(policies, {name: group.declared.given for name, group in groups.items()})


def _load_groups(connection: sqlite3.Connection) -> dict[str, ArchivedGroup]:
    overrides: defaultdict[str, list[Override]] = defaultdict(list)
    for name, *columns in connection.execute("SELECT name, setting, value, file_value FROM group_override"):
        overrides[name].append(Override(*columns))
    rows = connection.execute("SELECT number, name, in_file, enable, condition, description, given FROM channel_group ORDER BY number")
    return {
        name: ArchivedGroup(
            number,
            DeclaredGroup(name, bool(enable), condition, description, read_given(given)),
            tuple(overrides.get(name, ())),
            bool(in_file),
        )
        for number, name, in_file, enable, condition, description, given in rows
    }


def _load_channels(connection: sqlite3.Connection) -> dict[str, ArchivedChannel]:
    overrides: defaultdict[str, list[Override]] = defaultdict(list)
    for channel, *columns in connection.execute("SELECT channel, setting, value, file_value FROM override"):
        overrides[channel].append(Override(*columns))
    shared: dict[tuple[Any, ...], ChannelSettings] = {}
    owns: dict[str, Given] = {}
    channels = {}
    for name, row, generation, in_file, text, moves_to, leaves_ns, *columns in connection.execute(_SELECT_CHANNELS):
        key = tuple(columns)
        declared = shared.get(key)
        if declared is None:
            declared = shared[key] = _settings(key)
        own = owns.get(text)
        if own is None:
            own = owns[text] = read_given(text)
        over = tuple(overrides.get(name, ()))
        handover = HandOver(moves_to, leaves_ns) if moves_to >= 0 else None
        channels[name] = ArchivedChannel(name, row, generation, declared, effective(declared, over), over, bool(in_file), own, handover)
    return channels


@functools.lru_cache(maxsize=10_000)
def write_given(given: Given) -> str:
    """Settings as the text of a column."""
    return json.dumps(given, ensure_ascii=False, separators=(",", ":"))


def read_given(text: str) -> Given:
    """Settings from the text of a column. Raises ValueError."""
    return tuple((str(name), str(value)) for name, value in json.loads(text))


def channel_columns(channel: ArchivedChannel) -> tuple[Setting, ...]:
    """In the order of _COLUMNS; SQLite takes a bool and an enum as the number that it is."""
    handover = channel.handover or _STAYS
    columns = (channel.in_file, write_given(channel.own), handover.to, handover.ends_ns)
    return (*columns, *(getattr(channel.declared, name) for name in SETTING_NAMES))


def group_columns(group: ArchivedGroup) -> tuple[Setting, ...]:
    """In the order of the table `channel_group`."""
    declared = group.declared
    return (
        group.number,
        group.name,
        group.in_file,
        declared.enable,
        declared.condition,
        declared.description,
        write_given(declared.given),
    )


def _settings(columns: tuple[Any, ...]) -> ChannelSettings:
    """Settings from the columns _DECLARED. Raises SettingError."""
    given: dict[str, Any] = dict(zip(SETTING_NAMES, columns, strict=True))
    for name, read in _FROM_COLUMN.items():
        given[name] = read(given[name])
    return ChannelSettings(**given)
