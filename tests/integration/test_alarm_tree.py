"""The configuration for an alarm server against the PVs of a running control process."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archioc.cli.main import app
from archioc.opi import displays
from tests.conftest import CaClientFactory
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.screens.alarm_tree import check, pvs
from tests.screens.live import connect
from tests.screens.pvs import Contract

SITE = """
groups:
  vac: {condition: "SR:MODE > 2", channels: [SR:VAC:P1, SR:VAC:P2]}
  mag: {channels: [SR:MAG:I]}
channels: [SR:DCCT]
"""
LIMITS = ("HIHI", "HIGH", "LOW", "LOLO")
STATES = ("ZRSV", "ONSV", "TWSV", "THSV", "FRSV")
SILENT = {"Engine:State", "Writer:State", "AlarmServer:Heartbeat"}
"""In alarm when somebody stops, not by their values."""
TOLD_ELSEWHERE = {"Lag"}
"""Grows with `Spool:OldestAge`, which is in the tree."""


@pytest.fixture
def control(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    made = ControlProcess(tmp_path, ports(1)[0], prefix, SITE)
    made.start()
    yield made
    made.close()


def test_tree_is_what_can_alarm(control: ControlProcess, ca_client: CaClientFactory, prefix: str) -> None:
    """The tree holds each PV of the running archiver that has an alarm limit or a state with a severity, and each of its groups."""
    done = CliRunner().invoke(app, ["alarms", "config", str(control.config), "--channels", "vac"])
    assert done.exit_code == 0, done.output
    contract, client = Contract(prefix), ca_client([control.port])
    assert check(done.output, contract, displays.SHIPPED) == []
    tree = {name.removeprefix(prefix) for name in pvs(done.output)}
    assert connect(client, [prefix + name for name in tree]) == set()
    fields = {
        row.name: STATES if row.dbr_type == "ENUM" else LIMITS
        for row in contract.rows
        if "<" not in row.name and row.dbr_type in {"DOUBLE", "LONG", "ENUM"}
    }
    assert connect(client, [f"{prefix}{name}.{field}" for name in fields for field in fields[name]]) == set()
    alarming = {name for name in fields if any(_alarms(client, f"{prefix}{name}.{field}") for field in fields[name])}
    assert {name for name in tree if not name.startswith(("GRP:", "CH:"))} == (alarming - TOLD_ELSEWHERE) | SILENT
    groups = _listed(client, f"{prefix}View:tree:Group{{:02d}}:Name", 10)
    assert {name for name in tree if name.startswith("GRP:")} == {f"GRP:{name}:Disconnected" for name in groups}
    client.put(f"{prefix}View:tree:GroupSelect", "vac")
    channels = _listed(client, f"{prefix}View:tree:Row{{:02d}}:Name", 25)
    assert {name for name in tree if name.startswith("CH:")} == {f"CH:{name}:Connected" for name in channels}


def _alarms(client: CaClient, field: str) -> bool:
    value = client.get(field)
    assert isinstance(value, int | float)
    return not math.isnan(value) and (field.endswith(LIMITS) or value > 0)


def _listed(client: CaClient, form: str, slots: int) -> set[str]:
    names = [form.format(number) for number in range(slots)]
    assert connect(client, names) == set()
    return {client.get_text(name) for name in names} - {""}
