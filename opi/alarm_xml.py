"""The configuration of a Phoebus alarm server: a whole one (`<config>`) or a part to be included in a site's (`<component>`).

Form and defaults are those of `XmlModelReader` of Phoebus; every property is written, because older importers have other defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Comment, Element, SubElement, indent, tostring

from archioc.opi.alarm_entries import AlarmEntry, AlarmFolder

WHOLE_NOTE = " alarm-server -config {name} -import replaces everything under {name}: what was changed there by hand is lost. "
PART_NOTE = ' To be named in the site\'s own file: <xi:include href="..." xmlns:xi="http://www.w3.org/2001/XInclude"/>. '


def to_xml(name: str, folders: Sequence[AlarmFolder], groups: Sequence[AlarmFolder], *, part: bool) -> str:
    """The file. name: of the configuration or component, for a whole one also the `-config` of the alarm server."""
    root = Element("component" if part else "config", name=name)
    root.append(Comment(PART_NOTE if part else WHOLE_NOTE.format(name=name)))
    for folder in folders:
        _add_folder(root, folder)
    if groups:
        holder = SubElement(root, "component", name="Groups")
        for folder in groups:
            _add_folder(holder, folder)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _add_folder(parent: Element, folder: AlarmFolder) -> None:
    made = SubElement(parent, "component", name=folder.name)
    for entry in folder.entries:
        _add_entry(made, entry)


def _add_entry(parent: Element, entry: AlarmEntry) -> None:
    pv = SubElement(parent, "pv", name=entry.pv)
    values = {
        "description": entry.description,
        "enabled": "true",
        "latching": str(entry.latching).lower(),
        "annunciating": str(entry.annunciating).lower(),
        "delay": str(entry.delay_s),
        "filter": entry.filter,
    }
    for tag, text in values.items():
        if text:
            SubElement(pv, tag).text = text
    for tag, title, details in (("guidance", "What to do", entry.guidance), ("display", "Display", entry.display)):
        made = SubElement(pv, tag)
        SubElement(made, "title").text = title
        SubElement(made, "details").text = details
