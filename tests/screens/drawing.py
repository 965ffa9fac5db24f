"""A display drawn as an HTML page, with the values that a client of Channel Access sees, to look at without Phoebus.

Colours are those of Phoebus' own `color.def`. Plots are drawn as frames with the names of their lines: they have no data here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from xml.etree.ElementTree import Element

from tests.screens.known import LOCAL
from tests.screens.names import EXAMPLES
from tests.screens.reading import Screen, Shown, expand, hidden, read

BORDERS = ("", "2px solid #ff8000", "2px solid #ff0000", "2px dashed #ff00ff")
ALIGN = ("left", "center", "right")
STYLE = """
body { margin: 0; background: #fff; font-family: 'Liberation Sans', 'DejaVu Sans', sans-serif; font-size: 14px }
div { position: absolute; box-sizing: border-box; overflow: hidden; white-space: nowrap; display: flex; align-items: center }
.textupdate { background: #f0f0f0 }
.textentry, .combo { background: #80ffff }
.combo::after { content: '\\25be'; margin-left: auto }
.action_button, .bool_button { background: #d2d2d2; border: 1px solid #999; border-radius: 3px; justify-content: center }
.multi_state_led { justify-content: center; border: 1px solid #555 }
.rectangle { background: #4d4d4d }
.group { border: 1px solid #999; align-items: flex-start; padding-left: 12px }
.stripchart, .databrowser { border: 1px solid #999; color: #666; white-space: pre-line; justify-content: center; text-align: center }
"""


@dataclass(frozen=True, slots=True)
class Value:
    """What a PV shows. severity: as Channel Access numbers them."""

    text: str
    unit: str = ""
    severity: int = 0


Ask = Callable[[str], Value]


def draw(path: Path, given: Mapping[str, str], ask: Ask) -> str:
    """The page. given: macros."""
    screen = read(path)
    values = EXAMPLES | dict(given)
    parts = [
        _widget(shown, values, ask)
        for shown in screen.widgets
        if not hidden(screen, shown, lambda name: ask(expand(name, values)).text)
    ]
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}{_size(screen)}</style>{''.join(parts)}"


def _size(screen: Screen) -> str:
    ground = screen.root.find("background_color/color")
    color = "#fff" if ground is None else _rgb(ground)
    return f"body {{ width: {screen.width}px; height: {screen.height}px; background: {color} }}"


def _widget(shown: Shown, values: Mapping[str, str], ask: Ask) -> str:
    style = [f"left:{shown.x}px", f"top:{shown.y}px", f"width:{shown.width}px", f"height:{shown.height}px", *_font(shown)]
    text, severity = _content(shown, values, ask)
    if shown.kind in {"textupdate", "textentry", "label"}:
        style.append(f"justify-content:{ALIGN[int(shown.text('horizontal_alignment', '0'))]}")
    if shown.text("wrap_words") == "true":
        style.append("white-space:pre-wrap;align-items:flex-start")
    if not shown.inset:
        style.append("border:none")
    if severity:
        style.append(f"border:{BORDERS[severity]}")
    if (ground := _ground(shown, text)) is not None:
        style.append(f"background:{ground}")
    return f'<div class={shown.kind} style="{";".join(style)}">{escape(text)}</div>'


def _rgb(color: Element) -> str:
    return f"rgb({color.get('red')},{color.get('green')},{color.get('blue')})"


def _ground(shown: Shown, text: str) -> str | None:
    """The colour behind a widget, where it has one of its own: a state's colour is that of its label."""
    if shown.kind == "multi_state_led":
        found = [one.find("color/color") for one in shown.element.findall("states/state") if one.findtext("label") == text]
        return _rgb(found[0]) if found and found[0] is not None else "#f0f"
    if shown.text("transparent") == "true" or shown.kind == "group":
        return "transparent"
    color = shown.element.find("background_color/color")
    return None if color is None else _rgb(color)


def _font(shown: Shown) -> list[str]:
    found = []
    font, ink = shown.element.find("font/font"), shown.element.find("foreground_color/color")
    if font is not None:
        found.append(f"font-size:{font.get('size')}px")
        found += ["font-weight:bold"] if "BOLD" in font.get("style", "") else []
        found += ["font-style:italic"] if "ITALIC" in font.get("style", "") else []
    if ink is not None:
        found.append(f"color:rgb({ink.get('red')},{ink.get('green')},{ink.get('blue')})")
    return found


def _content(shown: Shown, values: Mapping[str, str], ask: Ask) -> tuple[str, int]:
    pv = expand(shown.text("pv_name"), values)
    match shown.kind:
        case "label" | "action_button":
            return expand(shown.text("text"), values), 0
        case "group":
            return shown.text("name") if shown.inset else "", 0
        case "stripchart":
            lines = [one.findtext("name", "") for one in shown.element.findall("traces/trace")]
            return f"{shown.text('title')}\n{', '.join(lines)}", 0
        case "databrowser":
            return f"Data Browser: {shown.text('file')}", 0
        case "textentry" if pv.startswith(LOCAL):
            return "", 0
        case "multi_state_led":
            labels = [one.findtext("label", "") for one in shown.element.findall("states/state")]
            number = ask(pv).text
            return next((label for label in labels if label.replace(" ", "").lower() == number.lower()), number), ask(pv).severity
        case "textupdate" | "textentry" | "combo" | "bool_button":
            value = ask(pv)
            unit = value.unit if shown.text("show_units", "true") == "true" and value.unit else ""
            return f"{value.text} {unit}".rstrip(), value.severity
    return "", 0
