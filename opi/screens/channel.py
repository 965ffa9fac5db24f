"""channel.bob: everything about one channel. Macro `CH` is its name, or what stands for it where that is long (`Ref`)."""

from __future__ import annotations

from opi.bob import Display, Widget
from opi.screens.frame import TOP, display, result_line
from opi.style import GAP, MARGIN, ROW
from opi.widgets import BOX_EDGE, Open, Place, Plot, Write, box, button, choice, column, data_browser, entry, readout, switch

WIDTH, HEIGHT = 1260, 900
STEM = "$(P)CH:$(CH):"
THIRD = (WIDTH - 2 * MARGIN - 2 * GAP) // 3
LINES = 15
BOX_HEIGHT = LINES * (ROW + GAP) + 2 * BOX_EDGE
INSIDE = Place(0, 0, THIRD - 2 * BOX_EDGE)

SETTINGS = (
    ("Archive", switch(f"{STEM}Enable", INSIDE)),
    ("Mode", choice(f"{STEM}Mode", INSIDE)),
    ("At most", entry(f"{STEM}Rate", INSIDE)),
    ("Dead band", entry(f"{STEM}Deadband", INSIDE)),
    ("Dead band (%)", entry(f"{STEM}DeadbandPct", INSIDE)),
    ("At least every", entry(f"{STEM}MaxInterval", INSIDE)),
    ("Quota", entry(f"{STEM}Quota", INSIDE)),
    ("Event mask", choice(f"{STEM}Mask", INSIDE)),
    ("Clock", choice(f"{STEM}Clock", INSIDE)),
    ("Most elements", entry(f"{STEM}MaxElements", INSIDE)),
    ("Larger arrays", choice(f"{STEM}LargeArrays", INSIDE)),
    ("As text", switch(f"{STEM}AsText", INSIDE)),
    ("Group", entry(f"{STEM}Group", INSIDE, text=True)),
    ("Description", entry(f"{STEM}Desc", INSIDE, text=True)),
)
STATE = (
    ("State", readout(f"{STEM}State", INSIDE)),
    ("Why", readout(f"{STEM}Reason", INSIDE, text=True)),
    ("Connected", readout(f"{STEM}Connected", INSIDE)),
    ("IOC", readout(f"{STEM}Host", INSIDE, text=True)),
    ("Value", readout(f"{STEM}Value", INSIDE)),
    ("Text", readout(f"{STEM}Text", INSIDE)),
    ("Unit", readout(f"{STEM}Units", INSIDE)),
    ("Severity", readout(f"{STEM}Severity", INSIDE)),
    ("IOC time", readout(f"{STEM}Time", INSIDE)),
    ("Age", readout(f"{STEM}Age", INSIDE)),
    ("Type", readout(f"{STEM}Type", INSIDE)),
    ("Elements", readout(f"{STEM}Elements", INSIDE)),
    ("Disconnects", readout(f"{STEM}Disconnects", INSIDE)),
)
COUNTS = tuple(
    (text, readout(f"{STEM}{name}", INSIDE))
    for text, name in (
        ("Updates", "EventRate"),
        ("Samples", "SampleRate"),
        ("Received", "Received"),
        ("Generated", "Generated"),
        ("Filtered", "Filtered"),
        ("Stored", "Stored"),
        ("Pending", "Pending"),
        ("Dropped", "Dropped"),
        ("Late", "Late"),
        ("Bad time stamps", "BadTime"),
    )
)


def channel() -> Display:
    """Settings, state, counters and the archived data of one channel."""
    boxes_y = TOP + ROW + GAP
    plot_y = boxes_y + BOX_HEIGHT + GAP
    result_y = HEIGHT - MARGIN - ROW
    boxes = [
        box(title, Place(MARGIN + number * (THIRD + GAP), boxes_y, THIRD, BOX_HEIGHT), column(rows, INSIDE, 125))
        for number, (title, rows) in enumerate((("Settings", SETTINGS), ("State", STATE), ("What became of it", COUNTS)))
    ]
    plot = data_browser("channel.plt", Place(MARGIN, plot_y, WIDTH - 2 * MARGIN, result_y - GAP - plot_y), {"CH": "$(CH)"})
    return display("channel.bob", "Channel", WIDTH, HEIGHT, (*_name_line(TOP), *boxes, plot, *result_line(result_y, WIDTH)))


def _name_line(y: int) -> list[Widget]:
    return [
        readout(f"{STEM}Name", Place(MARGIN, y, 700), text=True, style="Header 3"),
        button("Data Browser", Place(724, y, 120), [Plot(("$(CH)",))], tip="This channel in a Data Browser of its own"),
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
