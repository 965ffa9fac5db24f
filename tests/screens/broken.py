"""Copies of displays with one mistake each, to see that the checker finds it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, parse

from archioc.opi import displays

Edit = Callable[[Element], None]


def first(root: Element, kind: str) -> Element:
    found = root.find(f"widget[@type='{kind}']")
    assert found is not None
    return found


def put(kind: str, tag: str, text: str) -> Edit:
    """Give a property of the first widget of a kind another value."""

    def edit(root: Element) -> None:
        widget = first(root, kind)
        found = widget.find(tag)
        (found if found is not None else SubElement(widget, tag)).text = text

    return edit


def attribute(kind: str, name: str, text: str) -> Edit:
    return lambda root: first(root, kind).set(name, text)


def over_the_next(root: Element) -> None:
    entries = root.findall("widget[@type='textentry']")
    for tag in ("x", "y"):
        moved = entries[1].find(tag)
        assert moved is not None
        moved.text = entries[0].findtext(tag)


def opens_channel(macro: str, value: str) -> Edit:
    """Have the first button that opens a display open that of a channel, with one macro more."""

    def edit(root: Element) -> None:
        action = root.find(".//action[@type='open_display']")
        assert action is not None
        file, macros = action.find("file"), action.find("macros")
        assert file is not None
        assert macros is not None
        file.text = "channel.bob"
        SubElement(macros, macro).text = value

    return edit


def own_macro(root: Element) -> None:
    SubElement(SubElement(root, "macros"), "P").text = "ARCH:"


def plot_without_macro(root: Element) -> None:
    macros = first(root, "databrowser").find("macros")
    assert macros is not None
    macros.clear()


def kind_of_action(kind: str) -> Edit:
    def edit(root: Element) -> None:
        action = root.find(".//action")
        assert action is not None
        action.set("type", kind)

    return edit


def rule_of(pv: str) -> Edit:
    """Have the first rule ask another PV."""

    def edit(root: Element) -> None:
        found = root.find(".//rules/rule/pv_name")
        assert found is not None
        found.text = pv

    return edit


def first_field(pv: str) -> Edit:
    """Have the first field of several lines be one of another PV."""

    def edit(root: Element) -> None:
        field = next(one for one in root.iter("widget") if one.findtext("multi_line") == "true")
        found = field.find("pv_name")
        assert found is not None
        found.text = pv

    return edit


def other_target(file: str) -> Edit:
    def edit(root: Element) -> None:
        for action in root.iter("action"):
            opened = action.find("file")
            if opened is not None:
                opened.text = file

    return edit


BROKEN: dict[str, tuple[str, Edit, str]] = {
    "wrong PV": ("main.bob", put("textupdate", "pv_name", "$(P=ARCH:)Stat"), "no such PV: ARCH:Stat"),
    "PV of another prefix": ("main.bob", put("textupdate", "pv_name", "State"), "no such PV: State"),
    "wrong ordinal": ("channels.bob", put("textupdate", "horizontal_alignment", "3"), "no ordinal from 0 to 2"),
    "name for an ordinal": ("channels.bob", put("textupdate", "horizontal_alignment", "CENTER"), "no ordinal from 0 to 2"),
    "undefined macro": ("channels.bob", opens_channel("C", "SR:DCCT"), "opens channel.bob without CH"),
    "macro of the value": ("channels.bob", opens_channel("CH", "$(pv_value)"), "with CH from pv_value, which has no value there"),
    "macro of the display": ("channels.bob", opens_channel("CH", "$(V=$(DID))"), "with CH from DID, which has no value there"),
    "macro of its own": ("main.bob", own_macro, "gives P itself, which goes before what its opener gives"),
    "undefined macro of a plot": ("channel.bob", plot_without_macro, "plots channel.plt without CH"),
    "misspelt macro": ("main.bob", put("textupdate", "pv_name", "$(PP)State"), "no such PV: $(PP)State"),
    "new action": ("main.bob", kind_of_action("open_data_browser"), "no such action: open_data_browser"),
    "missing file": ("main.bob", other_target("nowhere.bob"), "no such file: nowhere.bob"),
    "put to what is only read": ("limits.bob", put("textentry", "pv_name", "$(P=ARCH:)State"), "ARCH:State cannot be put"),
    "limit of a channel": ("limits.bob", put("textentry", "pv_name", "$(P=ARCH:)CH:X:Value.HIHI"), "cannot be put"),
    "overlap": ("limits.bob", over_the_next, "is less than 4 px from"),
    "small target": ("limits.bob", put("textentry", "height", "20"), "is 20 px high, less than 28"),
    "rule of a wrong PV": ("channels.bob", rule_of("$(P=ARCH:)View:a:Row77:Name.TXT"), "no such PV: ARCH:View:a:Row77:Name.TXT"),
    "command by losing the focus": (
        "add.bob",
        first_field("$(P=ARCH:)Add"),
        "puts ARCH:Add whenever it loses the focus",
    ),
    "outside": ("limits.bob", put("textentry", "x", "5000"), "is not inside"),
    "text too long": ("limits.bob", put("label", "text", "word " * 60), "is too small for"),
    "unknown widget": ("main.bob", attribute("textupdate", "type", "text_update"), "Phoebus knows no such widget"),
    "old version": ("channels.bob", attribute("textentry", "version", "2.0.0"), "version 2.0.0 instead of 3.0.0"),
    "unknown property": ("main.bob", put("textupdate", "colour", "red"), "no such property: colour"),
    "flag": ("main.bob", put("textupdate", "show_units", "True"), "show_units is 'True'"),
    "number as text": ("limits.bob", put("textentry", "format", "6"), "is shown as text and no array of characters"),
    "text as number": ("channels.bob", put("textentry", "format", "1"), "is an array of characters and not shown as text"),
    "switch of a number": ("channels.bob", put("bool_button", "pv_name", "$(P=ARCH:)View:a:Page"), "has not two states"),
    "list of a number": ("channels.bob", put("combo", "pv_name", "$(P=ARCH:)View:a:Page"), "has no states to choose from"),
}


def broken_copy(name: str, directory: Path) -> tuple[str, str]:
    """A copy of all shipped displays with one mistake; the file that has it, and words in which it must be told."""
    file, edit, words = BROKEN[name]
    shutil.copytree(displays.SHIPPED, directory, dirs_exist_ok=True)
    root = parse(directory / file).getroot()
    edit(root)
    ElementTree(root).write(directory / file, encoding="utf-8", xml_declaration=True)
    return file, words
