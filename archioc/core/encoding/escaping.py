"""Text in line protocol: tag values and string fields, there and back.

Rules: InfluxDB documentation, "Line protocol reference", and its parser (models/points.go): in a tag
value a backslash escapes comma, equals sign and blank and stands for itself otherwise; in a string
field it escapes the double quote and itself; a line ends at a newline outside quotes.
"""

from __future__ import annotations

from archioc.core.errors import ChannelNameError


def escape_tag(name: str) -> bytes:
    r"""A channel name as a tag value.

    A tag value cannot end with a backslash (it would escape what follows it). A name that does
    gets a blank behind it, which no channel name has; `unescape_tag` takes it away again.
    Raises ChannelNameError for what line protocol cannot carry at all: an empty name, a newline.
    """
    if not name:
        raise ChannelNameError(name, "is empty")
    if "\n" in name:
        raise ChannelNameError(name, "holds a newline, which a store cannot carry")
    return tag_value(name).replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ").encode()


def tag_value(name: str) -> str:
    """The value of the tag `pv` under which a channel is stored."""
    return name + " " if name.endswith("\\") else name


def channel_of_tag(value: str) -> str:
    """The channel that is stored under a value of the tag `pv`."""
    return value[:-1] if value.endswith("\\ ") else value


def quote_field(text: str) -> bytes:
    """A text as a string field, with its quotes."""
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def split_lines(body: bytes) -> list[bytes]:
    """The lines of a body, without their newlines; a newline within a quoted field does not end a line."""
    lines: list[bytes] = []
    open_parts: list[bytes] = []
    in_quotes = False
    for part in body.split(b"\n"):
        open_parts.append(part)
        quotes = part.count(b'"')
        # Only inside a string field does a backslash matter to a quote; tags of ours may hold bare quotes.
        if quotes and _ends_in_quotes(part, in_quotes=in_quotes):
            in_quotes = True
            continue
        if quotes == 0 and in_quotes:
            continue
        in_quotes = False
        lines.append(b"\n".join(open_parts))
        open_parts = []
    if open_parts:
        lines.append(b"\n".join(open_parts))
    return [line for line in lines if line]


def _ends_in_quotes(part: bytes, *, in_quotes: bool) -> bool:
    at = 0 if in_quotes else _fields_at(part)
    while at < len(part):
        byte = part[at]
        if in_quotes and byte == 0x5C:
            at += 2
            continue
        if byte == 0x22:
            in_quotes = not in_quotes
        at += 1
    return in_quotes


def _fields_at(line: bytes) -> int:
    """Where the fields of a line begin: behind the first blank that is not escaped."""
    at = line.find(b" ")
    while at > 0 and line[at - 1] == 0x5C:
        at = line.find(b" ", at + 1)
    return at + 1 if at >= 0 else len(line)
