"""Links of the alarm tree: Phoebus opens the display that each names, with the macros it was written with."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from archioc.cli.main import app
from archioc.opi.alarm_entries import WatchedGroup, archiver_folders, group_folder
from archioc.opi.display_links import displays_base, link
from tests.screens.links import OpensNothing, opened

ODD = ["SR:VAC:P1", "A&B", "50%", "a#b", "a+b", "a b", "x=1", "a?b/c", "q;r,s", 'd"<>^`{|}', "$(P)", "ODD:a[0](b)", "µm", "%41"]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("displays", ["file:$(ARCHIOC)", "file:/site/displays", "http://web.site:8080/archioc", "file:/a%20dir"])
def test_every_name_comes_back(displays: str, name: str) -> None:
    """Whatever characters a name holds, the display gets it whole as `CH`, and nothing else."""
    opening = opened(link(displays, "channel.bob", P="ARCH:", CH=name), {"ARCHIOC": "/site/displays", "P": "wrong"})
    assert opening.macros == {"P": "ARCH:", "CH": name}
    assert opening.place.endswith("/channel.bob")
    assert "%" not in opening.place


def test_every_entry_opens_a_display() -> None:
    """Each entry of the archiver, of its groups and of their channels links to a display below the given directory."""
    folders = [*archiver_folders("A B:", "file:/d"), group_folder("A B:", WatchedGroup("vac", tuple(ODD)), "file:/d")]
    found = [opened(entry.display, {}) for folder in folders for entry in folder.entries]
    assert {Path(opening.place).parent for opening in found} == {Path("/d")}
    assert {opening.macros["P"] for opening in found} == {"A B:"}
    assert [opening.macros["CH"] for opening in found if "CH" in opening.macros] == ODD


@pytest.mark.parametrize(
    "text", ["main.bob?P=ARCH:", "/abs/main.bob?P=ARCH:", "file:main.bob?P=ARCH:", "file:/a b/main.bob", "file:$(NO)/main.bob"]
)
def test_what_phoebus_cannot_open(text: str) -> None:
    """The stand-in refuses what Phoebus takes for the name of a file, for an opaque URI or for a macro without a value."""
    with pytest.raises(OpensNothing):
        opened(text, {})


@pytest.mark.parametrize("url", ["", "/site", "displays", "file:displays", "ftp://x", "file:/a b", "file:/a?b", "file:/a#b"])
def test_refused_directories(url: str) -> None:
    """A directory that no link can be made of is refused with the rule, as wrong usage."""
    with pytest.raises(ValueError, match="must begin with file:/"):
        displays_base(url)
    done = CliRunner().invoke(app, ["alarms", "config", "no.yml", "--displays", url])
    assert done.exit_code == 2
