"""`archioc alarms`: the archiver in the site's alarm server."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from pathlib import Path

from archioc.cli.output.output_file import whole_file
from archioc.core.config.file import load_blocks, load_declaration
from archioc.core.errors import ConfigError
from archioc.opi.alarm_entries import WatchedGroup, archiver_folders, group_folder
from archioc.opi.alarm_xml import to_xml


def is_topic(name: str) -> bool:
    """Whether Kafka takes it as a topic, which is what alarm servers make of the name."""
    return re.fullmatch(r"[A-Za-z0-9-]+(?:(?:\.[A-Za-z0-9.-]*)|(?:_[A-Za-z0-9_-]*))?", name) is not None


def write_config(path: Path, name: str, with_channels: Collection[str], output: Path | None, displays: str, *, part: bool) -> None:
    """Write the configuration of an alarm server. with_channels: groups whose channels get entries of their own.
    displays: URL of the directory of the displays.

    Raises ConfigError, also for a group that the file does not declare, and OutputError.
    """
    declared = load_declaration(path)
    names = [group.name for group in declared.groups]
    unknown = sorted(set(with_channels) - set(names))
    if unknown:
        raise ConfigError(path, None, "groups", f"there is no group {unknown[0]!r}; there are: {', '.join(names) or 'none'}")
    members: dict[str, list[str]] = {group: [] for group in names}
    for channel in declared.channels:
        if channel.group in with_channels:
            members[channel.group].append(channel.name)
    prefix = load_blocks(path).archiver.prefix
    groups = [group_folder(prefix, WatchedGroup(group, tuple(members[group])), displays) for group in names]
    text = to_xml(name, archiver_folders(prefix, displays), groups, part=part)
    if output is None:
        sys.stdout.write(text)
        return
    with whole_file(output) as place:
        place.write_text(text, encoding="utf-8")
