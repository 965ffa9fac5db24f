"""Texts in the form in which every parser of line protocol takes them, and back.

A text with a newline, another control character or a backslash at its end is taken by InfluxDB, but not by all servers that
understand line protocol: some end the line at the newline, or take the closing quote for an escaped one. Such a text is stored
with MARK before it, and in it

    a control character       its picture, such as U+240A for a newline (U+2400 + code, U+2421 for DEL)
    a backslash               U+29F5
    one of these characters   itself behind MARK

so that people can still read it. So is a text that begins with MARK, and one with a backslash that is stored in pieces.
All other texts are stored as they are. `docs/reference/contract/files.md` has these rules.
"""

from __future__ import annotations

import re

MARK = "\u2426"

_BACKSLASH = "\u29f5"
_PICTURES = {chr(code): chr(0x2400 + code) for code in range(32)} | {"\x7f": "\u2421", "\\": _BACKSLASH}
_STANDS_FOR = {picture: character for character, picture in _PICTURES.items()}
_TABLE = str.maketrans(_PICTURES | {picture: MARK + picture for picture in (*_STANDS_FOR, MARK)})

_NEEDED = re.compile(rf"[\x00-\x1f\x7f]|\\\Z|\A{MARK}")
_REPLACED = re.compile(f"{MARK}(.)|([{''.join(_STANDS_FOR)}])", re.DOTALL)


def plain(text: str, *, in_pieces: bool = False) -> str:
    """The text as it is stored. in_pieces: it will be cut where a backslash may stand."""
    if _NEEDED.search(text) or (in_pieces and "\\" in text):
        return MARK + text.translate(_TABLE)
    return text


def original(stored: str) -> str:
    """The text that is stored in this form."""
    if not stored.startswith(MARK):
        return stored
    return _REPLACED.sub(lambda found: found[1] or _STANDS_FOR[found[2]], stored[len(MARK) :])
