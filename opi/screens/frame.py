"""What all displays have in common: a title bar with the state of the archiver, and a line with what became of the last command."""

from __future__ import annotations

from collections.abc import Sequence

from archioc.opi.bob import Display, Widget
from archioc.opi.style import GAP, MARGIN, ROW, color
from archioc.opi.widgets import Align, Open, Place, button, label, readout

TITLE_HEIGHT = 40
TOP = MARGIN + TITLE_HEIGHT + GAP
"""Where the content of a display begins (pixels from its top)."""

RESULT_HEIGHT = ROW


def display(file: str, title: str, width: int, height: int, content: Sequence[Widget]) -> Display:
    """A display with its title bar."""
    return Display(file, f"{title} $(P)", width, height, (*_title_bar(title, width), *content))


def _title_bar(title: str, width: int) -> list[Widget]:
    bar = Widget("rectangle", "title bar", 0, 0, width, TITLE_HEIGHT, {"background_color": color("Header_Background"), "line_width": 0})
    y = (TITLE_HEIGHT - ROW) // 2
    home = width - MARGIN - 90
    return [
        bar,
        label(f"{title}  $(P)", Place(MARGIN, y, 400), style="Header 2", ink="Header_ForeGround"),
        readout("$(P)State", Place(MARGIN + 406, y, 110), align=Align.CENTER),
        readout("$(P)StateReason", Place(MARGIN + 406 + 116, y, home - GAP - MARGIN - 406 - 116), text=True),
        button("Overview", Place(home, y, 90), [Open("main.bob", {"P": "$(P)"})], tip="The archiver at a glance"),
    ]


def result_line(y: int, width: int) -> list[Widget]:
    """What became of the last command: its text and code, and whether one is being carried out."""
    return [
        label("Last result", Place(MARGIN, y, 100), style="Default Bold"),
        readout("$(P)Busy", Place(MARGIN + 106, y, 70), align=Align.CENTER),
        readout("$(P)ResultCode", Place(MARGIN + 182, y, 50), align=Align.CENTER),
        readout("$(P)Result", Place(MARGIN + 238, y, width - 2 * MARGIN - 238), text=True),
    ]
