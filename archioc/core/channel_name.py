"""The name of a channel of the archive: what it may be, what it says about the channel, and how it is written in a command."""

from __future__ import annotations

import re
import shlex
from enum import IntEnum

from archioc.core.channel import ChannelSettings, Clock
from archioc.core.errors import ChannelNameError, SettingError

MAX_NAME_BYTES = 255
"""Longest channel name taken. A record name ends at 60 characters; fields and channel filters follow it."""


def channel_name(text: str) -> str:
    """The name under which a channel is archived: `ca://` stripped, `.VAL` left out.

    Raises ChannelNameError for an empty name, blanks, control characters or more than 255 bytes.
    """
    name = text.strip().removeprefix("ca://").removesuffix(".VAL")
    if not name:
        raise ChannelNameError(text, "is empty")
    if len(name.encode(errors="surrogatepass")) > MAX_NAME_BYTES:
        raise ChannelNameError(text[:40] + "...", f"is longer than {MAX_NAME_BYTES} bytes")
    if " " in name or not name.isprintable():
        raise ChannelNameError(text, "holds a blank or a character that cannot be printed")
    return name


_FIELD = re.compile(r"\.(?P<field>[A-Z][A-Z0-9]*)?\$?(?:[{\[].*)?", re.ASCII)
"""What may follow the name of a record: field, `$` for a long string, filter or range of elements (EPICS Base, `dbChannelCreate`)."""


def field_of(name: str) -> str:
    """The field of a record that a channel reads: `VAL` where its name has none, or none that looks like one."""
    _, dot, rest = name.partition(".")
    found = _FIELD.fullmatch(dot + rest)
    return (found["field"] if found else None) or "VAL"


class Stamping(IntEnum):
    """Whose time the samples of a channel get.

    IOC: the IOC's where it can be believed. TRUSTED: the IOC's, also where it lies far in the past (a device that buffers).
    """

    ARCHIVER = 0
    IOC = 1
    TRUSTED = 2


def stamping(name: str, settings: ChannelSettings) -> Stamping:
    """The setting `clock`, with `auto` decided by the channel's name."""
    if settings.clock is Clock.IOC:
        return Stamping.TRUSTED
    return Stamping.IOC if stamped_by_ioc(name, settings) else Stamping.ARCHIVER


def stamped_by_ioc(name: str, settings: ChannelSettings) -> bool:
    """Whether samples of a channel get the time of the IOC, with `auto` decided by the channel's name."""
    return settings.clock is Clock.IOC or (settings.clock is Clock.AUTO and field_of(name) == "VAL")


def read_as_text(name: str, settings: ChannelSettings) -> bool:
    """Whether an array of characters of this channel is a text: by its setting, or because `$` asks the IOC for a long string."""
    return settings.as_text or name.split("{", maxsplit=1)[0].endswith("$")


def split_command_line(line: str) -> tuple[str, dict[str, str]]:
    """`NAME rate=5 mode=scan` as the name and the settings given with it, still as text.

    A value with blanks is written in double quotes. Raises ChannelNameError or SettingError.
    """
    head, *tail = line.split(maxsplit=1) or [""]
    name = channel_name(head)
    rest = tail[0] if tail else ""
    changes: dict[str, str] = {}
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise SettingError("settings", rest, f"cannot be read: {error}") from None
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise SettingError(word, "", "must be written as setting=value")
        if key in changes:
            raise SettingError(key, value, "is given twice")
        changes[key] = value
    return name, changes
