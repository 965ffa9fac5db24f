"""The one way in which commands write for people.

Texts of IOCs, of clients and of servers may hold control characters: a terminal would carry them out, and a newline would break a table.
They are shown as escapes. CSV and JSON are written elsewhere and keep them.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from archioc.core.printable import printable


class TerminalConsole(Console):
    """A console that prints every text, also that of a table's cell, without control characters."""

    def render_str(self, text: str, **options: Any) -> Text:
        """The text with escapes for what cannot be printed."""
        return super().render_str(printable(text), **options)
