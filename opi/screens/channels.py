"""channels.bob: the list of channels in pages. Each open display has a view of its own, named after its display id."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from opi.bob import Display, Widget
from opi.screens.frame import TOP, display, result_line
from opi.style import MARGIN, ROW
from opi.widgets import Align, Open, Place, Write, button, choice, entry, label, readout, switch

WIDTH = 1200
ROWS = 25
GAP = 5
VIEW = "$(P)View:$(VIEW=$(DID)):"
FILTER_TIP = "Words that must all match: part of a name, a glob, state=Disconnected, severity=MAJOR, group=vac, enable=Off"

Cell = Callable[[str, Place], Widget]
"""Makes the widget of a column from the PVs of a row and its place."""


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    width: int
    cell: Cell


def _value(field: str, *, text: bool = False) -> Cell:
    return lambda row, at: readout(f"{row}{field}", at, text=text)


def _detail(row: str, at: Place) -> Widget:
    macros = {"P": "$(P)", "CH": "$(pv_value)"}
    return button("...", at, [Open("channel.bob", macros)], pv=f"{row}Ref", tip="All settings and numbers of this channel")


COLUMNS = (
    Column("Channel", 390, _value("Name", text=True)),
    Column("State", 110, _value("State")),
    Column("Value", 190, _value("ValueText")),
    Column("Updates/s", 80, _value("EventRate")),
    Column("Samples/s", 80, _value("SampleRate")),
    Column("Age", 80, _value("Age")),
    Column("At most", 90, lambda row, at: entry(f"{row}Rate", at)),
    Column("Archive", 80, lambda row, at: switch(f"{row}Enable", at)),
    Column("", 36, _detail),
)


def channels() -> Display:
    """The list with its filter, order and pages."""
    head_y = TOP + ROW + GAP
    rows_y = head_y + ROW + GAP
    result_y = rows_y + ROWS * (ROW + GAP) + GAP
    widgets = [*_controls(TOP), *_head(head_y)]
    for number in range(ROWS):
        widgets += _row(f"{VIEW}Row{number:02d}:", rows_y + number * (ROW + GAP))
    widgets += result_line(result_y, WIDTH)
    return display("channels.bob", "Channels", WIDTH, result_y + ROW + MARGIN, widgets)


def _controls(y: int) -> list[Widget]:
    message = readout(f"{VIEW}Message", Place(1012, y, WIDTH - MARGIN - 1012), text=True)
    return [
        label("Filter", Place(MARGIN, y, 55), style="Default Bold"),
        entry(f"{VIEW}Filter", Place(72, y, 290), text=True, tip=FILTER_TIP),
        label("Sort by", Place(370, y, 55)),
        choice(f"{VIEW}Sort", Place(430, y, 110)),
        choice(f"{VIEW}Order", Place(545, y, 110)),
        label("Hold", Place(663, y, 37)),
        switch(f"{VIEW}Hold", Place(705, y, 70)),
        button("<", Place(783, y, 32), [Write(f"{VIEW}Prev", "1")], tip="One page back"),
        entry(f"{VIEW}Page", Place(820, y, 45)),
        readout(f"{VIEW}Pages", Place(870, y, 45), align=Align.CENTER),
        button(">", Place(920, y, 32), [Write(f"{VIEW}Next", "1")], tip="One page on"),
        readout(f"{VIEW}Total", Place(957, y, 50), align=Align.CENTER),
        message,
    ]


def _head(y: int) -> list[Widget]:
    return [label(column.title, at, style="Default Bold") for column, at in _places(y) if column.title]


def _row(row: str, y: int) -> list[Widget]:
    return [column.cell(row, at) for column, at in _places(y)]


def _places(y: int) -> list[tuple[Column, Place]]:
    found, x = [], MARGIN
    for column in COLUMNS:
        found.append((column, Place(x, y, column.width)))
        x += column.width + GAP
    return found
