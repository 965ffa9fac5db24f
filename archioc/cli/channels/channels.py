"""`archioc channels`: what is archived and how, and the configuration file against it."""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
from rich.markup import escape
from rich.table import Table

from archioc.cli.channels.control_client import ControlClient
from archioc.cli.output.terminal import TerminalConsole
from archioc.cli.status.status import PIPED_WIDTH
from archioc.core.channel import SETTING_NAMES, ChannelSettings
from archioc.core.config.file import load_blocks, load_declaration
from archioc.core.directories import Directories
from archioc.core.errors import UnknownChannel
from archioc.core.printable import printable
from archioc.ioc.commands.applying import Apply
from archioc.ioc.commands.declaring import pick_nothing, plan_declared, under_earlier_names
from archioc.ioc.commands.differences import differences
from archioc.ioc.commands.exporting import export_yaml
from archioc.ioc.registry.archived import ArchivedChannel, setting_text
from archioc.ioc.registry.content import Content, read_content

_DEFAULTS = ChannelSettings()


def apply_file(path: Path, *, dry_run: bool, prune: bool) -> None:
    """Have the running archiver follow its file, through Channel Access. Raises ConfigError, CommandRefused, ServeError."""
    how = {(False, False): Apply.APPLY, (True, False): Apply.DRY_RUN, (False, True): Apply.PRUNE, (True, True): Apply.DRY_PRUNE}
    sys.stdout.write(ControlClient(load_blocks(path)).command("Apply", int(how[dry_run, prune])) + "\n")


def show_differences(path: Path, *, prune: bool) -> None:
    """Write what `apply` would change, and what operators have put that stays. Raises ConfigError, RegistryError."""
    content = _content(path)
    declaration = load_declaration(path)
    change = plan_declared(content, declaration, pick_nothing, prune=prune)
    for line in differences(change, content):
        sys.stdout.write(f"{printable(line)}\n")
    for old, current in under_earlier_names(content, declaration):
        sys.stdout.write(f"! {current}: renamed, the file has {old}\n")
    after = {**content.channels, **{channel.name: channel for channel in change.changed}}
    gone = {channel.name for channel in change.removed}
    for channel in after.values():
        if channel.name not in gone:
            for override in channel.overrides:
                put = f"{override.setting} {override.value} put over {override.file_value or 'none'}"
                sys.stdout.write(f"! {channel.name}: {printable(put)}\n")


def rename_channel(path: Path, old: str, new: str) -> None:
    """Give a channel of the running archiver another name. Raises ConfigError, CommandRefused, ServeError."""
    sys.stdout.write(ControlClient(load_blocks(path)).command("Rename", f"{old} {new}".encode()) + "\n")


def export_channels(path: Path) -> None:
    """Write the state of the archive as blocks of a configuration file. Raises ConfigError, RegistryError."""
    sys.stdout.write(export_yaml(_content(path)))


@dataclass(frozen=True, slots=True)
class ChannelFilter:
    """Which channels are listed: all that is asked for must hold.

    pattern, group: globs of names. overridden: something is put over the file. disabled: not archived because of `enable`.
    """

    pattern: str = "*"
    group: str = "*"
    overridden: bool = False
    disabled: bool = False

    def accepts(self, channel: ArchivedChannel) -> bool:
        """Whether a channel is listed."""
        return (
            fnmatch.fnmatchcase(channel.name, self.pattern)
            and fnmatch.fnmatchcase(channel.settings.group, self.group)
            and (bool(channel.overrides) or not self.overridden)
            and not (channel.settings.enable and self.disabled)
        )


def list_channels(path: Path, wanted: ChannelFilter, form: str, *, why: bool) -> None:
    """Write the channels wanted, with their settings. Raises ConfigError, RegistryError, UnknownChannel."""
    content = _content(path)
    found = [channel for _, channel in sorted(content.channels.items()) if wanted.accepts(channel)]
    if not found and wanted.pattern != "*":
        raise UnknownChannel(wanted.pattern)
    if form == "json":
        documents = [_document(channel, content) for channel in found]
        sys.stdout.write(orjson.dumps(documents, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("channel", "group", "settings"):
        table.add_column(column, no_wrap=True)
    for channel in found:
        table.add_row(escape(channel.name), channel.settings.group, escape(", ".join(_told(channel, content, why=why))))
    TerminalConsole(highlight=False, emoji=False, width=None if sys.stdout.isatty() else PIPED_WIDTH).print(table)


def _content(path: Path) -> Content:
    config = load_blocks(path)
    return read_content(Directories(config.archiver.state_dir).registry, config.own_shard)


def _sources(channel: ArchivedChannel, content: Content) -> dict[str, str]:
    """Where each setting comes from: `override`, `own`, `group NAME`, `policy MATCH` or `default`."""
    sources = content.layers.sources(channel.name, channel.own, channel.settings.group)
    return sources | {override.setting: "override" for override in channel.overrides}


def _document(channel: ArchivedChannel, content: Content) -> dict[str, object]:
    return {
        "name": channel.name,
        "in_file": channel.in_file,
        "settings": {name: _plain(channel.settings, name) for name in SETTING_NAMES},
        "sources": _sources(channel, content),
        "file_values": {override.setting: override.file_value for override in channel.overrides},
    }


def _plain(settings: ChannelSettings, name: str) -> object:
    value = getattr(settings, name)
    return value.name.lower() if hasattr(value, "name") else value


def _told(channel: ArchivedChannel, content: Content, *, why: bool) -> Iterator[str]:
    """The settings that are not the defaults; why: with their source, and those that come from somewhere all the same."""
    sources = _sources(channel, content)
    for name in SETTING_NAMES:
        is_default = getattr(channel.settings, name) == getattr(_DEFAULTS, name)
        if name == "group" or (is_default and not (why and sources[name] != "default")):
            continue
        text = f"{name}={setting_text(channel.settings, name)}"
        yield f"{text} ({sources[name]})" if why else text
