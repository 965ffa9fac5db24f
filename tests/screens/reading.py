"""Displays read from their files, with places counted from the display's corner."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, parse

DEFAULT_FONT_SIZE = 14.0

_MACRO = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)(?:=((?:[^()]|\([^()]*\))*))?\)")


@dataclass(frozen=True, slots=True)
class Shown:
    """A widget as it stands on the display. parent: the number of the group that holds it, -1 for none."""

    element: Element
    kind: str
    x: int
    y: int
    width: int
    height: int
    parent: int

    def text(self, tag: str, default: str = "") -> str:
        """A property as text."""
        return self.element.findtext(tag, default)

    @property
    def font_size(self) -> float:
        """Pixels."""
        font = self.element.find("font/font")
        return DEFAULT_FONT_SIZE if font is None else float(font.get("size", "14"))

    @property
    def inset(self) -> int:
        """What the frame of a group takes from its inside on each side (`GroupRepresentation` of Phoebus); style 3 has no frame."""
        if self.text("style", "0") == "3":
            return 0
        return 2 + int(1.2 * self.font_size)

    @property
    def rule(self) -> tuple[str, str] | None:
        """The expression and the PV of a rule that hides the widget, None for none."""
        found = self.element.find("rules/rule")
        return None if found is None else (found.find("exp").get("bool_exp", ""), found.findtext("pv_name", ""))  # type: ignore[union-attr]

    @property
    def title(self) -> str:
        """How findings name it."""
        return f"{self.kind} {self.text('name')!r}"


@dataclass(frozen=True, slots=True)
class Screen:
    """A display's file. widgets: groups come before what they hold."""

    path: Path
    root: Element
    width: int
    height: int
    widgets: tuple[Shown, ...]

    @property
    def macros(self) -> dict[str, str]:
        """What the display itself gives values to."""
        found = self.root.find("macros")
        return {} if found is None else {one.tag: one.text or "" for one in found}


def read(path: Path) -> Screen:
    """Read a display. Raises ParseError."""
    root = parse(path).getroot()
    widgets: list[Shown] = []
    _collect(root, 0, 0, -1, widgets)
    return Screen(path, root, int(root.findtext("width", "800")), int(root.findtext("height", "600")), tuple(widgets))


def _collect(holder: Element, x: int, y: int, parent: int, found: list[Shown]) -> None:
    for element in holder.findall("widget"):
        at_x, at_y = x + int(element.findtext("x", "0")), y + int(element.findtext("y", "0"))
        size = int(element.findtext("width", "0")), int(element.findtext("height", "0"))
        found.append(Shown(element, element.get("type", ""), at_x, at_y, *size, parent))
        if element.get("type") == "group":
            inset = found[-1].inset
            _collect(element, at_x + inset, at_y + inset, len(found) - 1, found)


def hidden(screen: Screen, shown: Shown, text_of: Callable[[str], str]) -> bool:
    """Whether a rule hides a widget, or the group that holds it. text_of: the text of a PV, by its name with macros.

    Rules are those of `RuleInfo` of Phoebus that these displays use: `pvStr0 == ""` and `pvStr0 != ""`.
    """
    if shown.rule is not None:
        expression, name = shown.rule
        is_empty = text_of(name) == ""
        if is_empty == (expression == 'pvStr0 == ""'):
            return True
    return shown.parent >= 0 and hidden(screen, screen.widgets[shown.parent], text_of)


def macros_in(text: str) -> Iterator[tuple[str, str | None]]:
    """Names of the macros in a text with their defaults, also of those within a default."""
    for name, default in ((match[1], match[2]) for match in _MACRO.finditer(text)):
        yield name, default
        if default:
            yield from macros_in(default)


def expand(text: str, values: Mapping[str, str]) -> str:
    """A text with its macros replaced; one without a value and a default stays as it is."""

    def value(match: re.Match[str]) -> str:
        return values.get(match[1], match[0] if match[2] is None else expand(match[2], values))

    return _MACRO.sub(value, text)


def texts(element: Element) -> Iterator[str]:
    """All texts of a widget but those of widgets in it."""
    for child in element:
        if child.tag != "widget":
            yield from (one.text for one in child.iter() if one.text and one.text.strip())
