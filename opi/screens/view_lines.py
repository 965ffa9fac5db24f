"""Parts of displays that show a view of the archiver: a table in pages, with one line for each slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from archioc.opi.bob import Widget
from archioc.opi.screens.frame import VIEW
from archioc.opi.style import ROW
from archioc.opi.widgets import Align, Place, Write, button, entry, holder, label, readout, shown_if, words

GAP = 4

Cell = Callable[[str, Place], Widget]
"""Makes the widget of a column from what the names of a slot's PVs begin with, and its place."""


@dataclass(frozen=True, slots=True)
class Column:
    """title: above it, empty for none. width: pixels."""

    title: str
    width: int
    cell: Cell


def shown(field: str, *, text: bool = False, align: Align = Align.RIGHT) -> Cell:
    """A cell that shows a PV of the slot."""
    return lambda slot, at: readout(f"{slot}{field}", at, text=text, align=align)


def worded(field: str) -> Cell:
    """A cell that shows a PV of the slot in words."""
    return lambda slot, at: words(f"{slot}{field}", at)


def width_of(columns: Sequence[Column]) -> int:
    """Pixels of a whole line."""
    return sum(column.width for column in columns) + (len(columns) - 1) * GAP


def head(columns: Sequence[Column], x: int, y: int) -> list[Widget]:
    """The titles of the columns."""
    return [label(column.title, at, style="Default Bold") for column, at in _places(columns, x, y, HEAD - 1) if column.title]


def line(columns: Sequence[Column], slot: str, x: int, y: int, pitch: int) -> Widget:
    """The line of a slot, which is there while the slot shows something. pitch: from line to line (pixels)."""
    height = max(pitch - 2, ROW)
    cells = [_apart(column.cell(f"{VIEW}{slot}:", at)) for column, at in _places(columns, 0, 0, height)]
    return holder(f"line {slot}", Place(x, y, width_of(columns), height), cells, shown_if(f"{VIEW}{slot}:"))


def _apart(cell: Widget) -> Widget:
    """What is only read leaves a line between rows; what can be used has all of its height."""
    return replace(cell, height=cell.height - 2) if cell.kind == "textupdate" else cell


def pager(what: str, x: int, y: int) -> list[Widget]:
    """Which page of how many, and how many there are in all. what: empty for channels, `Group` for groups."""
    return [
        button("<", Place(x, y, 32), [Write(f"{VIEW}{what}Prev", "1")], tip="One page back"),
        entry(f"{VIEW}{what}Page", Place(x + 36, y, 46), tip="Page shown; put another one"),
        label("of", Place(x + 86, y, 16)),
        readout(f"{VIEW}{what}Pages", Place(x + 106, y, 40), align=Align.LEFT),
        button(">", Place(x + 150, y, 32), [Write(f"{VIEW}{what}Next", "1")], tip="One page on"),
        words(f"{VIEW}{what}Total", Place(x + 186, y, 58)),
    ]


PAGER_WIDTH = 244
HEAD = 20
"""Height of the titles of columns (pixels)."""


def pitch_of(rows: int, height: int) -> int:
    """From line to line where so many lines have this room, and no less than what a finger finds (pixels)."""
    return max(height // rows, ROW)


def _places(columns: Sequence[Column], x: int, y: int, height: int) -> list[tuple[Column, Place]]:
    found = []
    for column in columns:
        found.append((column, Place(x, y, column.width, height)))
        x += column.width + GAP
    return found
