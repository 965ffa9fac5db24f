"""main.bob: the archiver at a glance. What matters now is large and above; counters are small and below."""

from __future__ import annotations

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.database import PROCESS_STATES, STORE_STATES
from archioc.opi.screens.frame import TOP, bottom_line, display
from archioc.opi.style import GAP, MARGIN, ROW, SMALL, Size
from archioc.opi.widgets import BOX_EDGE, READ_PITCH, Align, Open, Place, Trace, box, button, chart, column, label, lamp, words

TILES = (
    ("Samples stored", "WriteRate"),
    ("Behind the present", "Lag"),
    ("Lost in the last minute", "Dropped:LastMinute"),
    ("Not connected", "Disconnected"),
    ("Spool fill", "Spool:FillPct"),
    ("Disk free", "Disk:FreePct"),
)
"""What an operator must know now. The border of each shows its alarm."""

COLLECTING = (
    ("Channels", "Channels"),
    ("Connected", "Connected"),
    ("Disconnected part", "DisconnectedPct"),
    ("Enabled", "Enabled"),
    ("Updates", "EventRate"),
    ("Samples", "SampleRate"),
    ("Bad time stamps", "BadTime"),
    ("Late updates", "Late"),
)
STORING = (
    ("Write time", "Db:WriteTime"),
    ("Retries", "Db:Retries"),
    ("Quarantine", "Quarantine"),
    ("Oldest batch", "Spool:OldestAge"),
    ("Batches", "Spool:Files"),
    ("Spool size", "Spool:Bytes"),
)
COUNTS = ("Received", "Generated", "Filtered", "Stored", "Pending", "Rejected", "Dropped")
PROCESSES = (("Engine", "Engine"), ("Writer", "Writer"), ("HTTP", "Http"))
OWN = (("Up for", "UPTIME"), ("IOC restarts", "Ioc:Restarts"), ("Loop lag", "LoopLag"), ("CA clients", "CA_CLNT_CNT"))

SCREENS = (
    ("Channels", "channels.bob", "Find channels, watch them, change their settings"),
    ("Add and remove", "add.bob", "Add, import and remove channels"),
    ("Groups", "groups.bob", "Groups of channels and their conditions"),
    ("Database", "database.bob", "Delivery, spool and errors of the store"),
    ("History", "history.bob", "Rates, lag, spool and disk of the last days"),
    ("Alarm limits", "limits.bob", "Limits of the archiver's own alarms"),
    ("Changes", "audit.bob", "Who has changed what"),
)

TILE_HEIGHT = 74
BUTTON_HEIGHT = 40
LINES = 9
BOX_HEIGHT = LINES * READ_PITCH + 2 * BOX_EDGE
SUSPECT = (("No", "State Idle"), ("Yes", "State Bad"))


def overview(size: Size = SMALL) -> Display:
    """The first display."""
    boxes_y = TOP + TILE_HEIGHT + GAP
    charts_y = boxes_y + BOX_HEIGHT + GAP
    buttons_y = size.height - MARGIN - BUTTON_HEIGHT
    result_y = buttons_y - GAP - ROW
    content = (
        *_tiles(size.width),
        *_boxes(boxes_y, size.width),
        *_charts(charts_y, result_y - GAP - charts_y, size.width),
        *bottom_line(result_y, size.width),
        *_buttons(buttons_y, size.width),
    )
    return display("main.bob", "Archiver", size.width, size.height, content, home=False)


def _across(number: int, count: int, y: int, width: int, height: int) -> Place:
    """One of so many equal places side by side."""
    each = (width - 2 * MARGIN - (count - 1) * GAP) // count
    return Place(MARGIN + number * (each + GAP), y, each, height)


def _tiles(width: int) -> list[Widget]:
    made: list[Widget] = []
    for number, (title, name) in enumerate(TILES):
        at = _across(number, len(TILES), TOP, width, TILE_HEIGHT)
        made.append(label(title, Place(at.x, at.y, at.width, 22), align=Align.CENTER))
        made.append(words(f"$(P){name}", Place(at.x, at.y + 24, at.width, at.height - 24), style="Header 1", align=Align.CENTER))
    return made


def _boxes(y: int, width: int) -> list[Widget]:
    at = _across(0, 4, y, width, BOX_HEIGHT)
    inside = Place(0, 0, at.width - 2 * BOX_EDGE)

    def value(name: str) -> Widget:
        return words(f"$(P){name}", inside)

    lines = (
        ("Collecting", (*((text, value(name)) for text, name in COLLECTING), ("Clock suspect", lamp("$(P)ClockSuspect", inside, SUSPECT)))),
        ("Storing", (("Database", lamp("$(P)Db:State", inside, STORE_STATES)), *((text, value(name)) for text, name in STORING))),
        ("What became of it", tuple((name, value(name)) for name in COUNTS)),
        (
            "Processes",
            (
                *((text, lamp(f"$(P){name}:State", inside, PROCESS_STATES)) for text, name in PROCESSES),
                *((text, value(name)) for text, name in OWN),
                ("Version", value("Version")),
                ("Callback", value("Callback")),
            ),
        ),
    )
    return [
        box(title, _across(number, 4, y, width, BOX_HEIGHT), column(rows, inside, 138, READ_PITCH))
        for number, (title, rows) in enumerate(lines)
    ]


def _charts(y: int, height: int, width: int) -> list[Widget]:
    rates = (Trace("Updates", "$(P)EventRate"), Trace("Samples", "$(P)SampleRate"), Trace("Stored", "$(P)WriteRate"))
    return [
        chart(_across(0, 3, y, width, height), "Rates (1/s)", rates),
        chart(_across(1, 3, y, width, height), "Lag (s)", (Trace("Lag", "$(P)Lag"),), first=2),
        chart(_across(2, 3, y, width, height), "Spool fill (%)", (Trace("Spool", "$(P)Spool:FillPct"),), span=(0.0, 100.0), first=3),
    ]


def _buttons(y: int, width: int) -> list[Widget]:
    return [
        button(text, _across(number, len(SCREENS), y, width, BUTTON_HEIGHT), [Open(file, {"P": "$(P)"})], tip=tip)
        for number, (text, file, tip) in enumerate(SCREENS)
    ]
