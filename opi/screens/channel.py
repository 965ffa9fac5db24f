"""channel.bob: everything about one channel. Macro `CH` is its name."""

from __future__ import annotations

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.channel_lines import counts, settings, state
from archioc.opi.screens.frame import TOP, bottom_line, display
from archioc.opi.style import GAP, MARGIN, ROW, SMALL, Size
from archioc.opi.widgets import BOX_EDGE, Open, Place, Write, box, button, column, data_browser, readout

STEM = "$(P)CH:$(CH):"
PITCH = 29
BOX_HEIGHT = 14 * PITCH + 2 * BOX_EDGE


def channel(size: Size = SMALL) -> Display:
    """Settings, state, counters and the archived data of one channel."""
    third = (size.width - 2 * MARGIN - 2 * GAP) // 3
    inside = Place(0, 0, third - 2 * BOX_EDGE)
    boxes_y = TOP + ROW + GAP
    plot_y = boxes_y + BOX_HEIGHT + GAP
    result_y = size.height - MARGIN - ROW
    lines = (("Settings", settings(STEM)), ("State", state(STEM)), ("What became of it", counts(STEM)))
    boxes = [
        box(title, Place(MARGIN + number * (third + GAP), boxes_y, third, BOX_HEIGHT), column(rows, inside, 120, PITCH))
        for number, (title, rows) in enumerate(lines)
    ]
    plot = data_browser("channel.plt", Place(MARGIN, plot_y, size.width - 2 * MARGIN, result_y - GAP - plot_y), {"CH": "$(CH)"})
    content = (*_name_line(TOP, size.width), *boxes, plot, *bottom_line(result_y, size.width))
    return display("channel.bob", "Channel", size.width, size.height, content)


def _name_line(y: int, width: int) -> list[Widget]:
    right = width - MARGIN
    return [
        readout(f"{STEM}Name", Place(MARGIN, y, right - MARGIN - 262), text=True, style="Header 3"),
        button("List", Place(right - 256, y, 80), [Open("channels.bob", {"P": "$(P)"}, "replace")], tip="All channels"),
        button(
            "Remove ...",
            Place(right - 170, y, 170),
            [Write(f"{STEM}Remove", "$(CH)")],
            pv=f"{STEM}Remove",
            confirm="Stop archiving $(CH)? What is stored stays.",
            tip="Take this channel out of the archive; what is stored stays",
        ),
    ]
