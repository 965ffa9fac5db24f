"""A plain list: a channel a line, as in a line of `Add`; empty lines and lines that begin with `#` are skipped."""

from __future__ import annotations

from archioc.core.channel import read_setting
from archioc.core.channel_name import split_command_line
from archioc.core.errors import ChannelNameError, SettingError
from archioc.importing.gathering import Gathering


def read_list(text: str, gathering: Gathering) -> None:
    """Take the channels of a list. Raises ConfigError."""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.split(" #", maxsplit=1)[0].strip()
        if not line or line.startswith("#"):
            continue
        try:
            name, settings = split_command_line(line)
            group = str(read_setting("group", settings.pop("group", "")))
        except (ChannelNameError, SettingError) as error:
            raise gathering.fault(number, "", str(error)) from None
        gathering.channel(number, "", name, settings, group)
