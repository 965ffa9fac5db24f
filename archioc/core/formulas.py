"""Texts that a spreadsheet would take for a formula and carry out, such as `=cmd|' /C calc'!A0`."""

from __future__ import annotations

BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins with one of these may be a formula (OWASP, CSV Injection)."""

MARK = "'"
"""Before it a cell is a text."""


def as_text(cell: str) -> str:
    """The text of a cell with MARK before it where it might be a formula. Not for numbers, which may begin with a sign."""
    return f"{MARK}{cell}" if cell.startswith(BEGINS) else cell
