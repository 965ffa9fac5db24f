"""main.bob: the archiver at a glance."""

from __future__ import annotations

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.frame import TOP, display, result_line
from archioc.opi.style import GAP, MARGIN, ROW
from archioc.opi.widgets import BOX_EDGE, Open, Place, Trace, box, button, chart, column, readout

WIDTH, HEIGHT = 1200, 800
COLUMN = (WIDTH - 2 * MARGIN - 3 * GAP) // 4
LINE = ROW + GAP
BOX_LINES = 11
BOX_HEIGHT = BOX_LINES * LINE + 2 * BOX_EDGE
INSIDE = Place(0, 0, COLUMN - 2 * BOX_EDGE)

COLLECTING = ("Channels", "Connected", "Disconnected", "DisconnectedPct", "Enabled", "EventRate", "SampleRate", "ClockSuspect", "BadTime")
STORING = ("Db:State", "WriteRate", "Lag", "Db:WriteTime", "Db:Retries", "Quarantine", "Spool:FillPct", "Spool:OldestAge", "Disk:FreePct")
COUNTS = ("Received", "Generated", "Filtered", "Stored", "Pending", "Rejected", "Dropped", "Dropped:LastMinute", "Dropped:SpoolFull")
PROCESSES = (
    "Version",
    "UPTIME",
    "Engine:State",
    "Engine:Restarts",
    "Writer:State",
    "Writer:Restarts",
    "Http:State",
    "Http:Restarts",
    "Ioc:Restarts",
    "LoopLag",
    "CA_CLNT_CNT",
)

SCREENS = (
    ("Channels", "channels.bob", "Find channels, watch them, change their settings"),
    ("Add and remove", "add.bob", "Add, import and remove channels"),
    ("Groups", "groups.bob", "Groups of channels and their conditions"),
    ("Database", "database.bob", "Delivery, spool and errors of the store"),
    ("History", "history.bob", "Rates, lag, spool and disk of the last days"),
    ("Alarm limits", "limits.bob", "Limits of the archiver's own alarms"),
    ("Changes", "audit.bob", "Who has changed what"),
)


def overview() -> Display:
    """The first display."""
    boxes = [_box(title, number, names) for number, (title, names) in enumerate(_BOXES)]
    charts_y = TOP + BOX_HEIGHT + GAP
    half = (WIDTH - 2 * MARGIN - GAP) // 2
    buttons_y = HEIGHT - MARGIN - 36
    result_y = buttons_y - GAP - ROW
    height = result_y - GAP - charts_y
    rates = (Trace("Updates", "$(P)EventRate"), Trace("Samples", "$(P)SampleRate"), Trace("Stored", "$(P)WriteRate"))
    behind = (Trace("Lag", "$(P)Lag"), Trace("Spool", "$(P)Spool:FillPct", axis=1))
    return display(
        "main.bob",
        "Archiver",
        WIDTH,
        HEIGHT,
        (
            *boxes,
            chart(Place(MARGIN, charts_y, half, height), "Rates", ("1/s",), rates),
            chart(Place(MARGIN + half + GAP, charts_y, half, height), "Behind", ("Lag (s)", "Spool (%)"), behind),
            *result_line(result_y, WIDTH),
            *_buttons(buttons_y),
        ),
    )


_BOXES = (("Collecting", COLLECTING), ("Storing", STORING), ("What became of it", COUNTS), ("Processes", PROCESSES))


def _box(title: str, number: int, names: tuple[str, ...]) -> Widget:
    at = Place(MARGIN + number * (COLUMN + GAP), TOP, COLUMN, BOX_HEIGHT)
    rows = [(_words(name), readout(f"$(P){name}", INSIDE)) for name in names]
    return box(title, at, column(rows, INSIDE, 135))


def _words(name: str) -> str:
    return WORDS.get(name, name)


WORDS = {
    "DisconnectedPct": "Disconnected part",
    "EventRate": "Updates",
    "SampleRate": "Samples",
    "ClockSuspect": "Clock suspect",
    "BadTime": "Bad time stamps",
    "Db:State": "Database",
    "WriteRate": "Stored",
    "Db:WriteTime": "Write time",
    "Db:Retries": "Retries",
    "Spool:FillPct": "Spool fill",
    "Spool:OldestAge": "Oldest batch",
    "Disk:FreePct": "Disk free",
    "Dropped:LastMinute": "   last minute",
    "Dropped:SpoolFull": "   spool full",
    "UPTIME": "Up for",
    "Engine:State": "Engine",
    "Engine:Restarts": "   restarts",
    "Writer:State": "Writer",
    "Writer:Restarts": "   restarts",
    "Http:State": "HTTP",
    "Http:Restarts": "   restarts",
    "Ioc:Restarts": "IOC restarts",
    "LoopLag": "Loop lag",
    "CA_CLNT_CNT": "CA clients",
}


def _buttons(y: int) -> list[Widget]:
    width = (WIDTH - 2 * MARGIN - (len(SCREENS) - 1) * GAP) // len(SCREENS)
    return [
        button(text, Place(MARGIN + number * (width + GAP), y, width, 36), [Open(file, {"P": "$(P)"})], tip=tip)
        for number, (text, file, tip) in enumerate(SCREENS)
    ]
