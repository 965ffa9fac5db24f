"""Text in line protocol: tag values and string fields, there and back.

Rules: InfluxDB documentation, "Line protocol reference", and its parser (models/points.go): in a tag
value a backslash escapes comma, equals sign and blank and stands for itself otherwise; in a string
field it escapes the double quote and itself; a line ends at a newline outside quotes. Parsers of other
servers are stricter, so that we write no newline and no backslash where they differ (`plain_text`).
"""

from __future__ import annotations

import re

from archioc.core.errors import ChannelNameError
from archioc.core.spool.encoding.plain_text import MARK

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BACKSLASH_BEFORE = re.compile(rf"(\\{MARK}*)(?=[,= ]|\Z)")
_MARKED_BACKSLASH = re.compile(rf"(\\{MARK}*){MARK}(?=[,= ]|\Z)")


def escape_tag(name: str) -> bytes:
    """A channel name as a tag value. Raises ChannelNameError for what line protocol cannot carry: an empty name, control characters."""
    if not name:
        raise ChannelNameError(name, "is empty")
    if _CONTROL.search(name):
        raise ChannelNameError(name, "holds a control character, which a store cannot carry")
    return tag_value(name).replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ").encode()


def tag_value(name: str) -> str:
    """The value of the tag `pv` under which a channel is stored.

    Parsers differ in what a backslash means before an escaped comma, equals sign or blank, and at the end, where it would escape
    what follows. There MARK follows it, one more than are there already.
    """
    return _BACKSLASH_BEFORE.sub(rf"\1{MARK}", name) if "\\" in name else name


def old_tag_value(name: str) -> str:
    """The value under which archives of before have it: a blank behind a backslash at the end was the only rule."""
    return name + " " if name.endswith("\\") else name


def channel_of_tag(value: str) -> str:
    """The channel that is stored under a value of the tag `pv`, in this form or that of before."""
    if "\\" not in value:
        return value
    return value[:-1] if value.endswith("\\ ") else _MARKED_BACKSLASH.sub(r"\1", value)


def quote_field(text: str) -> bytes:
    """A text as a string field, with its quotes."""
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


_SEPARATING_COMMA = re.compile(rb"(?<!\\),")
_ESCAPED = re.compile(rb"\\([,= ])")


def channel_of_line(line: bytes) -> str:
    """The channel that a line of ours is about. Raises ValueError when the line has no tag `pv`."""
    for part in _SEPARATING_COMMA.split(line[: _fields_at(line) - 1])[1:]:
        if part.startswith(b"pv="):
            return channel_of_tag(_ESCAPED.sub(rb"\1", part.removeprefix(b"pv=")).decode(errors="replace"))
    raise ValueError(f"no tag pv: {line[:80]!r}")


def time_of_line(line: bytes) -> int:
    """The time stamp at the end of a line of ours (ns since 1970). Raises ValueError when there is none."""
    try:
        return int(line[line.rfind(b" ") + 1 :])
    except ValueError:
        raise ValueError(f"{line[-60:]!r}: ends without a time stamp") from None


def split_lines(body: bytes) -> list[bytes]:
    """The lines of a body, without their newlines; a newline within a quoted field does not end a line."""
    lines: list[bytes] = []
    open_parts: list[bytes] = []
    in_quotes = False
    for part in body.split(b"\n"):
        open_parts.append(part)
        if b'"' in part and _turns_quotes(part if in_quotes else part[_fields_at(part) :]):
            in_quotes = not in_quotes
        if in_quotes:
            continue
        lines.append(b"\n".join(open_parts))
        open_parts = []
    if open_parts:
        lines.append(b"\n".join(open_parts))
    return [line for line in lines if line]


_ESCAPED_IN_FIELD = re.compile(rb"\\.", re.DOTALL)


def _turns_quotes(fields: bytes) -> bool:
    """Whether a string field begins here and does not end, or ends and none begins. Only in these is there a backslash."""
    if b"\\" in fields:
        fields = _ESCAPED_IN_FIELD.sub(b"", fields)
    return fields.count(b'"') % 2 == 1


def _fields_at(line: bytes) -> int:
    """Where the fields of a line begin: behind the first blank that is not escaped."""
    at = line.find(b" ")
    while at > 0 and line[at - 1] == 0x5C:
        at = line.find(b" ", at + 1)
    return at + 1 if at >= 0 else len(line)
