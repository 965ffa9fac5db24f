from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archioc.core.config.declared_channels import DeclaredChannel
from archioc.core.errors import ConfigError
from archioc.importing.formats import ImportFormat
from archioc.importing.gathering import Imported
from archioc.importing.read_files import read_files
from tests.archives.declarations import declare

AUTO = ImportFormat.AUTO
WRITE_ANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)

names = st.lists(st.text("ABCxyz019:_-.{}<>&'", min_size=1, max_size=12).map("SR:{}".format), unique=True, max_size=8)
groups = st.sampled_from(["", "vac", "rf-1"])
rates = st.sampled_from([0.01, 0.5, 1.0, 10.0, 1e5])


@st.composite
def declared(draw: st.DrawFn) -> list[DeclaredChannel]:
    """Channels as a file may declare them: monitored ones, and scanned ones with a rate."""
    found = []
    for name in draw(names):
        settings: dict[str, object] = {"mode": "monitor"}
        if draw(st.booleans()):
            settings = {"mode": "scan", "rate": draw(rates)}
        found.append(declare(name, draw(groups), **settings))
    return found


def read(tmp_path: Path, text: str, form: ImportFormat = AUTO, name: str = "file") -> Imported:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    return read_files([(path, form)])


def refused(tmp_path: Path, text: str, form: ImportFormat = AUTO, name: str = "file") -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text, form, name)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def as_list(channels: Sequence[DeclaredChannel]) -> str:
    def line(channel: DeclaredChannel) -> str:
        return " ".join([channel.name, *(f"{key}={value}" for key, value in channel.given), f"group={channel.group}"])

    return "".join(f"{line(channel)}\n" for channel in channels)


def as_csv(channels: Sequence[DeclaredChannel]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, ["group", "pv", "rate", "mode"])
    writer.writeheader()
    writer.writerows({"pv": channel.name, "group": channel.group, **dict(channel.given)} for channel in channels)
    return out.getvalue()


def as_yaml(channels: Sequence[DeclaredChannel]) -> str:
    def entry(channel: DeclaredChannel) -> dict[str, str]:
        return {"pv": channel.name, **dict(channel.given)}

    named = {channel.group for channel in channels if channel.group}
    blocks = {
        "groups": {name: {"channels": [entry(channel) for channel in channels if channel.group == name]} for name in named},
        "channels": [entry(channel) for channel in channels if not channel.group],
    }
    return json.dumps(blocks)


def as_engine_config(channels: Sequence[DeclaredChannel]) -> str:
    parts = []
    for channel in channels:
        rate = dict(channel.given).get("rate")
        how = f"<period>{1 / float(rate)!r}</period><scan/>" if rate else "<monitor/>"
        group = escape(channel.group or "none")
        parts.append(f"<group><name>{group}</name><channel><name>{escape(channel.name)}</name>{how}</channel></group>")
    return f"<engineconfig>{''.join(parts)}</engineconfig>"


@WRITE_ANY
@given(channels=declared(), write=st.sampled_from([(as_list, "list"), (as_csv, "csv"), (as_yaml, "yaml")]))
def test_what_is_written_is_read(tmp_path: Path, channels: list[DeclaredChannel], write: tuple) -> None:  # type: ignore[type-arg]
    """Channels written as a list, as CSV or as YAML are read as they were: name, group and settings."""
    text, form = write[0](channels), ImportFormat(write[1])
    assert sorted(read(tmp_path, text, form).declaration.channels, key=str) == sorted(channels, key=str)


@WRITE_ANY
@given(channels=declared())
def test_engine_config_keeps_mode_rate_and_group(tmp_path: Path, channels: list[DeclaredChannel]) -> None:
    """Channels written as an engine configuration keep name, mode and group, and the rate to the last digits of the period."""
    found = read(tmp_path, as_engine_config(channels), ImportFormat.ENGINECONFIG).declaration.channels
    assert [(c.name, c.group, dict(c.given)["mode"]) for c in found] == [
        (c.name, c.group or "none", dict(c.given)["mode"]) for c in channels
    ]
    for channel, expected in zip(found, channels, strict=True):
        assert float(dict(channel.given).get("rate", 0)) == pytest.approx(float(dict(expected.given).get("rate", 0)))


