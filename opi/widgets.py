"""The widgets that the screens are made of, each with the one look that it has on all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from archioc.opi.bob import Content, Part, Widget, macros
from archioc.opi.style import GAP, LINE, ROW, color, font, font_size


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


class Frame(IntEnum):
    """Ordinals of `style` of a group."""

    TITLED = 0
    NONE = 3


MIDDLE = 1
"""Ordinal of `vertical_alignment`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a widget is: from the left upper corner of what holds it (pixels)."""

    x: int
    y: int
    width: int
    height: int = ROW


READ_PITCH = LINE + 2
"""From line to line where lines are only read (pixels)."""


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
    pv: str,
    at: Place,
    *,
    text: bool = False,
    align: Align = Align.RIGHT,
    style: str = "Default",
    wrap: bool = False,
    units: bool = True,
    ink: str = "",
) -> Widget:
    """The value of a PV with its unit; its border shows the alarm. text: an array of characters. ink: its colour, without a ground."""
    properties: dict[str, Content] = {"pv_name": pv, "font": font(style), "vertical_alignment": 0 if wrap else MIDDLE}
    if text:
        properties |= {"format": Format.STRING}
    if ink:
        properties |= {"foreground_color": color(ink), "transparent": True}
    properties |= {"horizontal_alignment": Align.LEFT if text else align, "show_units": units, "wrap_words": wrap}
    return _widget("textupdate", f"value {pv}", at, **properties)


def words(pv: str, at: Place, *, style: str = "Default", align: Align = Align.RIGHT) -> Widget:
    """The value of a PV in words: thousands apart, days and hours, `no limit`."""
    return readout(f"{pv}.TXT", at, style=style, align=align, units=False)


def lamp(pv: str, at: Place, states: Sequence[tuple[str, str]], style: str = "Default Bold") -> Widget:
    """The state of an enum PV as a word on a colour. states: label and name of the colour, in the order of the PV's states."""
    parts = tuple(
        ("state", Part((("value", number), ("label", text), ("color", color(name))))) for number, (text, name) in enumerate(states)
    )
    properties: dict[str, Content] = {"pv_name": pv, "states": Part(parts), "font": font(style), "square": True}
    return _widget("multi_state_led", f"state {pv}", at, **properties)


def entry(pv: str, at: Place, *, text: bool = False, lines: bool = False, units: bool = True, tip: str = "") -> Widget:
    """A field to put a number or a text. lines: several lines; Phoebus puts them whenever the field loses the focus, so only for `loc://`."""
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


def field(local: str, name: str, at: Place, *, lines: bool = False) -> Widget:
    """A field whose text stays in the display, in a PV `loc://`, until a button sends it. name: what the button knows it by."""
    return replace(entry(local, at, lines=lines, units=False), name=name)


def choice(pv: str, at: Place) -> Widget:
    """A drop-down list of the states of an enum PV, to put one."""
    return _widget("combo", f"choice {pv}", at, pv_name=pv, items_from_pv=True)


def switch(pv: str, at: Place, *, tip: str = "") -> Widget:
    """A button that turns an enum PV with the states Off and On."""
    properties: dict[str, Content] = {"pv_name": pv, "labels_from_pv": True, "show_led": True}
    return _widget("bool_button", f"switch {pv}", at, **properties, **({"tooltip": tip} if tip else {}))


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


@dataclass(frozen=True, slots=True)
class Send:
    """What a button does: it puts the text of a field into the button's own PV. field: the name of the widget.

    Nothing is put of an empty field. The text stays there, so that a refused line can be mended.
    """

    field: str

    def part(self, description: str) -> Part:
        lines = (
            "from org.csstudio.display.builder.runtime.script import PVUtil, ScriptUtil",
            f'field = ScriptUtil.getPrimaryPV(ScriptUtil.findWidgetByName(widget, "{self.field}"))',
            "text = PVUtil.getString(field)",
            "if text.strip():",
            f'    PVUtil.writePV(widget.getPropertyValue("pv_name"), text, {PUT_MS})',
        )
        script = Part((("text", "\n".join(lines)),), {"file": "EmbeddedPy"})
        return Part((("script", script), ("description", description)), {"type": "execute"})


PUT_MS = 10_000
"""How long a script waits for the PV that it puts to (ms)."""

