"""Each put does what the contract says."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from archioc.core.table.table import RowState
from archioc.ioc.views.puts import STEADY_S
from tests.conftest import CaClientFactory
from tests.integration.pv_contract.content import COMMANDS, OF_A_GROUP_SLOT, OF_A_ROW, OF_A_VIEW, SETTINGS, audited, contract
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess

IN_THE_TABLE = {
    "enable": 0,
    "rate": 5,
    "mode": 1,
    "deadband": 0.25,
    "deadband_pct": 2,
    "max_interval": 60,
    "mask": 1,
    "quota": 10,
    "by_ioc": 0,
    "max_elements": 100,
    "large_arrays": 2,
    "as_text": 1,
    "group": 0,
}
"""What the engine is told once all of SETTINGS have been put."""

PUT_OVER_THE_FILE = {
    ("SR:DCCT", "enable", "0"),
    ("SR:DCCT", "rate", "5.0"),
    ("SR:DCCT", "mode", "scan"),
    ("SR:DCCT", "deadband", "0.25"),
    ("SR:DCCT", "deadband_pct", "2.0"),
    ("SR:DCCT", "max_interval", "60.0"),
    ("SR:DCCT", "mask", "value"),
    ("SR:DCCT", "quota", "10.0"),
    ("SR:DCCT", "clock", "archiver"),
    ("SR:DCCT", "max_elements", "100"),
    ("SR:DCCT", "large_arrays", "refuse"),
    ("SR:DCCT", "as_text", "1"),
    ("SR:DCCT", "description", "beam current"),
    ("SR:DCCT", "group", ""),
    ("vac", "enable", "0"),
    ("vac", "condition", "SR:MODE > 2"),
}
"""What state.db then holds."""

PAGING = ("Page", "Next", "Prev", "GroupPage", "GroupNext", "GroupPrev")

PAGED_VIEW = {f"View:v1:{name}" for name in ("Filter", "Sort", "Order", "Hold", "Select", "GroupSelect", *PAGING)}


def overrides(control: ControlProcess) -> set[tuple[str, str, str]]:
    """Channel or group, setting and value of all that has been put over the file."""
    database = sqlite3.connect(control.directories.registry)
    found = database.execute("SELECT channel, setting, value FROM override UNION SELECT name, setting, value FROM group_override")
    whole = set(found.fetchall())
    database.close()
    return whole


def test_every_writable_row_is_in_the_tests() -> None:
    """The tests below, and those of the views, write all that the contract says can be written."""
    by_right = {row.pv for row in contract() if row.access in {"control", "expert"}}
    assert by_right == {*SETTINGS, *COMMANDS, *OF_A_ROW, *OF_A_GROUP_SLOT, *OF_A_VIEW}
    assert {row.pv for row in contract() if row.access == "anyone"} == PAGED_VIEW


def test_every_setting_acts(client: CaClient, ca_client: CaClientFactory, control: ControlProcess, prefix: str) -> None:
    """When the put of a setting completes, another client reads it, and the revision in the channel table has grown."""
    other = ca_client([control.port])
    for name, value in SETTINGS.items():
        revision = int(control.table.settings.head["revision"][0])
        client.put(prefix + name, value)
        assert int(control.table.settings.head["revision"][0]) == revision + 1, name
        assert (name, other.get_text(prefix + name) if isinstance(value, str) else other.get(prefix + name)) == (name, value)
    cell = control.table.settings.cells[0]
    assert {name: float(cell[name]) for name in IN_THE_TABLE} == IN_THE_TABLE
    assert overrides(control) == PUT_OVER_THE_FILE


def test_every_setting_acts_in_a_row_of_a_view(client: CaClient, control: ControlProcess, prefix: str) -> None:
    """A put to a setting in a row of a view acts on the channel shown there, and is audited as one to the channel's own PV."""
    client.wait_for_value(prefix + "View:v1:Row00:Name", "SR:DCCT")
    time.sleep(STEADY_S)
    for name, value in OF_A_ROW.items():
        own = name.replace("View:v1:Row00:", "CH:SR:DCCT:")
        client.put(prefix + name, value)
        for shown in (own, name):
            assert (shown, client.get_text(prefix + shown) if isinstance(value, str) else client.get(prefix + shown)) == (shown, value)
    cell = control.table.settings.cells[0]
    assert (cell["enable"], cell["mode"], cell["rate"], cell["deadband"], cell["max_interval"], cell["quota"]) == (0, 1, 5, 0.25, 60, 10)
    found = [(entry.pv, entry.outcome) for entry in audited(control)]
    assert found == [(prefix + name.replace("View:v1:Row00:", "CH:SR:DCCT:"), "done") for name in OF_A_ROW]


def test_every_setting_acts_in_a_slot_of_a_view(client: CaClient, control: ControlProcess, prefix: str) -> None:
    """A put to a setting in a slot of groups acts on the group shown there, and is audited as one to the group's own PV."""
    client.wait_for_value(prefix + "View:v1:Group00:Name", "vac")
    time.sleep(STEADY_S)
    for name, value in OF_A_GROUP_SLOT.items():
        own = name.replace("View:v1:Group00:", "GRP:vac:")
        client.put(prefix + name, value)
        for shown in (own, name):
            assert (shown, client.get_text(prefix + shown) if isinstance(value, str) else client.get(prefix + shown)) == (shown, value)
    found = [(entry.pv, entry.outcome) for entry in audited(control)]
    assert found == [(prefix + name.replace("View:v1:Group00:", "GRP:vac:"), "done") for name in OF_A_GROUP_SLOT]


def test_every_command_acts(client: CaClient, control: ControlProcess, prefix: str) -> None:
    """When the put of a command completes, what it asks for has been done."""
    table, states = control.table, control.table.settings.cells["state"]
    done: dict[str, Callable[[], bool]] = {
        "Add": lambda: states[2] == RowState.USED,
        "AddList": lambda: states[3] == RowState.USED,
        "Set": lambda: control.row_of(2)["rate"] == 3,
        "RemoveList": lambda: states[3] == RowState.REMOVED,
        "Rename": lambda: (states[2], states[4]) == (RowState.REMOVED, RowState.USED),
        "Remove": lambda: states[4] == RowState.REMOVED,
        "Flush": lambda: table.settings.head["flush"][0] == 1,
        "ImportFile": lambda: states[5] == RowState.USED,
        "Apply": lambda: client.get(prefix + "ResultCode") == 0 and client.get_text(prefix + "Result") != "flushed",
        "AlarmServer:Heartbeat": lambda: client.get(prefix + "AlarmServer:Heartbeat") == 1,
        "CH:SR:DCCT:Remove": lambda: states[0] == RowState.REMOVED,
    }
    control.directories.imports.mkdir(exist_ok=True)
    (control.directories.imports / "more.txt").write_text("A:3\n")
    for name, has_acted in done.items():
        client.put(prefix + name, COMMANDS[name])
        assert has_acted(), name
