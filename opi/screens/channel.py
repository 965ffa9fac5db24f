"""channel.bob: everything about one channel. Macro `CH` is its name."""

from __future__ import annotations

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.channel_lines import counts, settings, state
from archioc.opi.screens.frame import TOP, display, result_line
from archioc.opi.style import GAP, MARGIN, ROW
from archioc.opi.widgets import BOX_EDGE, Open, Place, Write, box, button, column, data_browser, readout

WIDTH, HEIGHT = 1260, 900
STEM = "$(P)CH:$(CH):"
THIRD = (WIDTH - 2 * MARGIN - 2 * GAP) // 3
LINES = 14
BOX_HEIGHT = LINES * (ROW + GAP) + 2 * BOX_EDGE
INSIDE = Place(0, 0, THIRD - 2 * BOX_EDGE)


def channel() -> Display:
    """Settings, state, counters and the archived data of one channel."""
    boxes_y = TOP + ROW + GAP
    plot_y = boxes_y + BOX_HEIGHT + GAP
    result_y = HEIGHT - MARGIN - ROW
    lines = (("Settings", settings(STEM)), ("State", state(STEM)), ("What became of it", counts(STEM)))
    boxes = [
        box(title, Place(MARGIN + number * (THIRD + GAP), boxes_y, THIRD, BOX_HEIGHT), column(rows, INSIDE, 125))
        for number, (title, rows) in enumerate(lines)
    ]
    plot = data_browser("channel.plt", Place(MARGIN, plot_y, WIDTH - 2 * MARGIN, result_y - GAP - plot_y), {"CH": "$(CH)"})
    return display("channel.bob", "Channel", WIDTH, HEIGHT, (*_name_line(TOP), *boxes, plot, *result_line(result_y, WIDTH)))


def _name_line(y: int) -> list[Widget]:
    return [
        readout(f"{STEM}Name", Place(MARGIN, y, 826), text=True, style="Header 3"),
        button("List", Place(850, y, 80), [Open("channels.bob", {"P": "$(P)"})], tip="All channels"),
        button(
            "Remove",
            Place(936, y, WIDTH - MARGIN - 936),
            [Write(f"{STEM}Remove", "$(CH)")],
            pv=f"{STEM}Remove",
            confirm="Stop archiving $(CH)? What is stored stays.",
            tip="Take this channel out of the archive; what is stored stays",
        ),
    ]
