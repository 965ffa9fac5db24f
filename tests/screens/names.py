"""Whether PVs are promised, of a kind that the widget shows or puts, and whether every macro has a value on every path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.screens.known import LOCAL, PROVIDED
from tests.screens.pvs import Contract, Promised
from tests.screens.reading import Screen, Shown, expand, macros_in, texts

PUTS = frozenset({"textentry", "combo", "bool_button"})
TEXT_FORMAT = "6"

EXAMPLES = {"DID": "WD1f", "pv_name": "X", "CH": "SR:DCCT"}
"""Values for macros whose text does not matter."""


def pvs(screen: Screen, given: Mapping[str, str] | None = None) -> Iterator[tuple[Shown, str, bool]]:
    """Every PV of a display with its widget, macros replaced, and whether it is put there. given: what its opener gives."""
    values = EXAMPLES | screen.macros | dict(given or {})
    for shown in screen.widgets:
        if name := shown.text("pv_name"):
            yield shown, expand(name, values), shown.kind in PUTS
        if shown.element.find("actions/action[@type='execute']") is not None:
            yield shown, expand(shown.text("pv_name"), values), True
        for trace in shown.element.findall("traces/trace/y_pv"):
            yield shown, expand(trace.text or "", values), False
        for action in shown.element.findall("actions/action"):
            if action.get("type") == "write_pv":
                yield shown, expand(action.findtext("pv_name", ""), values), True


def rule_pvs(screen: Screen, given: Mapping[str, str] | None = None) -> Iterator[tuple[Shown, str]]:
    """Every PV that a rule of a widget asks, macros replaced. given: what the display's opener gives."""
    values = EXAMPLES | screen.macros | dict(given or {})
    for shown in screen.widgets:
        if shown.rule is not None:
            yield shown, expand(shown.rule[1], values)


def pv_findings(screen: Screen, contract: Contract) -> Iterator[str]:
    """PVs that are not there, cannot be put, or are of another kind than the widget is for."""
    yield from (f"{shown.title}: no such PV: {name}" for shown, name in rule_pvs(screen) if contract.find(name) is None)
    for shown, name, is_put in pvs(screen):
        if name.startswith(LOCAL):
            continue
        if shown.text("multi_line") == "true":
            yield f"{shown.title}: puts {name} whenever it loses the focus"
        promised = contract.find(name)
        if promised is None:
            yield f"{shown.title}: no such PV: {name}"
        elif is_put and not promised.writable:
            yield f"{shown.title}: {name} cannot be put"
        else:
            yield from (f"{shown.title}: {name} {what}" for what in unfit(shown, promised))


def unfit(shown: Shown, promised: Promised) -> Iterator[str]:
    """Why a widget cannot show or put a PV as it should."""
    if shown.kind in {"textupdate", "textentry"} and promised.is_text != (shown.text("format") == TEXT_FORMAT):
        yield "is an array of characters and not shown as text" if promised.is_text else "is shown as text and no array of characters"
    if shown.kind == "combo" and len(promised.states) < 2:
        yield "has no states to choose from"
    if shown.kind == "bool_button" and len(promised.states) != 2:
        yield "has not two states"


def macro_findings(screens: Mapping[str, Screen]) -> Iterator[str]:
    """Macros without a value on the path from one display to another, and those whose value is not the one that was meant."""
    needs = {name: _needed(screen) for name, screen in screens.items()}
    for name, screen in screens.items():
        yield from (f"{name}: gives {macro} itself, which goes before what its opener gives" for macro in screen.macros)
        for shown in screen.widgets:
            yield from (f"{name}: {shown.title} {what}" for what in (*_opened(shown, needs), *_plotted(screen, shown)))


def _opened(shown: Shown, needs: Mapping[str, set[str]]) -> Iterator[str]:
    for opened in shown.element.findall("actions/action[@type='open_display']"):
        given = {one.tag: one.text or "" for one in opened.findall("macros/*")}
        target = opened.findtext("file", "")
        yield from (f"opens {target} without {macro}" for macro in sorted(needs.get(target, set()) - set(given)))
        for macro, text in given.items():
            own = {name for name, _ in macros_in(text)} & (PROVIDED | {"pv_value"})
            yield from (f"opens {target} with {macro} from {name}, which has no value there" for name in sorted(own))


def _plotted(screen: Screen, shown: Shown) -> Iterator[str]:
    """Macros of a `.plt` file that its widget does not give."""
    file = shown.text("file")
    if shown.kind == "databrowser" and (screen.path.parent / file).is_file():
        text = (screen.path.parent / file).read_text(encoding="utf-8")
        used = {macro for macro, default in macros_in(text) if default is None}
        given = {one.tag for one in shown.element.findall("macros/*")}
        yield from (f"plots {file} without {macro}" for macro in sorted(used - given))


def _needed(screen: Screen) -> set[str]:
    """Macros that have no default and are not Phoebus' own."""
    found = {macro for shown in screen.widgets for text in texts(shown.element) for macro, default in macros_in(text) if default is None}
    return found - PROVIDED
