"""A checker for configurations of Phoebus alarm servers, by the rules of its `XmlModelReader` and of Kafka."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

from tests.screens.links import OpensNothing, opened
from tests.screens.pvs import Contract

FLAGS = ("enabled", "latching", "annunciating")
COUNTS = ("delay", "count")
TITLED = ("guidance", "display", "command", "automated_action")
KNOWN = {"description", "filter", *FLAGS, *COUNTS, *TITLED}
IN_COMPONENT = {"pv", "component", *TITLED}
WRITTEN = ("description", *FLAGS, *COUNTS[:1], "guidance", "display")
"""What each PV must have, because importers differ in what they take for a missing one."""


def pvs(text: str) -> list[str]:
    """The names in the tree, in the order in which a server reads them."""
    return [pv.get("name", "") for pv in fromstring(text).iter("pv")]


def check(text: str, contract: Contract, displays: Path) -> list[str]:
    """What is wrong, in words. displays: where the files are that entries name."""
    root = fromstring(text)
    found = [] if root.tag in {"config", "component"} else [f"the root is {root.tag}"]
    if root.tag == "config" and not re.fullmatch(r"[A-Za-z0-9-]+([.][A-Za-z0-9.-]*|_[A-Za-z0-9_-]*)?", root.get("name", "")):
        found.append(f"{root.get('name')!r} is no topic of Kafka")
    names = pvs(text)
    found += [f"{name} is there twice" for name in sorted({name for name in names if names.count(name) > 1})]
    found += _component(root)
    for pv in root.iter("pv"):
        found += [f"{pv.get('name')}: {what}" for what in _pv(pv, contract, displays)]
    return found


def _component(holder: Element) -> Iterator[str]:
    title = holder.get("name", "")
    if not title or title.startswith("/"):
        yield f"a component is named {title!r}"
    inner = [one.get("name") for one in holder if one.tag == "component"]
    if len(inner) != len(set(inner)):
        yield f"{title} holds two components of one name"
    for one in holder:
        if isinstance(one.tag, str) and one.tag not in IN_COMPONENT:
            yield f"{title}: unknown element {one.tag}"
        if one.tag == "component":
            yield from _component(one)


def _pv(pv: Element, contract: Contract, displays: Path) -> Iterator[str]:
    name = pv.get("name", "")
    if name.startswith("//") or contract.find(name) is None:
        yield "no such PV"
    tags = [one.tag for one in pv]
    yield from (f"unknown element {tag}" for tag in tags if tag not in KNOWN)
    yield from (f"{tag} is there {tags.count(tag)} times" for tag in WRITTEN if tags.count(tag) != 1)
    yield from (f"{tag} is {pv.findtext(tag)!r}" for tag in FLAGS if pv.findtext(tag, "true") not in {"true", "false"})
    yield from (f"{tag} is {pv.findtext(tag)!r}" for tag in COUNTS if not pv.findtext(tag, "0").isdigit())
    for one in pv:
        if one.tag in TITLED and not (one.findtext("title") and one.findtext("details")):
            yield f"{one.tag} without title or details"
    for mentioned in re.findall(r"`([^`]+)`", pv.findtext("filter", "")):
        if contract.find(mentioned) is None:
            yield f"no such PV in its filter: {mentioned}"
    yield from _display(pv.findtext("display/details", ""), displays)


def _display(link: str, displays: Path) -> Iterator[str]:
    try:
        opening = opened(link, {"ARCHIOC": str(displays)})
    except OpensNothing as why:
        yield f"opens nothing: {why}"
        return
    path = Path(opening.place)
    if path.parent != displays or not path.is_file():
        yield f"no such display: {path.name}"
    needed = {"P", "CH"} if path.name == "channel.bob" else {"P"}
    if set(opening.macros) != needed:
        yield f"{path.name} is opened with {sorted(opening.macros)} instead of {sorted(needed)}"
