"""What the checker of displays takes for Phoebus' own, against what phoebusgen knows, whose authors took it from Phoebus."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

from archioc.opi import style
from tests.processes.tools import missing_tool
from tests.screens.known import COLORS, FONTS, OWN_COLORS, WIDGETS

pytestmark = pytest.mark.proof

UNPACKED = Path(__file__).parents[2] / ".cache/phoebusgen"
VERSIONS = ("4.7", "4.7.1", "4.7.2", "4.7.3")
CLASSES = {
    "label": "Label",
    "rectangle": "Rectangle",
    "textupdate": "TextUpdate",
    "textentry": "TextEntry",
    "action_button": "ActionButton",
    "bool_button": "BooleanButton",
    "combo": "ComboBox",
    "multi_state_led": "LEDMultiState",
    "group": "Group",
    "stripchart": "StripChart",
    "databrowser": "DataBrowser",
}


@pytest.fixture
def tables() -> Path:
    """Where its tables are; skipped where it is not unpacked."""
    if not (UNPACKED / "complete").exists():
        missing_tool("phoebusgen", "`make wheels` unpacks it into .cache")
    return UNPACKED / "phoebusgen/config"


def definitions(path: Path) -> dict[str, str]:
    """The lines `name = value` of a table."""
    lines = [line for line in path.read_text().splitlines() if "=" in line and not line.startswith(("#", "//"))]
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


@pytest.mark.parametrize("version", VERSIONS)
def test_widgets(tables: Path, version: str) -> None:
    """Every widget in use is in each 4.7, in a version that is not newer than the one that displays are written in."""
    known = definitions(tables / f"{version}_widgets.def")
    assert {kind: version for kind, (version, _) in WIDGETS.items() if kind not in known or known[kind] > version} == {}


def test_properties(tables: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every property that the checker lets pass is one of its widget."""
    monkeypatch.syspath_prepend(str(tables.parents[1]))
    widgets = import_module("phoebusgen.v4.widgets")
    unknown = {kind: properties - set(dir(getattr(widgets, CLASSES[kind]))) for kind, (_, properties) in WIDGETS.items()}
    for name in [name for name in sys.modules if name.partition(".")[0] == "phoebusgen"]:
        del sys.modules[name]
    assert {kind: names for kind, names in unknown.items() if names} == {}


def test_colors_and_fonts(tables: Path) -> None:
    """Named colours and fonts are those of Phoebus' color.def and font.def, and what displays say beside the name is the same."""
    colors, fonts = definitions(tables / "color.def"), definitions(tables / "font.def")
    assert set(colors) >= COLORS - OWN_COLORS
    assert set(fonts) >= FONTS
    for name, value in style.COLORS.items():
        if name not in OWN_COLORS:
            assert colors[name].replace(" ", "").split(",")[:3] == [str(number) for number in value], name
    for name, (face, size) in style.FONTS.items():
        assert [part.strip() for part in fonts[name].split("-")] == ["Liberation Sans", face.lower().replace("_", " "), str(size)], name
