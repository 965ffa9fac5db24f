from __future__ import annotations

import csv
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import caproto as ca
import pytest

from archioc.core.table import ProcessState, RowState, StoreState
from ioc.view_puts import STEADY_S
from tests.conftest import CaClientFactory
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa
from tests.processes.waiting import wait_until

CONTRACT = Path(__file__).parents[2] / "docs/reference/contract/pvs.csv"
CHANNELS = "groups: {vac: {channels: [SR:DCCT]}}\nchannels: [SR:OTHER]"
ONLY_THIS_HOST = "access: {control: [{hosts: [127.0.0.1]}], expert: [{hosts: [127.0.0.1]}]}"

APPLY_S = 30.0
"""Time for a put that has the file read by processes of their own, on a busy machine."""

DBE_VALUE, DBE_LOG, DBE_ALARM, DBE_PROPERTY = 1, 2, 4, 8


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the contract, for one channel and one group."""

    pv: str
    dbr_type: str
    count: int
    enum_strings: list[str]
    units: str
    precision: int
    access: str
    description: str


def contract() -> list[Row]:
    with CONTRACT.open() as file:
        return [
            Row(
                row["name"]
                .replace("<name>", "SR:DCCT")
                .replace("<group>", "vac")
                .replace("<view>", "v1")
                .replace("<slot>", "Row00")
                .replace("<groupslot>", "Group00"),
                row["dbr_type"],
                int(row["count"]),
                row["enum_strings"].split(";") if row["enum_strings"] else [],
                row["unit"],
                int(row["precision"] or 0),
                row["access"],
                row["description"],
            )
            for row in csv.DictReader(file)
        ]


def beat(control: ControlProcess) -> None:
    for block in (control.table.status, control.table.delivery):
        block.head["heartbeat"][0], block.head["state"][0] = time.time_ns(), ProcessState.RUNNING
    control.table.delivery.head["store_state"][0] = StoreState.OK


@pytest.fixture
def control(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    made = ControlProcess(tmp_path, ports(1)[0], prefix, f"{CHANNELS}\n{ONLY_THIS_HOST}")
    made.start()
    made.table.status.head["flush_done"][0] = 1000  # an engine that has committed all that was asked for
    beat(made)
    yield made
    made.close()


@pytest.fixture
def client(control: ControlProcess, ca_client: CaClientFactory) -> CaClient:
    return ca_client([control.port])


def test_every_row_reads_as_the_contract_says(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Libca sees each PV with the type, count, enum strings, unit, precision and rights of its row, a time stamp, and DESC as DESC."""
    now, rows = time.time(), contract()
    for row in rows:  # all searches at once
        client.connected(prefix + row.pv)
        client.connected(f"{prefix}{row.pv}.DESC$")
    for row in rows:
        seen = client.describe(prefix + row.pv)
        assert (row.pv, seen.dbr_type, seen.count, seen.enum_strings, seen.units) == (
            row.pv,
            row.dbr_type,
            row.count,
            row.enum_strings,
            row.units,
        )
        assert (row.pv, seen.precision, seen.write_access) == (row.pv, row.precision, row.access != "read")
        assert abs(seen.time_s - now) < 60, row.pv
        assert client.get_text(f"{prefix}{row.pv}.DESC$") == row.description


SETTINGS = {
    "CH:SR:DCCT:Enable": 0,
    "CH:SR:DCCT:Rate": 5.0,
    "CH:SR:DCCT:Mode": 1,
    "CH:SR:DCCT:Deadband": 0.25,
    "CH:SR:DCCT:DeadbandPct": 2.0,
    "CH:SR:DCCT:MaxInterval": 60.0,
    "CH:SR:DCCT:Mask": 1,
    "CH:SR:DCCT:Quota": 10.0,
    "CH:SR:DCCT:Clock": 2,
    "CH:SR:DCCT:MaxElements": 100,
    "CH:SR:DCCT:LargeArrays": 2,
    "CH:SR:DCCT:AsText": 1,
    "CH:SR:DCCT:Desc": "beam current",
    "CH:SR:DCCT:Group": "",
    "GRP:vac:Enable": 0,
    "GRP:vac:Condition": "SR:MODE > 2",
}
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
OF_A_ROW = {name.replace("CH:SR:DCCT:", "View:v1:Row00:"): value for name, value in SETTINGS.items() if name.startswith("CH:")}
OF_A_GROUP_SLOT = {name.replace("GRP:vac:", "View:v1:Group00:"): value for name, value in SETTINGS.items() if name.startswith("GRP:")}
PAGING = ("Page", "Next", "Prev", "GroupPage", "GroupNext", "GroupPrev")
OF_A_VIEW = {f"View:v1:{name}" for name in ("Filter", "Sort", "Order", "Hold", "Select", "GroupSelect", *PAGING)}
COMMANDS: dict[str, object] = {
    "Add": "A:1",
    "AddList": ["A:2"],
    "Set": "A:1 rate=3",
    "RemoveList": ["A:2"],
    "Rename": "A:1 A:4",
    "Remove": "A:4",
    "Flush": 1,
    "ImportFile": "more.txt",
    "Apply": 1,
    "AlarmServer:Heartbeat": 1,
    "CH:SR:DCCT:Remove": "SR:DCCT",
}


