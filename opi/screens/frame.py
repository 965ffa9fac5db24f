"""What all displays have in common: a title bar with the state of the archiver, and a line with what became of the last put."""

from __future__ import annotations

from collections.abc import Sequence

from archioc.opi.bob import Display, Widget
from archioc.opi.style import GAP, MARGIN, ROW, color
from archioc.opi.widgets import Align, Open, Place, button, label, lamp, readout

VIEW = "$(P)View:$(VIEW=$(DID)):"
"""Each open display has a view of its own, named after its display id. That id cannot be handed on to another display."""

TITLE_HEIGHT = 40
TOP = TITLE_HEIGHT + 4
"""Where the content of a display begins (pixels from its top)."""

STATES = (
    ("Starting", "State Idle"),
    ("Running", "State Good"),
    ("Degraded", "State Warning"),
    ("Fault", "State Bad"),
    ("Stopping", "State Idle"),
)
BUSY = (("Idle", "State Idle"), ("Busy", "State Warning"))


def display(file: str, title: str, width: int, height: int, content: Sequence[Widget], *, home: bool = True) -> Display:
    """A display with its title bar. home: with a button to the first display."""
    return Display(file, f"{title} $(P)", width, height, (*_title_bar(title, width, home=home), *content))


def _title_bar(title: str, width: int, *, home: bool) -> list[Widget]:
    bar = Widget("rectangle", "title bar", 0, 0, width, TITLE_HEIGHT, {"background_color": color("Header_Background"), "line_width": 0})
    y = (TITLE_HEIGHT - ROW) // 2
    right = width - MARGIN - (100 + GAP if home else 0)
    reason_x = MARGIN + 340 + 140 + 2 * GAP
    made = [
        bar,
        label(f"{title}  $(P)", Place(MARGIN, y, 340), style="Header 2", ink="Header_ForeGround"),
        lamp("$(P)State", Place(MARGIN + 340 + GAP, y, 140), STATES, "Header 3"),
        readout("$(P)StateReason", Place(reason_x, y, right - reason_x), text=True, ink="Header_ForeGround"),
    ]
    if home:
        tip = "The archiver at a glance"
        made.append(button("Overview", Place(width - MARGIN - 100, y, 100), [Open("main.bob", {"P": "$(P)"}, "replace")], tip=tip))
    return made


LABEL = 116
"""Pixels for the words before the result."""


def result_line(y: int, width: int, x: int = MARGIN, height: int = ROW) -> list[Widget]:
    """What became of the last command or put of this display, and whether one is being carried out. width: of the line."""
    text_x = x + LABEL + 64 + 2 * GAP
    return [
        label("Your last put", Place(x, y, LABEL), style="Default Bold"),
        lamp("$(P)Busy", Place(x + LABEL + GAP, y, 64), BUSY, "Default"),
        readout(f"{VIEW}Result", Place(text_x, y, x + width - text_x, height), text=True, wrap=height > ROW),
    ]


def bottom_line(y: int, width: int) -> list[Widget]:
    """The result line over the whole width of a display."""
    return result_line(y, width - 2 * MARGIN)


def centred(pv: str, at: Place) -> Widget:
    """A value in the middle of its field."""
    return readout(pv, at, align=Align.CENTER)
