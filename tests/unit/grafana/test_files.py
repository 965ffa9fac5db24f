"""The committed dashboards and alert rules: made from the code, valid, and their references lead somewhere."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from archioc.cli.main import app
from archioc.core.events import GAPS, Reason
from archioc.grafana.__main__ import ALERTS, FOLDER, files
from archioc.grafana.alerts import SOURCE_UID
from archioc.grafana.boards.explorer import GAP_CODES, LOSS_CODES

MADE = files()
BOARDS: dict[str, Any] = {board["uid"]: board for path, text in MADE.items() if path.suffix == ".json" for board in [json.loads(text)]}
SCHEMA = json.loads((Path(__file__).parent / "dashboard.schema.json").read_text())
BUILT_IN = {"datasource", "__from", "__to", "__url_time_range", "__value"}
EXAMPLES = FOLDER / "examples"
PROVISIONING = FOLDER / "provisioning"


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    for uid, board in BOARDS.items():
        for panel in board["panels"]:
            yield uid, panel


def alert_rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(MADE[ALERTS])["groups"]
    return list(group["rules"])


def texts(value: object) -> Iterator[str]:
    """All texts within a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts(one)


@pytest.mark.parametrize("path", MADE, ids=str)
def test_the_committed_file_is_fresh(path: Path) -> None:
    """Making the files again changes nothing."""
    assert (FOLDER / path).read_text() == MADE[path]


def test_no_file_is_left_over() -> None:
    """Every dashboard in the folder is one that is made."""
    assert {path.name for path in (FOLDER / "dashboards").iterdir()} == {path.name for path in MADE if path.suffix == ".json"}


@pytest.mark.parametrize("uid", BOARDS)
def test_a_dashboard_obeys_the_schema(uid: str) -> None:
    """It is what Grafana's published types say, and imports into a new installation."""
    board = copy.deepcopy(BOARDS[uid])
    for annotation in board["annotations"].get("list", []):
        annotation.pop("target")  # the type knows that of Grafana's own source only, and says so
    jsonschema.validate(board, SCHEMA)
    assert board.get("id") is None
    assert board["schemaVersion"] <= 41
    assert "__inputs" not in board


