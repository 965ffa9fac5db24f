"""Parts of displays that show a view of the archiver: a table in pages, with one line for each slot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from archioc.opi.bob import Widget
from archioc.opi.style import ROW
from archioc.opi.widgets import Align, Place, Write, button, entry, label, readout

VIEW = "$(P)View:$(VIEW=$(DID)):"
"""Each open display has a view of its own, named after its display id. That id cannot be handed on to another display."""

GAP = 5

Cell = Callable[[str, Place], Widget]
"""Makes the widget of a column from what the names of a slot's PVs begin with, and its place."""


@dataclass(frozen=True, slots=True)
class Column:
    """title: above it, empty for none. width: pixels."""

    title: str
    width: int
    cell: Cell


def shown(field: str, *, text: bool = False) -> Cell:
    """A cell that shows a PV of the slot."""
    return lambda slot, at: readout(f"{slot}{field}", at, text=text)


def width_of(columns: Sequence[Column]) -> int:
    """Pixels of a whole line."""
    return sum(column.width for column in columns) + (len(columns) - 1) * GAP


def head(columns: Sequence[Column], x: int, y: int) -> list[Widget]:
    """The titles of the columns."""
    return [label(column.title, at, style="Default Bold") for column, at in _places(columns, x, y) if column.title]


def line(columns: Sequence[Column], slot: str, x: int, y: int) -> list[Widget]:
    """The line of a slot."""
    return [column.cell(f"{VIEW}{slot}:", at) for column, at in _places(columns, x, y)]


def pager(what: str, x: int, y: int) -> list[Widget]:
    """Which page of how many, and how many there are in all; 224 pixels. what: empty for channels, `Group` for groups."""
    return [
        button("<", Place(x, y, 32), [Write(f"{VIEW}{what}Prev", "1")], tip="One page back"),
        entry(f"{VIEW}{what}Page", Place(x + 37, y, 45)),
        readout(f"{VIEW}{what}Pages", Place(x + 87, y, 45), align=Align.CENTER),
        button(">", Place(x + 137, y, 32), [Write(f"{VIEW}{what}Next", "1")], tip="One page on"),
        readout(f"{VIEW}{what}Total", Place(x + 174, y, 50), align=Align.CENTER),
    ]


PAGER_WIDTH = 224
LINE = ROW + GAP


def _places(columns: Sequence[Column], x: int, y: int) -> list[tuple[Column, Place]]:
    found = []
    for column in columns:
        found.append((column, Place(x, y, column.width)))
        x += column.width + GAP
    return found
