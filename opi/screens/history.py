"""history.bob: what the archiver was like lately, in a Data Browser."""

from __future__ import annotations

from archioc.opi.bob import Display
from archioc.opi.screens.frame import TOP, display
from archioc.opi.style import GAP, MARGIN, ROW
from archioc.opi.widgets import Place, data_browser, label

WIDTH, HEIGHT = 1200, 800
HINT = "It has a past only if this archiver, or another one, archives these PVs of it."


def history() -> Display:
    """`health.plt` in a display, since that hands on the prefix in every version of Phoebus."""
    hint_y = HEIGHT - MARGIN - ROW
    plot = data_browser("health.plt", Place(MARGIN, TOP, WIDTH - 2 * MARGIN, hint_y - GAP - TOP), {"P": "$(P)"})
    return display("history.bob", "History", WIDTH, HEIGHT, (plot, label(HINT, Place(MARGIN, hint_y, WIDTH - 2 * MARGIN), style="Comment")))
