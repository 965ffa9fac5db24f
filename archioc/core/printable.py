"""Texts of strangers as people see them: what cannot be printed is written as an escape.

A terminal carries out control characters, and a newline makes a line of its own in a log or a table. CSV, JSON and the store keep such
texts as they are: these are data for programs.
"""

from __future__ import annotations

_NEWLINE = "\n"


def printable(text: str) -> str:
    r"""The text with an escape (`\x1b`, `\n`, `\u202e`) for each character that cannot be printed, as `str.isprintable` tells."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines, whose newlines stay."""
    return _NEWLINE.join(map(printable, text.split(_NEWLINE)))


def only_printable(text: str) -> str:
    """The text without what cannot be printed."""
    return text if text.isprintable() else "".join(filter(str.isprintable, text))


def _escape(letter: str) -> str:
    return ascii(letter)[1:-1]
