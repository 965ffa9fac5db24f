"""database.bob: what goes to the store and what waits for it."""

from __future__ import annotations

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.frame import TOP, display, result_line
from archioc.opi.style import GAP, MARGIN, ROW
from archioc.opi.widgets import BOX_EDGE, Open, Place, Trace, Write, box, button, chart, column, readout

WIDTH, HEIGHT = 1000, 760
HALF = (WIDTH - 2 * MARGIN - GAP) // 2
BOX_HEIGHT = 9 * (ROW + GAP) + 2 * BOX_EDGE
INSIDE = Place(0, 0, HALF - 2 * BOX_EDGE)

DELIVERY = (
    ("Database", "Db:State"),
    ("Stored", "WriteRate"),
    ("Lag", "Lag"),
    ("Last write", "Db:LastWrite"),
    ("Write time", "Db:WriteTime"),
    ("Retries", "Db:Retries"),
    ("Writer", "Writer:State"),
    ("   restarts", "Writer:Restarts"),
    ("Refused last minute", "Rejected:LastMinute"),
)
SPOOL = (
    ("Batches", "Spool:Files"),
    ("Size", "Spool:Bytes"),
    ("Fill", "Spool:FillPct"),
    ("Oldest batch", "Spool:OldestAge"),
    ("Disk free", "Disk:FreePct"),
    ("Pending", "Pending"),
    ("Lost, spool full", "Dropped:SpoolFull"),
    ("Refused for good", "Rejected"),
    ("In quarantine", "Quarantine"),
)


def database() -> Display:
    """Delivery, spool, the store's words, and how both went lately."""
    words_y = TOP + BOX_HEIGHT + GAP
    chart_y = words_y + ROW + GAP
    result_y = HEIGHT - MARGIN - ROW
    boxes = [_box(title, number, rows) for number, (title, rows) in enumerate((("Delivery", DELIVERY), ("Spool", SPOOL)))]
    error = ("Last error of the store", readout("$(P)Db:LastError", INSIDE, text=True))
    words = column((error,), Place(MARGIN, words_y, WIDTH - 2 * MARGIN), 190)
    traces = (Trace("Lag", "$(P)Lag"), Trace("Spool", "$(P)Spool:FillPct", axis=1), Trace("Stored", "$(P)WriteRate", axis=2))
    plot = chart(
        Place(MARGIN, chart_y, WIDTH - 2 * MARGIN, result_y - chart_y - ROW - 3 * GAP),
        "Delivery",
        ("Lag (s)", "Spool (%)", "Stored (1/s)"),
        traces,
        "30 minutes",
    )
    below = (*_buttons(result_y - ROW - 2 * GAP), *result_line(result_y, WIDTH))
    return display("database.bob", "Database", WIDTH, HEIGHT, (*boxes, *words, plot, *below))


def _box(title: str, number: int, rows: tuple[tuple[str, str], ...]) -> Widget:
    at = Place(MARGIN + number * (HALF + GAP), TOP, HALF, BOX_HEIGHT)
    return box(title, at, column([(text, readout(f"$(P){name}", INSIDE)) for text, name in rows], INSIDE, 150))


def _buttons(y: int) -> list[Widget]:
    flush = "$(P)Flush"
    history = [Open("history.bob", {"P": "$(P)"})]
    return [
        button("Flush", Place(MARGIN, y, 120), [Write(flush, "1")], pv=flush, tip="Commit now what is collected"),
        button("History", Place(MARGIN + 126, y, 120), history, tip="Rates, lag, spool and disk of the last days"),
    ]
