"""Where widgets stand: inside, apart from each other, and large enough for their texts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.screens.reading import Screen, Shown, expand

NEAREST = 4
"""Pixels between widgets side by side."""

LINES_APART = 1
"""Pixels between widgets one below the other."""

TARGET = 28
"""Height of what an operator can use (pixels)."""

USABLE = frozenset({"textentry", "combo", "bool_button", "action_button"})

LETTER = 0.56
"""Mean width of a letter of Liberation Sans by the size of the font; bold letters are wider."""
BOLD = 1.08

BEHIND = frozenset({"rectangle"})
"""Widgets that others may stand on."""


def findings(screen: Screen) -> Iterator[str]:
    """What is wrong with the places of widgets, in words."""
    for shown in screen.widgets:
        yield from _outside(screen, shown)
        if shown.kind in USABLE and shown.height < TARGET:
            yield f"{shown.title} is {shown.height} px high, less than {TARGET}"
        if shown.kind in {"label", "action_button"}:
            yield from _too_small(screen, shown)
    from_above = sorted((shown for shown in screen.widgets if shown.kind not in BEHIND), key=lambda shown: shown.y)
    for number, one in enumerate(from_above):
        for other in itertools.islice(from_above, number + 1, None):
            if other.y >= one.y + one.height + LINES_APART:
                break
            if one.parent == other.parent and _near(one, other) and not _never_together(one, other):
                yield f"{one.title} is less than {NEAREST} px from {other.title}"


def _outside(screen: Screen, shown: Shown) -> Iterator[str]:
    left, top, right, bottom = 0, 0, screen.width, screen.height
    if shown.parent >= 0:
        holder = screen.widgets[shown.parent]
        left, top = holder.x + holder.inset, holder.y + holder.inset
        right, bottom = holder.x + holder.width - holder.inset, holder.y + holder.height - holder.inset
    if shown.x < left or shown.y < top or shown.x + shown.width > right or shown.y + shown.height > bottom:
        yield f"{shown.title} is not inside"


def _never_together(one: Shown, other: Shown) -> bool:
    """Lines of a table touch, and of two widgets with opposite rules only one is there."""
    if one.rule is None or other.rule is None:
        return False
    return one.y + one.height <= other.y or (one.rule[1] == other.rule[1] and one.rule[0] != other.rule[0])


def _near(one: Shown, other: Shown) -> bool:
    across = max(one.x, other.x) - min(one.x + one.width, other.x + other.width)
    down = max(one.y, other.y) - min(one.y + one.height, other.y + other.height)
    return across < NEAREST and down < LINES_APART


def _too_small(screen: Screen, shown: Shown) -> Iterator[str]:
    font = shown.element.find("font/font")
    size = shown.font_size
    letter = LETTER * size * (BOLD if font is not None and "BOLD" in font.get("style", "") else 1.0)
    text = expand(shown.text("text"), screen.macros)
    if len(text) * letter > shown.width or size + 4 > shown.height:
        yield f"{shown.title} of {shown.width} x {shown.height} px is too small for {text!r}"
