"""Lists of channels for screens, as a C client sees them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import caproto as ca
import pytest

from archioc.core.table import ChannelState, ProcessState
from ioc.open_views import MAX_VIEWS_OF_CLIENT
from ioc.view_puts import STEADY_S
from tests.conftest import CaClientFactory
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa
from tests.processes.waiting import wait_until

COUNT = 60
NAMES = [f"SR:{'VAC' if number % 2 else 'MAG'}:{number:02d}" for number in range(COUNT)]
BY_NAME = sorted(NAMES)
SITE = "groups: {vac: {channels: [" + ", ".join(NAMES[1::2]) + "]}}\nchannels: [" + ", ".join(NAMES[::2]) + "]"
ONLY_THIS_HOST = "access: {control: [{hosts: [127.0.0.1]}], expert: [{hosts: [127.0.0.1]}]}"


@pytest.fixture
def control(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    made = ControlProcess(tmp_path, ports(1)[0], prefix, f"{SITE}\n{ONLY_THIS_HOST}")
    made.start()
    connect(made)
    yield made
    made.close()


def rows_of(control: ControlProcess) -> dict[str, int]:
    """The row of each channel in the channel table."""
    database = sqlite3.connect(control.directories.registry)
    found = dict(database.execute("SELECT name, row FROM channel").fetchall())
    database.close()
    return found


def connect(control: ControlProcess) -> None:
    """Write as an engine that archives all channels: number n has the value n, n updates/s, and an age of n minutes."""
    cells, now = control.table.status.cells, time.time_ns()
    for name, row in rows_of(control).items():
        number = int(name[-2:])
        cells["connected"][row], cells["state"][row], cells["value"][row] = 1, ChannelState.ARCHIVING, number
        cells["event_rate"][row], cells["received_at"][row], cells["units"][row] = number, now - number * 60 * 10**9, b"mA"
        cells["generation"][row] = 1
    control.table.status.head["heartbeat"][0] = now + 60 * 10**9
    control.table.status.head["state"][0] = ProcessState.RUNNING


def shown(client: CaClient, view: str, count: int = 25) -> list[str]:
    """The names in the first rows."""
    for row in range(count):
        client.connected(f"{view}Row{row:02d}:Name")
    return [client.get_text(f"{view}Row{row:02d}:Name") for row in range(count)]


def test_paging_through(client: CaClient, prefix: str) -> None:
    """Pages show all channels in the order of their names, Next and Prev turn them, both ends hold, and rows beyond the end are empty."""
    view = prefix + "View:a:"
    assert (client.get(view + "Total"), client.get(view + "Pages"), client.get(view + "Page")) == (COUNT, 3, 1)
    assert shown(client, view) == BY_NAME[:25]
    client.put(view + "Next", 1)
    assert shown(client, view, 3) == BY_NAME[25:28]
    client.put(view + "Page", 99)
    assert client.get(view + "Page") == 3
    assert shown(client, view) == BY_NAME[50:] + [""] * 15
    client.put(view + "Next", 1)
    assert client.get(view + "Page") == 3
    empty = view + "Row24:"
    assert [client.get_text(empty + field) for field in ("State", "ValueText", "Reason", "State.SEVR")] == ["Empty", "", "", "NO_ALARM"]
    assert [client.get(empty + field) for field in ("Value", "Enable", "Rate", "Age")] == [0, 0, 0, 0]
    client.put(view + "Page", 1)
    client.put(view + "Prev", 1)
    assert (client.get(view + "Page"), client.get(view + "Prev")) == (1, 0)


def test_rows_show_their_channels(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """A row shows value, unit, alarm and state of its channel, and follows them."""
    row, at = prefix + "View:a:Row03:", rows_of(control)[BY_NAME[3]]
    assert client.get_text(row + "Name") == BY_NAME[3] == "SR:MAG:06"
    assert (client.get(row + "Value"), client.get_text(row + "Value.EGU"), client.get_text(row + "ValueText")) == (6, "mA", "6 mA")
    assert (client.get_text(row + "State"), client.get(row + "EventRate"), client.get(row + "Enable")) == ("Archiving", 6, 1)
    assert client.get(row + "Age") == pytest.approx(360, abs=20)
    client.watch(row + "Value", 1)
    client.watch(row + "State", 4)
    firsts = ((row + "Value", 1), (row + "State", 4))
    wait_until(lambda: all(len(client.events(*first)) == 1 for first in firsts), 2, "the monitors have their first values")
    control.table.status.cells["value"][at], control.table.status.cells["state"][at] = 7.5, ChannelState.DISCONNECTED
    wait_until(lambda: client.events(row + "Value", 1)[1:] == [7.5], 2, "the monitor follows")
    wait_until(lambda: client.events(row + "State", 4)[1:] == [ChannelState.DISCONNECTED], 2, "the alarm is told")
    time.sleep(1.2)
    assert len(client.events(row + "Value", 1)) == 2


FILTERS = {
    "vac": range(1, 60, 2),
    "VAC 1": sorted({*range(1, 60, 10), *range(11, 20, 2)}),
    "sr:*:0?": range(10),
    "SR:[M]*:1[0-4]": (10, 12, 14),
    "state=disconnected": (5, 6),
    "severity=MAJOR": (7,),
    "severity=invalid mag": (6,),
    "group=va*": range(1, 60, 2),
    "group= *:0?": range(0, 10, 2),
    "enable=off": (8,),
    "nothing-like-it": (),
}


def test_filters(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Each kind of word lists the channels that it means, all words must match, and an empty filter lists everything."""
    view, cells, rows = prefix + "View:a:", control.table.status.cells, rows_of(control)
    for number in (5, 6):
        cells["connected"][rows[NAMES[number]]], cells["state"][rows[NAMES[number]]] = 0, ChannelState.DISCONNECTED
    cells["severity"][rows[NAMES[7]]] = 2
    client.put(f"{prefix}CH:{NAMES[8]}:Enable", 0)
    for words, numbers in FILTERS.items():
        client.put(view + "Filter", words)
        wanted = sorted(NAMES[number] for number in numbers)
        assert (words, client.get(view + "Total"), shown(client, view, 3)) == (words, len(wanted), [*wanted, "", "", ""][:3])
    client.put(view + "Filter", "")
    assert client.get(view + "Total") == COUNT