@WRITE_ANY
@given(
    text=st.text(max_size=200) | st.text(alphabet='<>/[]{}",:=\n\t #&;apvengicofhrl01.', max_size=200),
    form=st.sampled_from(list(ImportFormat)),
)
def test_any_text_is_read_or_refused(tmp_path: Path, text: str, form: ImportFormat) -> None:
    """Whatever a file holds, it is read, or refused with the name of the file; nothing else comes of it."""
    path = tmp_path / "file"
    path.write_text(text, encoding="utf-8", newline="")
    outcome = ""
    try:
        read_files([(path, form)])
    except ConfigError as error:
        outcome = str(error)
    assert not outcome or outcome.startswith(f"{path}:")


def test_list_takes_comments_and_settings(tmp_path: Path) -> None:
    """Of a list comments and empty lines are skipped; what follows a name is read as in a line of Add."""
    found = read(tmp_path, "# ring\nca://SR:A.VAL  # current\n\nSR:B rate=5 group=vac\r\n").declaration
    assert found.channels == (declare("SR:A"), declare("SR:B", "vac", rate=5))


def test_yaml_settings_of_groups_and_policies_become_the_channels_own(tmp_path: Path) -> None:
    """A channel of our own YAML keeps all its file gives it, whether by a policy, its group or itself; conditions come along."""
    text = """
policies: [{match: "A:*", rate: 2, quota: 50}]
groups: {vac: {condition: "SR:MODE != 0", description: d, settings: {rate: 3}, channels: [A:1, {pv: A:2, rate: 4}]}}
"""
    found = read(tmp_path, text, name="site.yml")
    assert found.declaration.channels == (declare("A:1", "vac", rate=3, quota=50), declare("A:2", "vac", rate=4, quota=50))
    assert found.declaration.groups[0].condition == "SR:MODE != 0"
    assert found.remarks == ("descriptions of groups: vac",)


def test_appliance_export_is_mapped(tmp_path: Path) -> None:
    """Of type infos of the appliance method, period and pause become settings; what has no place here is told."""
    exported = [
        {"pvName": "A", "samplingMethod": "MONITOR", "samplingPeriod": "1.0", "paused": "false", "archiveFields": ["HIHI", "LOLO"]},
        {"pvName": "B", "samplingMethod": "SCAN", "samplingPeriod": "20.0", "paused": "true", "policyName": "Default"},
        {
            "pvName": "C",
            "samplingMethod": "SCAN",
            "samplingPeriod": "0.5",
            "controllingPV": "X",
            "policyName": "Fast",
            "usePVAccess": "true",
        },
    ]
    found = read(tmp_path, json.dumps(exported))
    assert found.declaration.channels == (
        declare("A", mode="monitor"),
        declare("B", mode="scan", rate=0.05, enable=False),
        declare("C", mode="scan", rate=2),
    )
    assert [remark.rsplit(": ", 1)[1] for remark in found.remarks] == ["A", "C", "C", "C"]
    assert " ".join(found.remarks).count("controllingPV") == 1


def test_archive_request_is_mapped(tmp_path: Path) -> None:
    """What archivePV takes, with its keys in small letters, and a list of names alone are read too."""
    text = '[{"pv": "A", "samplingperiod": "2.0", "samplingmethod": "SCAN"}, {"pv": "pva://B"}, "C"]'
    channels = read(tmp_path, text, name="request.json").declaration.channels
    assert channels == (declare("A", mode="scan", rate=0.5), declare("B", mode="monitor"), declare("C", mode="monitor"))


ENGINE = """<?xml version="1.0"?>
<!DOCTYPE engineconfig SYSTEM "engineconfig.dtd">
<engineconfig>
  <write_period>30</write_period>
  <group><name>Vacuum Group 1</name>
    <channel><name>V:1</name><period>00:01:40</period><scan/></channel>
    <channel><name>V:2</name><period>1</period><monitor>2.5</monitor></channel>
    <channel><name>V:ON</name><monitor/><enable/></channel>
  </group>
  <group><name>rf</name>
    <channel><name>RF:1</name><monitor/><delta>0.1</delta></channel>
    <channel><name>RF:2</name></channel>
    <channel><name>V:1</name><monitor/></channel>
  </group>
  <group><name>empty</name></group>
</engineconfig>
"""


