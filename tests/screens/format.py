"""Whether a display is written as Phoebus reads it: widgets, versions, properties, ordinals, named colours and fonts, files."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from tests.screens.known import ACTIONS, COLORS, COMMON, FLAGS, FONTS, HIGHEST, TARGETS, WIDGETS
from tests.screens.reading import Screen, Shown

PLACE = ("x", "y", "width", "height")


def findings(screen: Screen) -> Iterator[str]:
    """What is wrong with the form, in words."""
    if screen.root.tag != "display" or screen.root.get("version") != "2.0.0":
        yield "the root is not a display of version 2.0.0"
    for shown in screen.widgets:
        yield from (f"{shown.title}: {what}" for what in _widget(shown))
        yield from (f"{shown.title}: {what}" for what in _files(screen, shown))


def _widget(shown: Shown) -> Iterator[str]:
    if shown.kind not in WIDGETS:
        yield "Phoebus knows no such widget"
        return
    version, properties = WIDGETS[shown.kind]
    if shown.element.get("version") != version:
        yield f"version {shown.element.get('version')} instead of {version}"
    for one in shown.element:
        if one.tag != "widget" and one.tag not in properties | COMMON:
            yield f"no such property: {one.tag}"
    for one in shown.element.iter():
        yield from _value(one)
    for action in shown.element.findall("actions/action"):
        yield from _action(action)


def _value(one: Element) -> Iterator[str]:
    text = one.text or ""
    if one.tag in FLAGS and text not in {"true", "false"}:
        yield f"{one.tag} is {text!r}"
    if one.tag in HIGHEST and not (text.isdigit() and int(text) <= HIGHEST[one.tag]):
        yield f"{one.tag} is {text!r}, no ordinal from 0 to {HIGHEST[one.tag]}"
    if one.tag in PLACE and not text.isdigit():
        yield f"{one.tag} is {text!r}, no number of pixels"
    if one.tag == "color" and len(one) == 0 and one.get("name") not in COLORS:
        yield f"a color without a name of color.def: {one.attrib}"
    if one.tag == "font" and len(one) == 0 and one.get("name") not in FONTS:
        yield f"a font without a name of font.def: {one.attrib}"


def _action(action: Element) -> Iterator[str]:
    kind = action.get("type")
    if kind not in ACTIONS:
        yield f"no such action: {kind}"
    if kind == "open_display" and action.findtext("target") not in TARGETS:
        yield f"no such target: {action.findtext('target')}"
    if not action.findtext("description"):
        yield f"an action {kind} without a description"


def _files(screen: Screen, shown: Shown) -> Iterator[str]:
    for one in (shown.element.find("file"), *(action.find("file") for action in shown.element.findall("actions/action"))):
        if one is not None and not (screen.path.parent / (one.text or "?")).is_file():
            yield f"no such file: {one.text}"