def test_sorting(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Lists are sorted by name, state, rates, age and severity from either end, and equal ones by name; Hold keeps the rows."""
    view, cells, rows = prefix + "View:a:", control.table.status.cells, rows_of(control)
    cells["state"][rows[NAMES[9]]], cells["severity"][rows[NAMES[4]]] = ChannelState.REJECTED, 2
    cells["sample_rate"][rows[NAMES[3]]] = 5
    cells["received_at"][rows[NAMES[2]]] = 0
    orders = {
        ("Name", "Descending"): BY_NAME[::-1][:2],
        ("EventRate", "Descending"): [NAMES[59], NAMES[58]],
        ("EventRate", "Ascending"): [NAMES[0], NAMES[1]],
        ("Age", "Ascending"): [NAMES[0], NAMES[1]],
        ("Age", "Descending"): [NAMES[2], NAMES[59]],
        ("State", "Descending"): [NAMES[9], BY_NAME[0]],
        ("SampleRate", "Descending"): [NAMES[3], BY_NAME[0]],
        ("Severity", "Descending"): [NAMES[4], BY_NAME[0]],
    }
    for (sort, order), wanted in orders.items():
        client.put(view + "Sort", sort)
        client.put(view + "Order", order)
        assert (sort, order, shown(client, view, 2)) == (sort, order, wanted)
    client.put(view + "Sort", "EventRate")
    client.put(view + "Hold", "On")
    cells["event_rate"][rows[NAMES[0]]] = 1000
    time.sleep(1.5)
    assert shown(client, view, 2) == [NAMES[59], NAMES[58]]
    client.put(view + "Hold", "Off")
    client.wait_for_value(view + "Row00:Name", NAMES[0], 2)
    assert client.get_text(view + "Row01:Name") == NAMES[59]


def test_enable_in_a_row(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Enable in a row acts on the channel shown there; a put that comes when the row has just got another channel changes nothing."""
    view, rows = prefix + "View:a:", rows_of(control)
    client.put(view + "Sort", "EventRate")
    client.put(view + "Order", "Descending")
    time.sleep(STEADY_S)
    client.put(view + "Row00:Enable", "Off")
    assert control.row_of(rows[NAMES[59]])["enable"] == 0
    assert client.get_text(view + "Row00:Enable") == "Off"
    control.table.status.cells["event_rate"][rows[NAMES[3]]] = 1000
    client.wait_for_value(view + "Row00:Name", NAMES[3], 3)
    assert f"Row00: {NAMES[3]} came here" in control.refuses(view + "Row00:Enable", "Off")
    assert "came here" in client.get_text(view + "Message")
    assert client.get(prefix + "ResultCode") == 11
    assert control.row_of(rows[NAMES[3]])["enable"] == 1
    time.sleep(STEADY_S)
    client.put(view + "Row00:Enable", "Off")
    assert control.row_of(rows[NAMES[3]])["enable"] == 0
    assert client.get_text(view + "Message") == ""
    client.put(view + "Filter", "nothing-like-it")
    time.sleep(STEADY_S)
    assert "shows no channel" in control.refuses(view + "Row00:Enable", "Off")


def test_put_that_waited_while_its_row_moved(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """A put that waits behind a slow one and whose row gets another channel meanwhile is refused, however long it waited."""
    view, rows = prefix + "View:a:", rows_of(control)
    with RawCa(control.port) as raw:
        flush, enable = raw.open(prefix + "Flush")[1], raw.open(view + "Row00:Enable")[1]
        name = raw.open(view + "Row00:Name")[1]
        raw.get(name, ca.ChannelType.CHAR)
        time.sleep(STEADY_S + 0.1)
        raw.send(ca.WriteNotifyRequest([1], ca.ChannelType.LONG, 1, flush.sid, 1))
        raw.send(ca.WriteNotifyRequest([0], ca.ChannelType.LONG, 1, enable.sid, 2))
        time.sleep(0.2)
        client.put(view + "Order", "Descending")
        time.sleep(STEADY_S + 0.2)
        control.table.status.head["flush_done"][0] = 1
        raw.wait_for(ca.WriteNotifyResponse)
        assert b"came here while" in bytes(raw.wait_for(ca.ErrorResponse).error_message)
    assert {control.row_of(row)["enable"] for row in rows.values()} == {1}


def test_selected_channel_stays(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Selected shows the channel of a row, or of a name, with all its settings, wherever the list goes, until it is removed."""
    view = prefix + "View:a:"
    client.get(view + "Total")
    time.sleep(STEADY_S)
    client.put(view + "Select", "2")
    client.put(view + "Page", 2)
    assert client.get_text(view + "Selected:Name") == client.get_text(view + "Select") == BY_NAME[2]
    time.sleep(STEADY_S)
    client.put(view + "Selected:Rate", 3)
    assert client.get(f"{prefix}CH:{BY_NAME[2]}:Rate") == 3
    client.put(view + "Select", NAMES[7])
    assert client.get(view + "Selected:Value") == 7
    client.put(prefix + "Remove", NAMES[7])
    client.wait_for_value(view + "Selected:Name", "", 2)
    assert "NOT:THERE" in control.refuses(view + "Select", "NOT:THERE")


def test_removal_and_addition_while_looking(client: CaClient, prefix: str) -> None:
    """Removed channels vanish from a list that is watched and added ones come within about a second; the PVs stay connected."""
    view = prefix + "View:a:"
    names = [f"{view}Row{row:02d}:Name" for row in range(2)]
    for name in (*names, view + "Total"):
        client.watch(name, 1)
    client.put(prefix + "RemoveList", [BY_NAME[0], BY_NAME[2]])
    client.put(prefix + "Add", "A:FIRST")
    text = ["A:FIRST", BY_NAME[1]]
    wait_until(lambda: [client.get_text(name) for name in names] == text, 3, "the rows follow")
    wait_until(lambda: client.events(view + "Total", 1)[-1:] == [COUNT - 1], 3, "so does the total")
    assert all(client.connected(name) for name in names)


def test_each_display_pages_for_itself(client: CaClient, ca_client: CaClientFactory, control: ControlProcess, prefix: str) -> None:
    """Two views have filters and pages of their own; two clients of one view share them; a client without rights may set a view."""
    other = ca_client([control.port])
    first, second = prefix + "View:DID1:", prefix + "View:DID2:"
    client.put(first + "Filter", "vac")
    other.put(second + "Page", 2)
    assert (client.get_text(second + "Filter"), client.get(first + "Page"), client.get(second + "Total")) == ("", 1, COUNT)
    assert (other.get_text(first + "Filter"), other.get(first + "Total")) == ("vac", COUNT // 2)
    with RawCa(control.port, source="127.0.0.2") as stranger:
        rights, page = stranger.open(first + "Page")
        assert rights.access_rights == ca.AccessRights.READ | ca.AccessRights.WRITE
        assert isinstance(stranger.put(page, [b"2"], ca.ChannelType.STRING), ca.WriteNotifyResponse)
        assert stranger.open(first + "Row00:Enable")[0].access_rights == ca.AccessRights.READ
    assert client.get(first + "Page") == 2
    database = sqlite3.connect(control.directories.registry)
    assert database.execute("SELECT count(*) FROM audit").fetchone() == (0,)
    database.close()
    assert client.get_text(prefix + "Result") == ""


def test_bad_puts_are_refused(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """What cannot be read is refused with the rule, changes nothing, and Message says why until the next put."""
    view = prefix + "View:a:"
    client.put(view + "Filter", "vac")
    bad = {
        "Filter": ("state=Broken", "must be one of Connecting, Archiving"),
        "Page": ("1e999", "whole number"),
        "Next": ("7", "must be 1"),
        "Sort": ("Colour", "must be one of"),
        "Select": ("99", "99"),
    }
    for field, (value, rule) in bad.items():
        assert rule in control.refuses(view + field, value)
        assert rule in client.get_text(view + "Message")
    with RawCa(control.port) as raw:
        channel = raw.open(view + "Filter")[1]
        for raw_value in (b"x" * 300, b"a " * 17, b"\xff\xfe"):
            assert isinstance(raw.put(channel, raw_value, ca.ChannelType.CHAR), ca.ErrorResponse)
    assert (client.get_text(view + "Filter"), client.get(view + "Total")) == ("vac", COUNT // 2)
    client.put(view + "Hold", 0)
    assert client.get_text(view + "Message") == ""
    assert "Traceback" not in control.log()


def test_one_client_has_so_many_views_and_no_more(control: ControlProcess, prefix: str) -> None:
    """A client is refused the view after its last one, gets it when it has closed another, and others are not touched by that."""
    with RawCa(control.port) as greedy, RawCa(control.port) as other:
        channels = [greedy.open(f"{prefix}View:v{number}:Total")[1] for number in range(MAX_VIEWS_OF_CLIENT)]
        greedy.send(ca.CreateChanRequest(f"{prefix}View:more:Total", 5000, 13))
        greedy.wait_for(ca.CreateChFailResponse)
        greedy.open(f"{prefix}View:v0:Page")
        other.open(f"{prefix}View:more:Total")
        greedy.send(ca.ClearChannelRequest(channels[1].sid, channels[1].cid))
        greedy.wait_for(ca.ClearChannelResponse)
        greedy.open(f"{prefix}View:more:Total")


LONG = "SR:A-VERY-LONG-NAME-OF-A-SECTION:AND-OF-A-DEVICE:READBACK"


def test_what_stands_for_a_channel_with_a_long_name(
    control: ControlProcess, client: CaClient, ca_client: CaClientFactory, prefix: str
) -> None:
    """Ref is the name, or for one that no DBR_STRING holds another word under which its PVs are found, until the channel is removed."""
    row = prefix + "View:a:Row00:"
    client.put(prefix + "View:a:Filter", BY_NAME[0])
    assert client.get_text(row + "Ref") == BY_NAME[0]
    client.put(prefix + "Add", LONG)
    client.put(prefix + "View:a:Filter", "very-long")
    short = client.get_text(row + "Ref")
    assert (short[0], len(short) < 40, client.get_text(row + "Name")) == ("#", True, LONG)
    found = f"{prefix}CH:{short}:"
    client.put(found + "Rate", 3)
    assert (client.get(f"{prefix}CH:{LONG}:Rate"), client.get_text(found + "Name")) == (3, LONG)
    assert "must be the channel's own name" in control.refuses(found + "Remove", BY_NAME[0])
    client.put(found + "Remove", short)
    wait_until(lambda: not client.connected(found + "Rate"), 2, "its PVs are gone")
    client.put(prefix + "Add", LONG.replace("DEVICE", "OTHER1"))
    other = ca_client([control.port])
    other.get(prefix + "Channels")
    time.sleep(0.5)
    assert not other.connected(found + "Rate")
    database = sqlite3.connect(control.directories.registry)
    assert (f"{prefix}CH:{LONG}:Rate",) in database.execute("SELECT pv FROM audit WHERE outcome = 'done'").fetchall()
    database.close()


def test_groups_in_pages(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str, ca_client: CaClientFactory) -> None:
    """Groups are listed by name in pages of ten with what their PVs show; a put right after a slot got another group changes nothing."""
    names = [f"g{number:02d}" for number in range(13)]
    groups = ", ".join(f"{name}: {{channels: [SR:{name}:X, SR:{name}:Y]}}" for name in names)
    control = ControlProcess(tmp_path, ports(1)[0], prefix, f"groups: {{{groups}}}\n{ONLY_THIS_HOST}")
    control.start()
    try:
        connect_half(control)
        client, view = ca_client([control.port]), prefix + "View:a:"
        assert (client.get(view + "GroupTotal"), client.get(view + "GroupPages")) == (13, 2)
        assert [client.get_text(f"{view}Group{slot:02d}:Name") for slot in range(10)] == names[:10]
        assert (client.get(view + "Group03:Channels"), client.get(view + "Group03:Disconnected")) == (2, 1)
        assert (client.get_text(view + "Group03:Disconnected.SEVR"), client.get_text(view + "Group03:Disconnected.STAT")) == (
            "MINOR",
            "COMM",
        )
        list_channels_of_groups(control, client, view, names)
        client.put(view + "GroupNext", 1)
        assert "Group00: g10 came here" in control.refuses(view + "GroupSelect", "0")
        assert [client.get_text(f"{view}Group{slot:02d}:Name") for slot in range(4)] == [*names[10:], ""]
        assert [client.get_text(view + "Group03:" + field) for field in ("State", "Condition", "Disconnected.SEVR")] == [
            "Off",
            "",
            "NO_ALARM",
        ]
        assert f"Group00: {names[10]} came here" in control.refuses(view + "Group00:Enable", "Off")
        time.sleep(STEADY_S)
        client.put(view + "Group00:Enable", "Off")
        assert client.get_text(f"{prefix}GRP:{names[10]}:Enable") == "Off"
        assert "shows no group" in control.refuses(view + "Group09:Enable", "Off")
        client.put(view + "GroupPage", 7)
        assert client.get(view + "GroupPage") == 2
    finally:
        control.close()


def list_channels_of_groups(control: ControlProcess, client: CaClient, view: str, names: list[str]) -> None:
    """By the number of a slot and by name; what is no group changes nothing."""
    time.sleep(STEADY_S)
    client.put(view + "GroupSelect", "3")
    listed = [f"SR:{names[3]}:X", f"SR:{names[3]}:Y"]
    assert (client.get_text(view + "Filter"), shown(client, view, 3)) == (f"group={names[3]}", [*listed, ""])
    assert client.get_text(view + "GroupSelect") == names[3]
    client.put(view + "GroupSelect", names[12])
    assert (client.get_text(view + "Filter"), client.get(view + "Total")) == (f"group={names[12]}", 2)
    for nothing in ("vac", "10", "", "g0*"):
        assert "there is no group" in control.refuses(view + "GroupSelect", nothing)
    assert client.get_text(view + "GroupSelect") == names[12]
    client.put(view + "Filter", f"group={names[12]} state=Rejected")
    assert client.get_text(view + "GroupSelect") == ""


def connect_half(control: ControlProcess) -> None:
    """Write as an engine that has every second channel connected."""
    cells = control.table.status.cells
    for name, row in rows_of(control).items():
        cells["connected"][row], cells["generation"][row] = name.endswith("X"), 1
    control.table.status.head["heartbeat"][0] = time.time_ns() + 60 * 10**9