def test_both_dialects_of_engine_configurations_are_mapped(tmp_path: Path) -> None:
    """Dead bands of both dialects, periods in both forms, groups and their enabling channel are kept; the rest is told."""
    found = read(tmp_path, ENGINE)
    assert found.declaration.channels == (
        declare("V:1", "Vacuum_Group_1", mode="scan", rate=0.01),
        declare("V:2", "Vacuum_Group_1", mode="monitor", deadband=2.5),
        declare("V:ON", "Vacuum_Group_1", mode="monitor"),
        declare("RF:1", "rf", mode="monitor", deadband=0.1),
        declare("RF:2", "rf", mode="scan", rate=1 / 60),
    )
    assert [(group.name, group.condition) for group in found.declaration.groups] == [
        ("Vacuum_Group_1", "V:ON > 0"),
        ("rf", ""),
        ("empty", ""),
    ]
    assert found.remarks == (
        "parameters of the engine: write_period",
        "groups with another name here: Vacuum Group 1 = Vacuum_Group_1",
        "channels in several groups, here in the first of them: V:1",
    )


BOMB = '<!DOCTYPE e [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;">]>\n<engineconfig>&b;</engineconfig>'
BAD_PERIOD = "<engineconfig><group><name>g</name>\n<channel><name>A</name><period>x</period></channel></group></engineconfig>"
OUTSIDE = '<!DOCTYPE e [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n<engineconfig>&a;</engineconfig>'


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a", "SR:A\nSR:B rate=-1\n", "a:2: SR:B: rate=-1: must lie between 0 and 100000 Hz"),
        ("a", "SR:A\n\nSR:A\n", "a:3: SR:A: stands at"),
        ("a", "SR:A nonsense\n", "a:1: nonsense=: must be written as setting=value"),
        ("a.csv", "pv,rate\nSR:A,1\nSR:B,x\n", "a.csv:3: SR:B: rate=x"),
        ("a.csv", "pv,speed\n", "a.csv:1: 'speed': no such setting"),
        ("a.csv", "rate,mode\n", "a.csv:1: the header must have one column pv, name or channel"),
        ("a.csv", "pv,rate\nSR:A\n", "a.csv:2: has 1 cells, the header 2"),
        ("a.csv", 'pv\n"SR:A\n', "is not CSV"),
        ("a.json", '[{"pvName": "A"}, {"samplingPeriod": "1"}]', "a.json: [1]: must have pvName or pv, a text"),
        ("a.json", '[{"pv": "A", "samplingperiod": "0"}]', "a.json: [0].samplingPeriod: 0: must be a number of seconds above 0"),
        ("a.json", '[{"pv": "A", "samplingmethod": "POLL"}]', "[0].samplingMethod: POLL: must be MONITOR, SCAN or DONT_ARCHIVE"),
        ("a.json", '[{"pv": "A"},\n oops]', "a.json:2: is not JSON"),
        ("a.xml", "<engineconfig>\n<group>\n</wrong>", "a.xml:3: is not XML"),
        ("a.xml", "<other/>", "a.xml:1: <other>: no such element as the outermost element, which must be <engineconfig>"),
        ("a.xml", BAD_PERIOD, "a.xml:2: A: 'x': must be a number"),
        ("a.xml", BOMB, "a.xml:1: a: entities are not allowed here"),
        ("a.xml", OUTSIDE, "a.xml:1: a: entities are not allowed here"),
        ("a.yml", "channels: [{pv: A, rate: -1}]\n", "a.yml:1: channels[0].rate: -1: must lie between"),
    ],
)  # fmt: skip
def test_bad_input_is_named_by_file_place_and_rule(tmp_path: Path, name: str, text: str, words: str) -> None:
    """A broken rule is told with the file, the line or entry, the value and the rule."""
    assert words in refused(tmp_path, text, name=name)


def test_channel_in_two_files_is_refused(tmp_path: Path) -> None:
    """A channel that stands in two of the files is refused with both places."""
    for name in ("a", "b"):
        (tmp_path / name).write_text("SR:A\n")
    with pytest.raises(ConfigError, match=r"b:1: SR:A: stands at .*a:1 too"):
        read_files([(tmp_path / "a", AUTO), (tmp_path / "b", AUTO)])


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A directory, and a file that is not there, are refused by their name."""
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ConfigError, match="is no file"):
            read_files([(path, AUTO)])