def overrides(control: ControlProcess) -> set[tuple[str, str, str]]:
    """Channel or group, setting and value of all that has been put over the file."""
    database = sqlite3.connect(control.directories.registry)
    found = database.execute("SELECT channel, setting, value FROM override UNION SELECT name, setting, value FROM group_override")
    whole = set(found.fetchall())
    database.close()
    return whole


def test_every_writable_row_is_in_the_tests() -> None:
    """The tests below, and those of the views, write all that the contract says can be written."""
    assert {row.pv for row in contract() if row.access in {"control", "expert"}} == {*SETTINGS, *COMMANDS, *OF_A_ROW, *OF_A_GROUP_SLOT}
    assert {row.pv for row in contract() if row.access == "anyone"} == OF_A_VIEW


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
        client.put(prefix + name, COMMANDS[name], APPLY_S)
        assert has_acted(), name


def test_masks(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """A monitor is told of a new value (VALUE, LOG), alarm (ALARM) or unit (PROPERTY) only if its mask says so."""
    status, name = control.table.status.cells, prefix + "CH:SR:DCCT:Value"
    status["connected"][0], status["units"][0], status["value"][0], status["generation"][0] = 1, b"mA", 1.0, 1
    masks = (DBE_VALUE, DBE_LOG, DBE_ALARM, DBE_PROPERTY)

    def changed(*told: int) -> None:
        beat(control)
        for mask in masks:
            counts[mask] += mask in told
        wait_until(lambda: [len(client.events(name, mask)) for mask in masks] == list(counts.values()), 2, f"events of {told}")
        time.sleep(0.2)
        assert [len(client.events(name, mask)) for mask in masks] == list(counts.values())

    counts = dict.fromkeys(masks, 0)
    for mask in masks:
        client.watch(name, mask)
    changed(*masks)
    status["value"][0] = 2.0
    changed(DBE_VALUE, DBE_LOG)
    status["severity"][0], status["status"][0] = 1, 4
    changed(DBE_VALUE, DBE_LOG, DBE_ALARM)
    status["units"][0] = b"A"
    changed(DBE_PROPERTY)


def test_pvs_of_what_is_removed_disconnect(client: CaClient, ca_client: CaClientFactory, control: ControlProcess, prefix: str) -> None:
    """Libca clients lose the PVs of a channel that is removed and of a group that the file no longer has, and keep all others."""
    operator = ca_client([control.port])
    gone = [prefix + name for name in ("CH:SR:DCCT:Value", "CH:SR:DCCT:Rate.DESC", "GRP:vac:Enable", "GRP:vac:Reason")]
    kept = [prefix + name for name in ("State", "CH:SR:OTHER:Value")]
    for name in (*gone, *kept):
        client.describe(name)
    control.configure(f"channels: [SR:OTHER]\n{ONLY_THIS_HOST}")
    operator.put(prefix + "Apply", 3, APPLY_S)
    wait_until(lambda: not any(client.connected(name) for name in gone), 2, "the PVs of what was removed are disconnected")
    assert all(client.connected(name) for name in kept)


def put_of(row: Row) -> tuple[object, ca.ChannelType]:
    """A put that would act if it were allowed."""
    value = {**SETTINGS, **COMMANDS, **OF_A_ROW, **OF_A_GROUP_SLOT}[row.pv]
    if isinstance(value, list):
        return [item.encode() for item in value], ca.ChannelType.STRING
    return (value.encode() or b"\0", ca.ChannelType.CHAR) if isinstance(value, str) else ([value], ca.ChannelType.DOUBLE)


@dataclass(frozen=True, slots=True)
class Audited:
    """An entry of the audit."""

    pv: str
    outcome: str
    user: str
    host: str
    peer: str
    new: str


def audited(control: ControlProcess) -> list[Audited]:
    """All puts so far, oldest first."""
    database = sqlite3.connect(control.directories.registry)
    found = database.execute("SELECT pv, outcome, user, host, peer, new FROM audit ORDER BY rowid").fetchall()
    database.close()
    return [Audited(*columns) for columns in found]


def shown(row: Row) -> str:
    """The value of `put_of` as the audit tells it."""
    value = {**SETTINGS, **OF_A_ROW, **OF_A_GROUP_SLOT, **COMMANDS}[row.pv]
    return "\n".join(value) if isinstance(value, list) else value if isinstance(value, str) else f"{value:g}"


def whole_registry(control: ControlProcess) -> list[str]:
    """All of state.db but the audit."""
    database = sqlite3.connect(control.directories.registry)
    lines = [line for line in database.iterdump() if 'INTO "audit"' not in line]
    database.close()
    return lines


def test_peer_that_may_not_writes_nothing(control: ControlProcess, prefix: str) -> None:
    """Each writable row is told to another address as read only; its put is refused, changes nothing and is audited."""
    writable = [row for row in contract() if row.access in {"control", "expert"}]
    settings, head = control.table.settings.cells.tobytes(), control.table.settings.head
    before, registry = (int(head["revision"][0]), int(head["flush"][0])), whole_registry(control)
    with RawCa(control.port, source="127.0.0.2", user="root", host="localhost") as stranger:
        for row in writable:
            rights, channel = stranger.open(prefix + row.pv)
            assert rights.access_rights == ca.AccessRights.READ, row.pv
            answer = stranger.put(channel, *put_of(row))
            assert isinstance(answer, ca.ErrorResponse), row.pv
            assert b"127.0.0.2 (user root) may not write" in bytes(answer.error_message)
    assert control.table.settings.cells.tobytes() == settings
    assert (int(head["revision"][0]), int(head["flush"][0])) == before
    wait_until(lambda: len(audited(control)) == len(writable), 3, "all refused puts are audited")
    assert [(entry.pv, entry.new) for entry in audited(control)] == [(prefix + row.pv, shown(row)) for row in writable]
    for entry in audited(control):
        assert "may not write" in entry.outcome
        assert (entry.user, entry.host, entry.peer.rpartition(":")[0]) == ("root", "localhost", "127.0.0.2")
    assert whole_registry(control) == registry
    with RawCa(control.port) as friend:
        assert friend.get(friend.open(prefix + "Denied")[1], ca.ChannelType.DOUBLE).data.tolist() == [len(writable)]
    refusals = [json.loads(line) for line in control.log().splitlines() if "put_forbidden" in line]
    assert len(refusals) == len(writable)


def test_apply_changes_who_may_write(control: ControlProcess, prefix: str) -> None:
    """After Apply the rules of the file hold for clients that are connected, which are told; a dry run changes no rule."""
    with RawCa(control.port, source="127.0.0.2") as remote, RawCa(control.port) as operator:
        rate = remote.open(prefix + "CH:SR:OTHER:Rate")[1]
        remove = remote.open(prefix + "Remove")[1]
        apply = operator.open(prefix + "Apply")[1]
        control.configure(f"{CHANNELS}\naccess: {{control: [{{hosts: [127.0.0.2]}}], expert: [{{hosts: [127.0.0.1]}}]}}")
        assert isinstance(operator.put(apply, [2], ca.ChannelType.LONG), ca.WriteNotifyResponse)
        assert isinstance(remote.put(rate, [1.0], ca.ChannelType.DOUBLE), ca.ErrorResponse)
        assert isinstance(operator.put(apply, [1], ca.ChannelType.LONG), ca.WriteNotifyResponse)
        told = [remote.wait_for(ca.AccessRightsResponse) for _ in range(2)]
        assert {message.cid: message.access_rights for message in told} == {
            rate.cid: ca.AccessRights.READ | ca.AccessRights.WRITE,
            remove.cid: ca.AccessRights.READ,
        }
        assert isinstance(remote.put(rate, [1.0], ca.ChannelType.DOUBLE), ca.WriteNotifyResponse)
        assert isinstance(remote.put(remove, b"SR:OTHER", ca.ChannelType.CHAR), ca.ErrorResponse)


def test_heartbeat_of_the_alarm_server_leaves_no_trace(client: CaClient, control: ControlProcess, prefix: str) -> None:
    """A put that comes every few seconds for years is neither audited nor told in Result, also when it cannot be read."""
    client.put(prefix + "Flush", 1)
    for value in (1, 2):
        client.put(prefix + "AlarmServer:Heartbeat", value)
    assert "whole number" in control.refuses(prefix + "AlarmServer:Heartbeat", "alive")
    assert client.get_text(prefix + "AlarmServer:Heartbeat.SEVR") == "NO_ALARM"
    assert (client.get_text(prefix + "Result"), client.get(prefix + "AlarmServer:Heartbeat")) == ("flushed", 2)
    wait_until(lambda: audited(control), 3, "the audit is written")
    assert [entry.pv for entry in audited(control)] == [prefix + "Flush"]
