"""audit.bob: who has changed what, and how many puts were refused."""

from __future__ import annotations

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.frame import TOP, display, result_line
from archioc.opi.style import GAP, MARGIN, ROW
from archioc.opi.widgets import Place, label, readout

WIDTH, HEIGHT = 1200, 620


def audit() -> Display:
    """The newest puts that were carried out, and what became of the last command."""
    result_y = HEIGHT - MARGIN - ROW
    list_y = TOP + 2 * (ROW + GAP)
    hint = "When (UTC), who, what, old and new value; newest first. All puts, also refused ones: audit.jsonl in the state directory."
    widgets: tuple[Widget, ...] = (
        label("Refused since the start", Place(MARGIN, TOP, 220), style="Default Bold"),
        readout("$(P)Denied", Place(MARGIN + 226, TOP, 90)),
        label(hint, Place(MARGIN, TOP + ROW + GAP, WIDTH - 2 * MARGIN), style="Comment"),
        readout("$(P)RecentChanges", Place(MARGIN, list_y, WIDTH - 2 * MARGIN, result_y - GAP - list_y), text=True, wrap=True),
        *result_line(result_y, WIDTH),
    )
    return display("audit.bob", "Changes", WIDTH, HEIGHT, widgets)
