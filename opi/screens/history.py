"""history.bob: what the archiver was like lately, in a Data Browser."""

from __future__ import annotations

from archioc.opi.bob import Display
from archioc.opi.screens.frame import TOP, display
from archioc.opi.style import GAP, MARGIN, ROW, SMALL, Size
from archioc.opi.widgets import Place, data_browser, label

HINT = "It has a past only if this archiver, or another one, archives these PVs of it."


def history(size: Size = SMALL) -> Display:
    """`health.plt` in a display, since that hands on the prefix in every version of Phoebus."""
    hint_y, wide = size.height - MARGIN - ROW, size.width - 2 * MARGIN
    plot = data_browser("health.plt", Place(MARGIN, TOP, wide, hint_y - GAP - TOP), {"P": "$(P)"})
    hint = label(HINT, Place(MARGIN, hint_y, wide), style="Comment")
    return display("history.bob", "History", size.width, size.height, (plot, hint))
