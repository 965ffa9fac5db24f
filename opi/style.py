"""Colours, fonts and distances of all screens.

Colours and fonts are names of Phoebus' `color.def` and `font.def`, so that a site's own definitions restyle the screens.
"""

from __future__ import annotations

from dataclasses import dataclass

from archioc.opi.bob import Part

GAP = 6
"""Between widgets (pixels)."""

ROW = 28
"""Height of what an operator can use (pixels): a finger finds it."""

LINE = 24
"""Height of a line that is only read (pixels)."""

MARGIN = 12
"""Between widgets and the edge of a display (pixels)."""


@dataclass(frozen=True, slots=True)
class Size:
    """Pixels of the room for a display."""

    width: int
    height: int


SMALL, WIDE = Size(1280, 800), Size(1600, 900)
"""The layouts, for the screens of consoles and for larger ones."""

COLORS = {
    "Background": (255, 255, 255),
    "Button_Background": (210, 210, 210),
    "MAJOR": (255, 0, 0),
    "MINOR": (255, 128, 0),
    "INVALID": (255, 0, 255),
    "OK": (0, 255, 0),
    "Attention": (255, 160, 0),
    "Off": (60, 100, 60),
    "Text": (0, 0, 0),
    "Header_Background": (77, 77, 77),
    "Header_ForeGround": (255, 255, 255),
    "State Good": (126, 204, 126),
    "State Warning": (255, 165, 60),
    "State Bad": (240, 90, 80),
    "State Idle": (205, 205, 210),
    "Trace 1": (31, 119, 180),
    "Trace 2": (140, 86, 75),
    "Trace 3": (90, 90, 90),
}
"""Values count only where a site has no such name; `State ...`, the colours of states, and `Trace N`, the lines of charts,
are not among Phoebus' own."""

FONTS = {
    "Default": ("REGULAR", 14),
    "Default Bold": ("BOLD", 14),
    "Header 1": ("BOLD", 22),
    "Header 2": ("BOLD", 18),
    "Header 3": ("BOLD", 16),
    "Comment": ("ITALIC", 14),
    "Fine Print": ("REGULAR", 12),
}


def color(name: str) -> Part:
    """A named colour. Raises KeyError for one that Phoebus does not define."""
    red, green, blue = COLORS[name]
    attributes = {"name": name, "red": str(red), "green": str(green), "blue": str(blue), "alpha": "255"}
    return Part((("color", Part(attributes=attributes)),))


def font(name: str) -> Part:
    """A named font. Raises KeyError for one that Phoebus does not define."""
    style, size = FONTS[name]
    return Part((("font", Part(attributes={"name": name, "family": "Liberation Sans", "style": style, "size": f"{size:.1f}"})),))


def font_size(name: str) -> int:
    """Pixels of a named font. Raises KeyError for one that Phoebus does not define."""
    return FONTS[name][1]
