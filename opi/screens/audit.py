"""audit.bob: who has changed what, and how many puts were refused."""

from __future__ import annotations

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.frame import TOP, bottom_line, display
from archioc.opi.style import GAP, MARGIN, ROW, SMALL, Size
from archioc.opi.widgets import Place, label, readout, words

HINT = "When (UTC), who, what, old and new value; newest first. All puts, also refused ones: audit.jsonl in the state directory."


def audit(size: Size = SMALL) -> Display:
    """The newest puts that were carried out, and what became of the last one of all clients."""
    result_y = size.height - MARGIN - ROW
    last_y = result_y - ROW - GAP
    list_y = TOP + 2 * (ROW + GAP)
    wide = size.width - 2 * MARGIN
    widgets: tuple[Widget, ...] = (
        label("Puts refused since the start", Place(MARGIN, TOP, 244), style="Default Bold"),
        words("$(P)Refused", Place(MARGIN + 250, TOP, 90)),
        label("of these for a missing right", Place(MARGIN + 360, TOP, 224)),
        words("$(P)Denied", Place(MARGIN + 590, TOP, 90)),
        label(HINT, Place(MARGIN, TOP + ROW + GAP, wide), style="Comment"),
        readout("$(P)RecentChanges", Place(MARGIN, list_y, wide, last_y - GAP - list_y), text=True, wrap=True),
        label("Last of all clients", Place(MARGIN, last_y, 170), style="Default Bold"),
        readout("$(P)Result", Place(MARGIN + 176, last_y, wide - 176), text=True),
        *bottom_line(result_y, size.width),
    )
    return display("audit.bob", "Changes", size.width, size.height, widgets)