@pytest.mark.parametrize("wrong", [{"editable": "no"}, {"panels": [{"type": "stat", "gridPos": {"h": "4", "w": 4, "x": 0, "y": 0}}]}])
def test_the_schema_notices_mistakes(wrong: dict[str, Any]) -> None:
    """A field of the wrong type is refused."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(BOARDS["archioc-wall"] | wrong, SCHEMA)


def test_every_panel_explains_itself() -> None:
    """Each has a title, a description, a unit, a word for no data, a query and a source; ids are unique."""
    for uid, panel in panels():
        where = (uid, panel.get("title"))
        assert panel["title"], where
        assert panel["description"], where
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"], where
        assert defaults["noValue"], where
        assert panel["targets"], where
        assert {json.dumps(one["datasource"]) for one in [panel, *panel["targets"]]} == {'{"type": "influxdb", "uid": "${datasource}"}'}, (
            where
        )
    for board in BOARDS.values():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        titles = [panel["title"] for panel in board["panels"]]
        assert len(titles) == len(set(titles))


def test_panels_do_not_overlap() -> None:
    """Every panel has its own place within the 24 columns."""
    for uid, board in BOARDS.items():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
            assert max(x for x, _ in cells) < 24, (uid, panel["title"])
            assert not cells & taken, (uid, panel["title"])
            taken |= cells


def test_every_variable_is_declared_and_used() -> None:
    """A dashboard has the variables that its queries name and no others."""
    for uid, board in BOARDS.items():
        declared = {variable["name"] for variable in board["templating"]["list"]}
        used = set(re.findall(r"\$\{(\w+)", " ".join(texts(board)))) - BUILT_IN
        assert used | {"datasource"} == declared, uid


def test_links_lead_somewhere() -> None:
    """Every path within the dashboards is that of a dashboard, and its variables are declared there."""
    found = 0
    for board in BOARDS.values():
        for path, variables in re.findall(r"/d/([\w-]+)/\?([^\"]*)", " ".join(texts(board))):
            found += 1
            declared = {variable["name"] for variable in BOARDS[path]["templating"]["list"]}
            assert set(re.findall(r"var-(\w+)=", variables)) <= declared
    assert found


def test_the_wall_chooses_nothing() -> None:
    """The wall asks for health alone, so that it costs the same with any number of channels."""
    wall = BOARDS["archioc-wall"]
    assert [variable["name"] for variable in wall["templating"]["list"]] == ["datasource"]
    assert {name for panel in wall["panels"] for one in panel["targets"] for name in re.findall(r'FROM "(\w+)"', one["query"])} == {
        "archiver"
    }


def test_colours_have_words() -> None:
    """Every state that is shown in colour has its word beside it."""
    for _, panel in panels():
        for mapping in panel["fieldConfig"]["defaults"].get("mappings", []):
            assert all(result["text"] and result["color"] for result in mapping["options"].values())


def test_the_codes_of_events_are_those_of_the_contract() -> None:
    """The explorer draws gaps as regions and all other events as moments, but not that an archiver collects."""
    assert {reason for reason in Reason if re.match(GAP_CODES, str(int(reason)))} == set(GAPS)
    assert {reason for reason in Reason if re.match(LOSS_CODES, str(int(reason)))} == set(Reason) - set(GAPS) - {Reason.COLLECTING}


def test_alert_rules_refer_to_what_there_is() -> None:
    """Uids are short and unique, each rule shows a panel, asks the provisioned source and steps that come before."""
    rules = alert_rules()
    assert len({rule["uid"] for rule in rules}) == len(rules)
    (source,) = yaml.safe_load((PROVISIONING / "datasources/archioc.yaml").read_text())["datasources"]
    assert source["uid"] == SOURCE_UID
    for rule in rules:
        assert len(rule["uid"]) <= 40
        assert rule["panelId"] in {panel["id"] for panel in BOARDS[rule["dashboardUid"]]["panels"]}
        known: set[str] = set()
        for step in rule["data"]:
            model = step["model"]
            if step["datasourceUid"] == SOURCE_UID:
                assert "${" not in model["query"]
            else:
                assert set(re.findall(r"\$(\w+)", model["expression"])) or model["expression"] in known
            known.add(step["refId"])
        assert rule["condition"] in known
        assert not re.search(r"\$(?!\$)", rule["title"] + "".join(rule["labels"].values()))


@pytest.mark.parametrize("path", [*PROVISIONING.rglob("*.yaml"), *EXAMPLES.glob("*.yaml")], ids=lambda path: path.name)
def test_provisioning_files_are_yaml_of_version_1(path: Path) -> None:
    """Grafana reads only files that say which form they have."""
    assert yaml.safe_load(path.read_text())["apiVersion"] == 1


def test_contact_points_are_an_example_only() -> None:
    """What is provisioned leaves the notification policies of a site alone."""
    assert set(yaml.safe_load(MADE[ALERTS])) == {"apiVersion", "groups"}


def test_the_command_writes_what_is_shipped(tmp_path: Path) -> None:
    """`archioc grafana DIR` writes every dashboard, rule and data source of the checkout, byte for byte, into a new directory."""
    done = CliRunner().invoke(app, ["grafana", str(tmp_path / "new" / "directory")])
    assert done.exit_code == 0
    written = {str(path.relative_to(tmp_path / "new/directory")): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    shipped = [path for folder in ("dashboards", "provisioning", "examples") for path in (FOLDER / folder).rglob("*") if path.is_file()]
    assert written == {str(path.relative_to(FOLDER)): path.read_bytes() for path in shipped}
