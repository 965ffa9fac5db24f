"""The displays that are shipped, and what the checker of displays catches."""

from __future__ import annotations

import configparser
from pathlib import Path
from xml.etree.ElementTree import parse

import pytest

from archioc.ioc.ca.alarm_limits import NO_LIMITS
from archioc.ioc.pvs.status_fields import STATUS_FIELDS
from archioc.opi import displays
from archioc.opi.plots import PLOTS, Plot
from archioc.opi.settings import FILE
from tests.screens.broken import BROKEN, broken_copy
from tests.screens.checking import check
from tests.screens.names import pvs
from tests.screens.pvs import Contract
from tests.screens.reading import expand, read

CONTRACT = Contract("ARCH:")


def test_shipped_displays_are_good() -> None:
    """The checker finds nothing in any shipped display."""
    assert len(list(displays.SHIPPED.glob("*.bob"))) == len(displays.SCREENS)
    assert check(displays.SHIPPED, CONTRACT) == []


@pytest.mark.parametrize("size", displays.SIZES)
def test_every_layout_is_good(tmp_path: Path, size: str) -> None:
    """Each layout has all displays, none larger than it says, and the checker finds nothing in them."""
    room = displays.SIZES[size]
    displays.write(tmp_path, room)
    assert check(tmp_path, CONTRACT) == []
    screens = [read(path) for path in tmp_path.glob("*.bob")]
    assert len(screens) == len(displays.SCREENS)
    assert {(screen.width, screen.height) for screen in screens} == {(room.width, room.height)}


def test_dark_variant(tmp_path: Path) -> None:
    """The dark variant differs in colours alone, has none that a site's light definitions change, and no dark text on a dark ground."""
    displays.write(tmp_path / "light")
    displays.write(tmp_path / "dark", theme="dark")
    for path in sorted((tmp_path / "dark").glob("*.bob")):
        dark, light = read(path), read(tmp_path / "light" / path.name)
        assert [(one.kind, one.text("name"), one.x, one.y) for one in dark.widgets] == [
            (one.kind, one.text("name"), one.x, one.y) for one in light.widgets
        ]
        assert not [one for one in dark.root.iter("color") if one.get("name")]
        for shown in dark.widgets:
            ink = shown.element.find("foreground_color/color")
            assert ink is None or sum(int(ink.get(part, "0")) for part in ("red", "green", "blue")) > 400, shown.title


def test_nothing_is_put_without_intent() -> None:
    """No field puts to a command: those that Phoebus submits when they lose the focus are local, and buttons send what is in them."""
    for path in displays.SHIPPED.glob("*.bob"):
        screen = read(path)
        for shown in screen.widgets:
            name = expand(shown.text("pv_name"), {"P": "ARCH:", "DID": "W"})
            if shown.kind == "textentry" and name.rpartition(":")[2] in {"Add", "Remove", "Set", "Rename", "ImportFile"}:
                pytest.fail(f"{path.name}: {shown.title} puts a command")
            if shown.text("multi_line") == "true":
                assert name.startswith("loc://"), (path.name, shown.title)
            if "Remove" in name and shown.kind == "action_button":
                assert shown.text("show_confirm_dialog") == "true"


def test_generating_again_changes_nothing(tmp_path: Path) -> None:
    """What the description gives is, file by file, what is shipped."""
    displays.write(tmp_path)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in displays.SHIPPED.iterdir()}


def test_settings_name_both_readers() -> None:
    """settings.ini is lines of `package/name=value`, with sources that Phoebus has readers for."""
    parser = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#",))
    parser.read_string("[all]\n" + (displays.SHIPPED / FILE).read_text())
    urls = parser["all"]["org.csstudio.trends.databrowser3/urls"].split("*")
    assert [url.split(":", 1)[0] for url in urls] == ["json", "pbraw"]


def test_channel_display_has_all_of_a_channel() -> None:
    """channel.bob, and what channels.bob shows of the selected channel, have every PV of a channel, each setting to be put."""
    fields = {row.name.removeprefix("CH:<name>:"): row for row in CONTRACT.rows if row.name.startswith("CH:<name>:")}
    of_a_slot = set(fields) - {"Name", "Remove"}
    for file, stem, wanted in (("channel.bob", "ARCH:CH:SR:DCCT:", set(fields)), ("channels.bob", "ARCH:View:WD1f:Selected:", of_a_slot)):
        uses = {name.removeprefix(stem): is_put for _, name, is_put in pvs(read(displays.SHIPPED / file)) if name.startswith(stem)}
        bare = {name.removesuffix(".TXT"): is_put for name, is_put in uses.items()}
        assert set(bare) | {"Name"} == wanted | {"Name"}, file
        assert {name for name, is_put in bare.items() if is_put} == {name for name in wanted if fields[name].writable}


def test_limits_display_has_every_limit_as_shipped() -> None:
    """Every number that alarms as shipped has its line in limits.bob."""
    shown = {name.removeprefix("ARCH:").removesuffix(".TXT") for _, name, _ in pvs(read(displays.SHIPPED / "limits.bob"))}
    assert {name for name, field in STATUS_FIELDS.items() if field.limits != NO_LIMITS} <= shown


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.file)
def test_plots_are_well_formed(plot: Plot) -> None:
    """Each trace of a plot has a name, a PV of the contract or the channel itself, and an axis that the plot has."""
    root = parse(displays.SHIPPED / plot.file).getroot()
    axes = len(root.findall("axes/axis"))
    traces = root.findall("pvlist/pv")
    assert traces
    for trace in traces:
        name = expand(trace.findtext("name", ""), {"P": "ARCH:", "CH": "SR:DCCT"})
        assert name == "SR:DCCT" or CONTRACT.find(name) is not None, name
        assert trace.findtext("display_name")
        assert int(trace.findtext("axis", "-1")) in range(axes)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_copies_are_caught(tmp_path: Path, name: str) -> None:
    """One mistake in a copy of a shipped display is found, and told in the words for it, with the file."""
    file, words = broken_copy(name, tmp_path)
    assert any(words in finding for finding in check(tmp_path, CONTRACT) if finding.startswith(file))


def test_damaged_file_is_caught(tmp_path: Path) -> None:
    """A display that is cut off in the middle is found."""
    text = (displays.SHIPPED / "main.bob").read_text()
    (tmp_path / "main.bob").write_text(text[: len(text) // 2])
    assert "not well-formed" in check(tmp_path, CONTRACT)[0]
