"""Help in plain text: commands in sections, examples on lines of their own, nothing cut on a narrow terminal.

Context and formatter are those of click, which newer versions of typer bring along under a name of their own; so they are Any here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

LONGEST_SUMMARY = 300
"""Letters of a command's first sentence; click would cut it at the width of the terminal."""

SECTIONS = {
    "Run": ("run", "serve", "check", "demo"),
    "Read": ("get", "export", "plot", "explain", "report", "alarms"),
    "Change": ("channels", "store"),
    "Look inside": ("status", "audit", "spool", "quarantine"),
    "Tools": ("opi", "grafana"),
}
"""The commands of `archioc` by what they are for."""


class CommandWithExamples(TyperCommand):
    """A command whose docstring ends with a paragraph `Example: ...` or `Examples: ...`, an example a line."""

    def format_help_text(self, _ctx: Any, formatter: Any) -> None:
        """The text, wrapped, and the examples as they are."""
        text, word, examples = (self.help or "").partition("\n\nExample")
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)
        if word:
            with formatter.section("Examples" if examples.startswith("s") else "Example"):
                for line in examples.partition(":")[2].splitlines():
                    formatter.write(f"{'':>{formatter.current_indent}}{line.strip()}\n")


class PlainGroup(TyperGroup):
    """Commands that belong together."""

    sections: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Titles, and the commands under each; the others stand under `Commands`."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each title that has commands."""
        left = {name: command for name in self.list_commands(ctx) if (command := self.get_command(ctx, name)) and not command.hidden}
        width = max(map(len, left), default=0)
        for title, names in (*self.sections.items(), ("Commands", tuple(left))):
            rows = [(name.ljust(width), left.pop(name).get_short_help_str(LONGEST_SUMMARY)) for name in names if name in left]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class CommandsInSections(PlainGroup):
    """All commands, under the titles of SECTIONS."""

    sections = SECTIONS


def use_plain_help(app: typer.Typer) -> None:
    """Have all commands of an application, and of those below it, show their examples."""
    for command in app.registered_commands:
        command.cls = CommandWithExamples
    for group in app.registered_groups:
        if group.typer_instance is not None:
            group.cls = PlainGroup
            use_plain_help(group.typer_instance)
