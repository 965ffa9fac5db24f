"""Where widgets stand: inside, apart from each other, and large enough for their texts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.screens.reading import Screen, Shown, expand

NEAREST = 5
"""Pixels between widgets."""

LETTER = 0.56
"""Mean width of a letter of Liberation Sans by the size of the font; bold letters are wider."""
BOLD = 1.08

BEHIND = frozenset({"rectangle"})
"""Widgets that others may stand on."""


def findings(screen: Screen) -> Iterator[str]:
    """What is wrong with the places of widgets, in words."""
    for shown in screen.widgets:
        yield from _outside(screen, shown)
        if shown.kind in {"label", "action_button"}:
            yield from _too_small(screen, shown)
    from_above = sorted((shown for shown in screen.widgets if shown.kind not in BEHIND), key=lambda shown: shown.y)
    for number, one in enumerate(from_above):
        for other in itertools.islice(from_above, number + 1, None):
            if other.y >= one.y + one.height + NEAREST:
                break
            if one.parent == other.parent and _near(one, other):
                yield f"{one.title} is less than {NEAREST} px from {other.title}"


def _outside(screen: Screen, shown: Shown) -> Iterator[str]:
    left, top, right, bottom = 0, 0, screen.width, screen.height
    if shown.parent >= 0:
        holder = screen.widgets[shown.parent]
        left, top = holder.x + holder.inset, holder.y + holder.inset
        right, bottom = holder.x + holder.width - holder.inset, holder.y + holder.height - holder.inset
    if shown.x < left or shown.y < top or shown.x + shown.width > right or shown.y + shown.height > bottom:
        yield f"{shown.title} is not inside"


def _near(one: Shown, other: Shown) -> bool:
    across = max(one.x, other.x) - min(one.x + one.width, other.x + other.width)
    down = max(one.y, other.y) - min(one.y + one.height, other.y + other.height)
    return across < NEAREST and down < NEAREST


def _too_small(screen: Screen, shown: Shown) -> Iterator[str]:
    font = shown.element.find("font/font")
    size = shown.font_size
    letter = LETTER * size * (BOLD if font is not None and "BOLD" in font.get("style", "") else 1.0)
    text = expand(shown.text("text"), screen.macros)
    if len(text) * letter > shown.width or size + 4 > shown.height:
        yield f"{shown.title} of {shown.width} x {shown.height} px is too small for {text!r}"
