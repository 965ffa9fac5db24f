"""The dark variant of displays and plots.

Its colours have no names: a site's `color.def` says how `Background` and its kin look, and most sites have them light.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, fromstring, indent, tostring

Rgb = tuple[int, int, int]

GROUND, PANEL, FIELD, BUTTON, INK = (30, 32, 36), (44, 47, 52), (36, 62, 74), (70, 74, 82), (226, 228, 232)

NAMED: dict[str, Rgb] = {
    "Background": GROUND,
    "Button_Background": BUTTON,
    "MAJOR": (224, 64, 56),
    "MINOR": (240, 140, 30),
    "INVALID": (220, 80, 220),
    "OK": (60, 170, 90),
    "Attention": (214, 160, 50),
    "Off": (60, 64, 70),
    "Text": INK,
    "Header_Background": (18, 20, 23),
    "Header_ForeGround": INK,
    "State Good": (70, 150, 84),
    "State Warning": (200, 120, 30),
    "State Bad": (200, 60, 54),
    "State Idle": (74, 78, 86),
    "Trace 1": (90, 170, 240),
    "Trace 2": (230, 150, 90),
    "Trace 3": (190, 190, 195),
}
"""What the named colours of the light variant become."""

FOREGROUND, LINES = "foreground_color", "line_color"
BACKGROUND = "background_color"

LOOKS: dict[str, dict[str, Rgb]] = {
    "label": {FOREGROUND: INK},
    "textupdate": {FOREGROUND: INK, BACKGROUND: PANEL},
    "textentry": {FOREGROUND: INK, BACKGROUND: FIELD},
    "combo": {FOREGROUND: INK, BACKGROUND: FIELD},
    "bool_button": {FOREGROUND: INK, BACKGROUND: BUTTON},
    "action_button": {FOREGROUND: INK, BACKGROUND: BUTTON},
    "group": {FOREGROUND: INK, BACKGROUND: GROUND, LINES: BUTTON},
    "multi_state_led": {FOREGROUND: INK},
    "stripchart": {FOREGROUND: INK, BACKGROUND: GROUND},
}
"""What each widget gets that has no colour of its own."""

PLOT_TRACE_FLOOR = 90
"""Lines of plots that are darker than this are drawn lighter."""


def darken(content: str) -> str:
    """A `.bob` or `.plt` file as its dark variant."""
    root = fromstring(content)  # noqa: S314 - written by this program
    if root.tag == "display":
        _set(root, BACKGROUND, GROUND)
        for widget in root.iter("widget"):
            for tag, rgb in LOOKS.get(widget.get("type", ""), {}).items():
                if widget.find(tag) is None:
                    _set(widget, tag, rgb)
    else:
        _plot(root)
    for one in root.iter("color"):
        if one.get("name") in NAMED:
            one.attrib.update(_attributes(NAMED[one.attrib.pop("name")]))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _plot(root: Element) -> None:
    for tag, rgb in (("foreground", INK), ("background", GROUND)):
        made = SubElement(root, tag)
        for name, value in zip(("red", "green", "blue"), rgb, strict=True):
            SubElement(made, name).text = str(value)
    for trace in root.iterfind("pvlist/pv/color"):
        parts = [int(part.text or "0") for part in trace]
        lighter = max(PLOT_TRACE_FLOOR + 60 - max(parts), 0)
        for part, value in zip(trace, parts, strict=True):
            part.text = str(min(value + lighter, 255))


def _set(parent: Element, tag: str, rgb: Rgb) -> None:
    SubElement(SubElement(parent, tag), "color", _attributes(rgb))


def _attributes(rgb: Rgb) -> dict[str, str]:
    return {"red": str(rgb[0]), "green": str(rgb[1]), "blue": str(rgb[2])}
