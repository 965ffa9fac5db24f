"""What `archioc alarms config` writes, read back by the rules of the alarm server."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from xml.etree import ElementInclude
from xml.etree.ElementTree import Element, SubElement, tostring

import pytest
from typer.testing import CliRunner

from archioc.cli.alarms.alarms import is_topic
from archioc.cli.main import app, main
from archioc.opi import displays
from archioc.opi.alarm_entries import archiver_folders
from tests.screens.alarm_tree import check, pvs
from tests.screens.pvs import Contract

CONTRACT = Contract("ARCH:")
SITE = """
archiver: {prefix: "ARCH:", state_dir: ./state}
groups:
  vac: {condition: "SR:MODE > 2", channels: [SR:VAC:P1, SR:VAC:P2]}
  mag: {channels: [SR:MAG:I]}
channels: [SR:DCCT]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yml"
    path.write_text(SITE)
    return path


def written(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["alarms", "config", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.output


OWN = [entry.pv for folder in archiver_folders("ARCH:") for entry in folder.entries]


def test_whole_configuration(site: Path) -> None:
    """The archiver's own PVs and its groups, each once, with all that servers guess differently; the file says what an import does."""
    text = written(site)
    assert check(text, CONTRACT, displays.SHIPPED) == []
    assert pvs(text) == [*OWN, "ARCH:GRP:vac:Disconnected", "ARCH:GRP:mag:Disconnected"]
    assert '<config name="Archiver">' in text
    assert "replaces everything under Archiver" in text


def test_part_with_channels(site: Path, tmp_path: Path) -> None:
    """A part is a component for the site's own file; chosen groups get an entry for each of their channels."""
    output = tmp_path / "part.xml"
    assert written(site, "--part", "--channels", "vac", "--name", "Archiver.Ring", "--output", output) == ""
    text = output.read_text()
    assert check(text, CONTRACT, displays.SHIPPED) == []
    assert pvs(text)[len(OWN) :] == [
        "ARCH:GRP:vac:Disconnected",
        "ARCH:CH:SR:VAC:P1:Connected",
        "ARCH:CH:SR:VAC:P2:Connected",
        "ARCH:GRP:mag:Disconnected",
    ]
    assert '<component name="Archiver.Ring">' in text


def test_part_in_the_file_of_a_site(site: Path, tmp_path: Path) -> None:
    """A site's own file that includes the part is, once the include is followed, a configuration as the alarm server reads it."""
    written(site, "--part", "--output", tmp_path / "part.xml")
    whole = Element("config", name="Site")
    SubElement(whole, f"{ElementInclude.XINCLUDE}include", href=str(tmp_path / "part.xml"))
    ElementInclude.include(whole)
    text = tostring(whole, encoding="unicode")
    assert check(text, CONTRACT, displays.SHIPPED) == []
    assert pvs(text)[: len(OWN)] == OWN


def test_every_entry_is_of_a_pv_that_has_alarms() -> None:
    """Every number among them has a limit as shipped, every state a severity."""
    from archioc.ioc.ca.alarm_limits import NO_LIMITS  # noqa: PLC0415
    from archioc.ioc.pvs.status_fields import STATUS_FIELDS  # noqa: PLC0415

    silent = {"Engine:State", "Writer:State"}  # INVALID and TIMEOUT when the process does not answer
    for name in {pv.removeprefix("ARCH:") for pv in OWN} - silent - {"AlarmServer:Heartbeat"}:
        field = STATUS_FIELDS[name]
        assert any(field.spec.severities) or field.limits != NO_LIMITS, name


def test_wrong_arguments(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A group that is not declared, a name that is no topic and a file that cannot be written are told and end with 2, 2 and 1."""
    for arguments, code, words in (
        (["--channels", "rf"], 2, "there is no group 'rf'; there are: vac, mag"),
        (["--name", "a/b"], 2, "must be letters, digits"),
        (["--output", str(tmp_path / "no" / "file.xml")], 1, f"cannot be written: {os.strerror(errno.ENOENT)}"),
    ):
        monkeypatch.setattr("sys.argv", ["archioc", "alarms", "config", str(site), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == code
        told = re.sub(r"[\s│]+", " ", capsys.readouterr().err)
        assert words in told


@pytest.mark.parametrize(
    ("name", "good"), [("Archiver", True), ("A-1.b.c", True), ("A_b", True), ("A.b_c", False), ("", False), ("a b", False)]
)
def test_names_of_topics(name: str, good: bool) -> None:
    """Letters, digits and '-', with dots or underscores but not both."""
    assert is_topic(name) is good


BROKEN = {
    "<latching>true</latching>": ("<latching>yes</latching>", "latching is 'yes'"),
    "<annunciating>true</annunciating>": ("", "annunciating is there 0 times"),
    "<delay>30</delay>": ("<delay>30 s</delay>", "delay is '30 s'"),
    'name="ARCH:Db:State"': ('name="ARCH:State"', "ARCH:State is there twice"),
    'name="ARCH:Quarantine"': ('name="ARCH:Quarantined"', "no such PV"),
    "database.bob?P=ARCH:": ("databases.bob?P=ARCH:", "no such display: databases.bob"),
    "main.bob?P=ARCH:": ("main.bob", "main.bob is opened with [] instead of ['P']"),
    "file:$(ARCHIOC)/main.bob": ("main.bob", "opens nothing"),
    "$(ARCHIOC)/groups.bob": ("$(DISPLAYS)/groups.bob", "has a macro without a value"),
    "`ARCH:GRP:vac:State` == 1": ("`ARCH:GRP:vac:On` == 1", "no such PV in its filter: ARCH:GRP:vac:On"),
    "<enabled>": ("<enable>", "unknown element enable"),
    'name="Loss"': ('name="Running"', "holds two components of one name"),
    '<config name="Archiver">': ('<config name="The Archiver">', "is no topic of Kafka"),
}


@pytest.mark.parametrize("good", BROKEN)
def test_checker_catches(site: Path, good: str) -> None:
    """The checker of these tests finds a mistake of each kind."""
    bad, words = BROKEN[good]
    text = written(site)
    assert good in text
    text = text.replace(good, bad).replace(
        good.replace("<", "</"), bad.replace("<", "</") if good == "<enabled>" else good.replace("<", "</")
    )
    assert any(words in finding for finding in check(text, CONTRACT, displays.SHIPPED))


def test_opi_writes_the_shipped_files(tmp_path: Path) -> None:
    """`archioc opi DIR` writes every shipped file into a directory that need not be there yet."""
    done = CliRunner().invoke(app, ["opi", str(tmp_path / "a" / "b")])
    assert done.exit_code == 0
    assert {path.name: path.read_text() for path in (tmp_path / "a" / "b").iterdir()} == {
        path.name: path.read_text() for path in displays.SHIPPED.iterdir()
    }
