"""add.bob: channels added, imported, renamed and removed."""

from __future__ import annotations

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.frame import TOP, display, result_line
from archioc.opi.style import GAP, MARGIN, ROW
from archioc.opi.widgets import BOX_EDGE, Place, Write, box, button, entry, label

WIDTH = 1000
HALF = (WIDTH - 2 * MARGIN - GAP) // 2
INNER = HALF - 2 * BOX_EDGE
TEXT_HEIGHT = 150
BOX_HEIGHT = TEXT_HEIGHT + 2 * (ROW + GAP) + 2 * BOX_EDGE

COMMANDS = (
    ("Add", "$(P)Add", "A line each:  NAME [rate=10] [mode=scan] [group=vac]", "Ctrl-Return adds"),
    ("Remove", "$(P)Remove", "A line each:  NAME, or a glob with confirm=NUMBER", "Ctrl-Return removes; what is stored stays"),
    ("Change settings", "$(P)Set", "A line each:  NAME or glob, setting=value [confirm=N]", "Ctrl-Return changes"),
    ("Rename", "$(P)Rename", "A line each:  OLD NEW", "Ctrl-Return renames; what is stored comes along"),
)


def add() -> Display:
    """Commands of many lines, and the configuration file."""
    boxes = [_command(number, *command) for number, command in enumerate(COMMANDS)]
    file_y = TOP + 2 * (BOX_HEIGHT + GAP)
    result_y = file_y + 2 * (ROW + GAP) + GAP
    return display("add.bob", "Add and remove", WIDTH, result_y + ROW + MARGIN, (*boxes, *_files(file_y), *result_line(result_y, WIDTH)))


def _command(number: int, title: str, pv: str, form: str, hint: str) -> Widget:
    at = Place(MARGIN + number % 2 * (HALF + GAP), TOP + number // 2 * (BOX_HEIGHT + GAP), HALF, BOX_HEIGHT)
    text_y = ROW + GAP
    inside = (
        label(form, Place(0, 0, INNER)),
        entry(pv, Place(0, text_y, INNER, TEXT_HEIGHT), text=True, lines=True),
        label(hint, Place(0, text_y + TEXT_HEIGHT + GAP, INNER), style="Comment"),
    )
    return box(title, at, inside)


def _files(y: int) -> list[Widget]:
    apply_y = y + ROW + GAP
    apply = "$(P)Apply"
    return [
        label("Import a file", Place(MARGIN, y, 160), style="Default Bold"),
        entry("$(P)ImportFile", Place(178, y, 420), text=True),
        label("in the directory import of the archiver", Place(604, y, 384), style="Comment"),
        label("Configuration file", Place(MARGIN, apply_y, 160), style="Default Bold"),
        button("What would change?", Place(178, apply_y, 200), [Write(apply, "2")], pv=apply, tip="A dry run: the result tells it"),
        button(
            "Apply",
            Place(384, apply_y, 214),
            [Write(apply, "1")],
            pv=apply,
            confirm="Follow the configuration file as it is now?",
            tip="Read the configuration file again and follow it; operators' puts stay where the file has not changed",
        ),
    ]
