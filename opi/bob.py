"""A Phoebus display as values, and its XML.

Only what the display needs is written: what stays at Phoebus' defaults is left out. Enumerations are ordinals, colours and fonts have
names that a site's `color.def` and `font.def` give a look (Phoebus, "Display Builder", file format 2.0.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from archioc.opi.macro_defaults import write_defaults

Content: TypeAlias = "str | int | float | bool | Part"
"""What a property holds. bool is `true` or `false`."""

VERSIONS = {"action_button": "3.0.0", "textentry": "3.0.0", "group": "3.0.0", "stripchart": "2.1.0"}
"""Of widgets that Phoebus reads in an old way without their newer version."""


@dataclass(frozen=True, slots=True)
class Part:
    """An element with attributes and children. children: (tag, content) in their order."""

    children: tuple[tuple[str, Content], ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Widget:
    """A widget of a display. Place and size in pixels, from the left upper corner of what holds it."""

    kind: str
    name: str
    x: int
    y: int
    width: int
    height: int
    properties: Mapping[str, Content] = field(default_factory=dict)
    children: tuple[Widget, ...] = ()


@dataclass(frozen=True, slots=True)
class Display:
    """A display. file: its name below the directory of displays."""

    file: str
    title: str
    width: int
    height: int
    widgets: tuple[Widget, ...]


def to_xml(display: Display) -> str:
    """The content of the display's file."""
    root = Element("display", version="2.0.0")
    _add(root, "name", display.title)
    _add(root, "width", display.width)
    _add(root, "height", display.height)
    for widget in display.widgets:
        root.append(_element(widget))
    write_defaults(root)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def macros(values: Mapping[str, str]) -> Part:
    """The content of a property `macros`."""
    return Part(tuple(values.items()))


def _element(widget: Widget) -> Element:
    made = Element("widget", type=widget.kind, version=VERSIONS.get(widget.kind, "2.0.0"))
    place: dict[str, Content] = {"name": widget.name, "x": widget.x, "y": widget.y, "width": widget.width, "height": widget.height}
    for tag, content in (*place.items(), *widget.properties.items()):
        _add(made, tag, content)
    for child in widget.children:
        made.append(_element(child))
    return made


def _add(parent: Element, tag: str, content: Content) -> None:
    made = SubElement(parent, tag)
    match content:
        case Part():
            made.attrib.update(content.attributes)
            for child, inner in content.children:
                _add(made, child, inner)
        case bool():
            made.text = str(content).lower()
        case _:
            made.text = str(content)
