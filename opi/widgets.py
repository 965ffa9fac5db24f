"""The widgets that the screens are made of, each with the one look that it has on all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from archioc.opi.bob import Content, Part, Widget, macros
from archioc.opi.style import GAP, ROW, color, font, font_size


class Align(IntEnum):
    """Ordinals of `horizontal_alignment`."""

    LEFT = 0
    CENTER = 1
    RIGHT = 2


class Format(IntEnum):
    """Ordinals of `format`, those in use. STRING: an array of characters is a text."""

    DEFAULT = 0
    DECIMAL = 1
    STRING = 6


MIDDLE = 1
"""Ordinal of `vertical_alignment`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a widget is: from the left upper corner of what holds it (pixels)."""

    x: int
    y: int
    width: int
    height: int = ROW


def label(text: str, at: Place, *, style: str = "Default", align: Align = Align.LEFT, ink: str = "Text") -> Widget:
    """A text that stays."""
    return _widget(
        "label",
        f"label {text}",
        at,
        text=text,
        font=font(style),
        foreground_color=color(ink),
        horizontal_alignment=align,
        vertical_alignment=MIDDLE,
    )


def readout(
    pv: str, at: Place, *, text: bool = False, align: Align = Align.RIGHT, style: str = "Default", wrap: bool = False, units: bool = True
) -> Widget:
    """The value of a PV with its unit; its border shows the alarm. text: an array of characters."""
    properties: dict[str, Content] = {"pv_name": pv, "font": font(style), "vertical_alignment": 0 if wrap else MIDDLE}
    if text:
        properties |= {"format": Format.STRING}
    properties |= {"horizontal_alignment": Align.LEFT if text else align, "show_units": units, "wrap_words": wrap}
    return _widget("textupdate", f"value {pv}", at, **properties)


def entry(pv: str, at: Place, *, text: bool = False, lines: bool = False, units: bool = True, tip: str = "") -> Widget:
    """A field to put a number or a text. lines: several lines; Ctrl-Return puts them."""
    properties: dict[str, Content] = {"pv_name": pv, "vertical_alignment": 0 if lines else MIDDLE}
    if text:
        properties["format"] = Format.STRING
    if not units:
        properties["show_units"] = False
    if lines:
        properties |= {"multi_line": True, "wrap_words": False}
    if tip:
        properties["tooltip"] = tip
    return _widget("textentry", f"entry {pv}", at, **properties)


def choice(pv: str, at: Place) -> Widget:
    """A drop-down list of the states of an enum PV, to put one."""
    return _widget("combo", f"choice {pv}", at, pv_name=pv, items_from_pv=True)


def switch(pv: str, at: Place) -> Widget:
    """A button that turns an enum PV with the states Off and On."""
    return _widget("bool_button", f"switch {pv}", at, pv_name=pv, labels_from_pv=True, show_led=True)


@dataclass(frozen=True, slots=True)
class Write:
    """What a button does: a put. value is sent as text, as Phoebus does."""

    pv: str
    value: str

    def part(self, description: str) -> Part:
        inner = (("pv_name", self.pv), ("value", self.value), ("description", description))
        return Part(inner, {"type": "write_pv"})


@dataclass(frozen=True, slots=True)
class Open:
    """What a button does: it opens another display, in a window of its own or in the place of this one."""

    file: str
    macros: Mapping[str, str]
    target: str = "tab"

    def part(self, description: str) -> Part:
        inner = (("file", self.file), ("macros", macros(self.macros)), ("target", self.target), ("description", description))
        return Part(inner, {"type": "open_display"})


Action = Write | Open


def button(text: str, at: Place, actions: Sequence[Action], *, pv: str = "", confirm: str = "", tip: str = "") -> Widget:
    """A button. Several actions happen together. pv: what it writes, so that it is greyed out for those who may not.

    confirm: the question that is asked first.
    """
    together = Part(tuple(("action", action.part(tip or text)) for action in actions), {"execute_as_one": str(len(actions) > 1).lower()})
    properties: dict[str, Content] = {"text": text, "actions": together}
    if pv:
        properties["pv_name"] = pv
    if confirm:
        properties |= {"show_confirm_dialog": True, "confirm_message": confirm}
    if tip:
        properties["tooltip"] = tip
    return _widget("action_button", f"button {text}", at, **properties)


@dataclass(frozen=True, slots=True)
class Trace:
    """A line of a chart. axis counts from 0."""

    name: str
    pv: str
    axis: int = 0


def chart(at: Place, title: str, axes: Sequence[str], traces: Sequence[Trace], start: str = "10 minutes") -> Widget:
    """A strip chart of the last `start`. The history comes from the archives that the site's Phoebus knows."""
    y_axes = Part(tuple(("y_axis", Part((("title", axis), ("autoscale", True), ("show_grid", True)))) for axis in axes))
    lines = Part(tuple(("trace", _trace(one, number)) for number, one in enumerate(traces, 1)))
    return _widget("stripchart", f"chart {title}", at, title=title, start=start, y_axes=y_axes, traces=lines, show_toolbar=False)


def data_browser(file: str, at: Place, values: Mapping[str, str]) -> Widget:
    """A Data Browser within the display. values: macros for the `.plt` file."""
    return _widget("databrowser", f"plot {file}", at, file=file, macros=macros(values), show_toolbar=True)


BOX_FONT = "Header 3"
BOX_EDGE = 2 + int(1.2 * font_size(BOX_FONT))
"""What the frame of a group takes from its inside on each side (pixels), as `GroupRepresentation` of Phoebus reckons it."""


def box(title: str, at: Place, children: Sequence[Widget]) -> Widget:
    """Widgets that belong together, under a title. Their places count from inside the frame."""
    made = _widget("group", f"group {title}", at, style=0, font=font(BOX_FONT))
    return Widget(made.kind, title, made.x, made.y, made.width, made.height, made.properties, tuple(children))


def column(rows: Sequence[tuple[str, Widget | None]], at: Place, label_width: int) -> list[Widget]:
    """Lines of a label and a widget, one below the other: each widget is moved to its line and made as wide as there is room."""
    made: list[Widget] = []
    for number, (text, widget) in enumerate(rows):
        y = at.y + number * (ROW + GAP)
        made.append(label(text, Place(at.x, y, label_width)))
        if widget is not None:
            x = at.x + label_width + GAP
            made.append(Widget(widget.kind, widget.name, x, y, at.width - label_width - GAP, ROW, widget.properties, widget.children))
    return made


def _trace(trace: Trace, number: int) -> Part:
    line = (("trace_type", 1), ("color", color(f"Trace {number}")), ("line_width", 2))
    return Part((("name", trace.name), ("y_pv", trace.pv), ("axis", trace.axis), *line))


def _widget(kind: str, name: str, at: Place, **properties: Content) -> Widget:
    plain = {tag: int(content) if isinstance(content, IntEnum) else content for tag, content in properties.items()}
    return Widget(kind, name, at.x, at.y, at.width, at.height, plain)