Action = Write | Open | Send


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


def chart(
    at: Place, title: str, traces: Sequence[Trace], *, span: tuple[float, float] | None = None, first: int = 1, start: str = "10 minutes"
) -> Widget:
    """A strip chart of the last `start` with one axis. The history comes from the archives that the site's Phoebus knows.

    span: ends of the axis; without it the axis follows the values. first: number of the colour of the first line.
    """
    low, high = span or (0.0, 1.0)
    limits: tuple[tuple[str, Content], ...] = (("autoscale", span is None), ("minimum", low), ("maximum", high))
    y_axes = Part((("y_axis", Part((("title", ""), *limits, ("show_grid", True)))),))
    lines = Part(tuple(("trace", _trace(one, number)) for number, one in enumerate(traces, first)))
    fonts = {"title_font": font("Default Bold"), "label_font": font("Fine Print"), "scale_font": font("Fine Print")}
    properties: dict[str, Content] = {"title": title, "start": start, "y_axes": y_axes, "traces": lines, "show_toolbar": False, **fonts}
    return _widget("stripchart", f"chart {title}", at, **properties, show_legend=len(traces) > 1)


def data_browser(file: str, at: Place, values: Mapping[str, str]) -> Widget:
    """A Data Browser within the display. values: macros for the `.plt` file."""
    return _widget("databrowser", f"plot {file}", at, file=file, macros=macros(values), show_toolbar=True)


BOX_FONT = "Default Bold"
BOX_EDGE = 2 + int(1.2 * font_size(BOX_FONT))
"""What the frame of a group takes from its inside on each side (pixels), as `GroupRepresentation` of Phoebus reckons it."""


def box(title: str, at: Place, children: Sequence[Widget]) -> Widget:
    """Widgets that belong together, under a title. Their places count from inside the frame."""
    made = _widget("group", f"group {title}", at, style=0, font=font(BOX_FONT))
    return Widget(made.kind, title, made.x, made.y, made.width, made.height, made.properties, tuple(children))


def holder(name: str, at: Place, children: Sequence[Widget], rule: Part | None = None) -> Widget:
    """Widgets together without a frame; their places count from its corner. rule: when they are there."""
    made = _widget("group", name, at, style=Frame.NONE, transparent=True)
    properties = dict(made.properties) | ({"rules": rule} if rule else {})
    return Widget(made.kind, name, made.x, made.y, made.width, made.height, properties, tuple(children))


def shown_if(slot: str, *, empty: bool = False) -> Part:
    """A rule: the widget is there while a slot of a view shows something, or while it shows nothing."""
    expression = f'pvStr0 {"!=" if empty else "=="} ""'
    rule = (("exp", Part((("value", "false"),), {"bool_exp": expression})), ("pv_name", f"{slot}Name.TXT"))
    return Part((("rule", Part(rule, {"name": "empty", "prop_id": "visible", "out_exp": "false"})),))


def with_rule(widget: Widget, rule: Part) -> Widget:
    """The widget with a rule."""
    return replace(widget, properties={**widget.properties, "rules": rule})


def column(rows: Sequence[tuple[str, Widget | None]], at: Place, label_width: int, pitch: int = ROW + 4) -> list[Widget]:
    """Lines of a label and a widget, one below the other: each widget is moved to its line and made as wide as there is room.

    pitch: from line to line (pixels).
    """
    made: list[Widget] = []
    height = min(ROW, pitch - 1)
    for number, (text, widget) in enumerate(rows):
        y = at.y + number * pitch
        made.append(label(text, Place(at.x, y, label_width, height)))
        if widget is not None:
            x = at.x + label_width + GAP
            made.append(replace(widget, x=x, y=y, width=at.width - label_width - GAP, height=height))
    return made


def _trace(trace: Trace, number: int) -> Part:
    line = (("trace_type", 1), ("color", color(f"Trace {number}")), ("line_width", 2))
    return Part((("name", trace.name), ("y_pv", trace.pv), ("axis", trace.axis), *line))


def _widget(kind: str, name: str, at: Place, **properties: Content) -> Widget:
    plain = {tag: int(content) if isinstance(content, IntEnum) else content for tag, content in properties.items()}
    return Widget(kind, name, at.x, at.y, at.width, at.height, plain)
