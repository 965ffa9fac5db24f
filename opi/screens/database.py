"""database.bob: what goes to the store and what waits for it."""

from __future__ import annotations

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.frame import TOP, VIEW, bottom_line, display
from archioc.opi.style import GAP, MARGIN, ROW, SMALL, Size
from archioc.opi.widgets import BOX_EDGE, READ_PITCH, Open, Place, Trace, Write, box, button, chart, column, lamp, readout, words

STORE_STATES = (
    ("Unknown", "State Warning"),
    ("OK", "State Good"),
    ("Unreachable", "State Bad"),
    ("Denied", "State Bad"),
    ("Rejecting", "State Bad"),
    ("Degraded", "State Warning"),
)
PROCESS_STATES = (("Stopped", "State Idle"), ("Starting", "State Warning"), ("Running", "State Good"), ("Stopping", "State Warning"))

DELIVERY = (
    ("Stored", "WriteRate"),
    ("Lag", "Lag"),
    ("Write time", "Db:WriteTime"),
    ("Last write", "Db:LastWrite"),
    ("Retries", "Db:Retries"),
    ("Refused last minute", "Rejected:LastMinute"),
    ("Refused for good", "Rejected"),
    ("In quarantine", "Quarantine"),
)
SPOOL = (
    ("Spool fill", "Spool:FillPct"),
    ("Oldest batch", "Spool:OldestAge"),
    ("Batches", "Spool:Files"),
    ("Size", "Spool:Bytes"),
    ("Disk free", "Disk:FreePct"),
    ("Pending samples", "Pending"),
)
LOST = (
    ("Last minute", "Dropped:LastMinute"),
    ("In all", "Dropped"),
    ("   spool full", "Dropped:SpoolFull"),
    ("   ring full", "Dropped:Overflow"),
    ("   over the quota", "Dropped:Quota"),
)
LINES = 10
BOX_HEIGHT = LINES * READ_PITCH + 2 * BOX_EDGE


def database(size: Size = SMALL) -> Display:
    """Delivery, spool, losses, the store's words, and how it went lately."""
    third, wide = (size.width - 2 * MARGIN - 2 * GAP) // 3, size.width - 2 * MARGIN
    words_y = TOP + BOX_HEIGHT + GAP
    chart_y = words_y + ROW + GAP
    result_y = size.height - MARGIN - ROW
    buttons_y = result_y - ROW - GAP
    inside = Place(0, 0, third - 2 * BOX_EDGE)
    states = (
        ("Database", lamp("$(P)Db:State", inside, STORE_STATES)),
        ("Writer", lamp("$(P)Writer:State", inside, PROCESS_STATES)),
    )
    lines = (("Delivery", (*states, *_words(DELIVERY, inside))), ("Spool", _words(SPOOL, inside)), ("Lost", _words(LOST, inside)))
    boxes = [
        box(title, Place(MARGIN + number * (third + GAP), TOP, third, BOX_HEIGHT), column(rows, inside, 150, READ_PITCH))
        for number, (title, rows) in enumerate(lines)
    ]
    error = (("Last error of the store", readout("$(P)Db:LastError", inside, text=True)),)
    below = (*_charts(chart_y, buttons_y - GAP - chart_y, third), *_buttons(buttons_y), *bottom_line(result_y, size.width))
    content = (*boxes, *column(error, Place(MARGIN, words_y, wide), 190), *below)
    return display("database.bob", "Database", size.width, size.height, content)


def _words(rows: tuple[tuple[str, str], ...], at: Place) -> tuple[tuple[str, Widget], ...]:
    return tuple((text, words(f"$(P){name}", at)) for text, name in rows)


def _charts(y: int, height: int, third: int) -> list[Widget]:
    places = [Place(MARGIN + number * (third + GAP), y, third, height) for number in range(3)]
    return [
        chart(places[0], "Stored (1/s)", (Trace("Stored", "$(P)WriteRate"),), start="30 minutes"),
        chart(places[1], "Lag (s)", (Trace("Lag", "$(P)Lag"),), first=2, start="30 minutes"),
        chart(places[2], "Spool fill (%)", (Trace("Spool", "$(P)Spool:FillPct"),), span=(0.0, 100.0), first=3, start="30 minutes"),
    ]


def _buttons(y: int) -> list[Widget]:
    flush = f"{VIEW}Flush"
    history = [Open("history.bob", {"P": "$(P)"})]
    return [
        button("Flush", Place(MARGIN, y, 120), [Write(flush, "1")], pv=flush, tip="Commit now what is collected"),
        button("History", Place(MARGIN + 126, y, 120), history, tip="Rates, lag, spool and disk of the last days"),
    ]
