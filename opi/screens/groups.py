"""groups.bob: the groups of channels in pages, with their conditions. Each open display has a view of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from opi.bob import Display, Widget
from opi.screens.frame import TOP, display, result_line
from opi.style import MARGIN, ROW
from opi.widgets import Align, Open, Place, Write, button, entry, label, readout, switch

WIDTH = 1200
GROUPS = 10
GAP = 5
VIEW = "$(P)View:$(VIEW=$(DID)):"

Cell = Callable[[str, Place], Widget]
"""Makes the widget of a column from the PVs of a group and its place."""


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    width: int
    cell: Cell


def _value(field: str, *, text: bool = False) -> Cell:
    return lambda group, at: readout(f"{group}{field}", at, text=text)


COLUMNS = (
    Column("Group", 200, _value("Name", text=True)),
    Column("Archived", 75, _value("State")),
    Column("Archive", 75, lambda group, at: switch(f"{group}Enable", at)),
    Column("Condition", 220, lambda group, at: entry(f"{group}Condition", at, text=True, tip="PV OPERATOR VALUE; empty: always")),
    Column("Holds?", 110, _value("ConditionState")),
    Column("Channels", 75, _value("Channels")),
    Column("Connected", 85, _value("Connected")),
    Column("Missing", 75, _value("Disconnected")),
    Column("Updates", 90, _value("EventRate")),
    Column("Why not", 126, _value("Reason", text=True)),
)


def groups() -> Display:
    """The list with its pages."""
    head_y = TOP + ROW + GAP
    rows_y = head_y + ROW + GAP
    result_y = rows_y + GROUPS * (ROW + GAP) + GAP
    widgets = [*_controls(TOP), *(label(column.title, at, style="Default Bold") for column, at in _places(head_y))]
    for number in range(GROUPS):
        y = rows_y + number * (ROW + GAP)
        widgets += [column.cell(f"{VIEW}Group{number:02d}:", at) for column, at in _places(y)]
    widgets += result_line(result_y, WIDTH)
    return display("groups.bob", "Groups", WIDTH, result_y + ROW + MARGIN, widgets)


def _controls(y: int) -> list[Widget]:
    return [
        label("Groups", Place(MARGIN, y, 60), style="Default Bold"),
        readout(f"{VIEW}GroupTotal", Place(77, y, 60), align=Align.CENTER),
        button("<", Place(150, y, 32), [Write(f"{VIEW}GroupPrev", "1")], tip="One page back"),
        entry(f"{VIEW}GroupPage", Place(187, y, 45)),
        readout(f"{VIEW}GroupPages", Place(237, y, 45), align=Align.CENTER),
        button(">", Place(287, y, 32), [Write(f"{VIEW}GroupNext", "1")], tip="One page on"),
        readout(f"{VIEW}Message", Place(330, y, 720), text=True),
        button("Channels", Place(1060, y, 128), [Open("channels.bob", {"P": "$(P)"})], tip="With the filter group=NAME those of a group"),
    ]


def _places(y: int) -> list[tuple[Column, Place]]:
    found, x = [], MARGIN
    for column in COLUMNS:
        found.append((column, Place(x, y, column.width)))
        x += column.width + GAP
    return found
