"""An operator at a display of Phoebus: clicks, types, presses buttons. What goes over Channel Access is what Phoebus sends.

Rules, of Phoebus 4.7 to 5.0:
* A text that is written to an array of characters goes as DBR_LONG, a UTF-16 unit in each element and a 0 at the end (`JCA_PV.write`).
* A field of several lines is submitted when it loses the focus once it was clicked, changed or not; one of a single line is submitted by
  Return alone (`TextEntryRepresentation`).
* An action `write_pv` writes its value, an action `execute` runs its script with the button as `widget` (`WritePVActionHandler`,
  `ExecuteScriptActionHandler`), after the confirmation that the button asks for.
* A PV `loc://name("")` lives in this Phoebus; what stands in parentheses is its first value (`LocalPVFactory`).
* A widget that a rule hides, or that stands in a group that is hidden, cannot be clicked (`RuleInfo`).
"""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.screens.known import LOCAL
from tests.screens.names import EXAMPLES
from tests.screens.reading import Shown, expand, hidden, read

_LOCAL = re.compile(r'loc://([^(<]+)(?:<\w+>)?(?:\("([^"]*)"\))?')


class Wire(Protocol):
    """Channel Access as a display uses it."""

    def text(self, name: str) -> str:
        """The value of a PV as text."""
        ...

    def write_codes(self, name: str, codes: list[int]) -> None:
        """Write DBR_LONG to an array of characters, without completion."""
        ...

    def write_text(self, name: str, text: str) -> None:
        """Write DBR_STRING, without completion."""
        ...

    def is_characters(self, name: str) -> bool:
        """Whether the PV is an array of characters."""
        ...


def codes_of(text: str) -> list[int]:
    """A text as Phoebus writes it to an array of characters."""
    raw = text.encode("utf-16-be")
    return [*(int.from_bytes(raw[at : at + 2]) for at in range(0, len(raw), 2)), 0]


@dataclass(frozen=True, slots=True)
class _Pv:
    """What scripts get for a PV of a widget."""

    name: str


class Operator:
    """One person at one display. given: its macros. confirms: whether the answer to questions is yes."""

    def __init__(self, path: Path, given: Mapping[str, str], wire: Wire, *, confirms: bool = True) -> None:
        self._screen, self._macros, self._wire = read(path), EXAMPLES | dict(given), wire
        self.confirms = confirms
        self._local: dict[str, str] = {}
        self._focused: Shown | None = None
        self._typed = ""

    def click(self, name: str) -> None:
        """Click on a widget by its name, or on nothing (empty); what had the focus loses it."""
        shown = self._find(name) if name else None
        self._lose_focus()
        if shown is None:
            return
        if shown.kind == "textentry":
            self._focused, self._typed = shown, self.shown(name)
        elif shown.kind == "action_button" and (shown.text("show_confirm_dialog") != "true" or self.confirms):
            self._act(shown)

    def type(self, text: str) -> None:
        """Type a text in the place of what is in the field with the focus."""
        assert self._focused is not None
        self._typed = text

    def press_return(self) -> None:
        """Return, which submits a field of one line; in one of several lines it is a letter."""
        assert self._focused is not None
        if self._focused.text("multi_line") == "true":
            self._typed += "\n"
        else:
            self._write(self._pv(self._focused), self._typed)
            self._focused = None

    def shown(self, name: str) -> str:
        """What a widget shows."""
        return self._read(self._pv(self._find(name)))

    def is_there(self, name: str) -> bool:
        """Whether a widget can be seen."""
        return any(one.text("name") == name and not self._hidden(one) for one in self._screen.widgets)

    def _find(self, name: str) -> Shown:
        found = [one for one in self._screen.widgets if expand(one.text("name"), self._macros) == expand(name, self._macros)]
        assert found, f"there is no widget {name!r}"
        assert not self._hidden(found[0]), f"{name!r} is hidden"
        return found[0]

    def _hidden(self, shown: Shown) -> bool:
        return hidden(self._screen, shown, lambda name: self._read(expand(name, self._macros)))

    def _lose_focus(self) -> None:
        shown, self._focused = self._focused, None
        if shown is not None and shown.text("multi_line") == "true":
            self._write(self._pv(shown), self._typed)

    def _act(self, button: Shown) -> None:
        for action in button.element.findall("actions/action"):
            if action.get("type") == "write_pv":
                value = expand(action.findtext("value", ""), self._macros)
                self._write(expand(action.findtext("pv_name", ""), self._macros), value)
            elif action.get("type") == "execute":
                script = action.find("script")
                assert script is not None
                assert script.get("file") == "EmbeddedPy"
                self._run(script.findtext("text", ""), button)

    def _run(self, script: str, button: Shown) -> None:
        package = "org.csstudio.display.builder.runtime.script"
        util = types.SimpleNamespace(
            PVUtil=types.SimpleNamespace(getString=lambda pv: self._read(pv.name), writePV=lambda name, text, _: self._write(name, text)),
            ScriptUtil=types.SimpleNamespace(
                findWidgetByName=lambda _, name: self._find(name), getPrimaryPV=lambda shown: _Pv(self._pv(shown))
            ),
        )
        properties: Callable[[str], str] = lambda tag: expand(button.text(tag), self._macros)  # noqa: E731
        parts = package.split(".")
        made = {".".join(parts[:end]): types.ModuleType(".".join(parts[:end])) for end in range(1, len(parts))}
        sys.modules.update({**made, package: util})  # type: ignore[dict-item]
        try:
            exec(script, {"widget": types.SimpleNamespace(getPropertyValue=properties)})
        finally:
            for name in (*made, package):
                del sys.modules[name]

    def _pv(self, shown: Shown) -> str:
        return expand(shown.text("pv_name"), self._macros)

    def _read(self, name: str) -> str:
        if not name.startswith(LOCAL):
            return self._wire.text(name)
        found = _LOCAL.fullmatch(name)
        assert found is not None, name
        return self._local.setdefault(found[1], found[2] or "")

    def _write(self, name: str, text: str) -> None:
        if name.startswith(LOCAL):
            found = _LOCAL.fullmatch(name)
            assert found is not None, name
            self._local[found[1]] = text
        elif self._wire.is_characters(name):
            self._wire.write_codes(name, codes_of(text))
        else:
            self._wire.write_text(name, text)
