"""What the lists of channels show, as a C client sees them."""

from __future__ import annotations

import time

import pytest

from archioc.core.table.table import ChannelState
from tests.integration.views.ring import BY_NAME, COUNT, NAMES, rows_of, shown
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.waiting import PATIENCE_S, wait_until


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
    assert client.get(row + "Age") == pytest.approx(480, abs=120), "6 minutes when the test began"
    client.watch(row + "Value", 1)
    client.watch(row + "State", 4)
    firsts = ((row + "Value", 1), (row + "State", 4))
    wait_until(lambda: all(len(client.events(*first)) == 1 for first in firsts), PATIENCE_S, "the monitors have their first values")
    control.table.status.cells["value"][at], control.table.status.cells["state"][at] = 7.5, ChannelState.DISCONNECTED
    wait_until(lambda: client.events(row + "Value", 1)[1:] == [7.5], PATIENCE_S, "the monitor follows")
    wait_until(lambda: client.events(row + "State", 4)[1:] == [ChannelState.DISCONNECTED], PATIENCE_S, "the alarm is told")
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
    client.wait_for_value(view + "Row00:Name", NAMES[0])
    assert client.get_text(view + "Row01:Name") == NAMES[59]


def test_removal_and_addition_while_looking(client: CaClient, prefix: str) -> None:
    """Removed channels vanish from a list that is watched and added ones come within about a second; the PVs stay connected."""
    view = prefix + "View:a:"
    names = [f"{view}Row{row:02d}:Name" for row in range(2)]
    for name in (*names, view + "Total"):
        client.watch(name, 1)
    client.put(prefix + "RemoveList", [BY_NAME[0], BY_NAME[2]])
    client.put(prefix + "Add", "A:FIRST")
    text = ["A:FIRST", BY_NAME[1]]
    wait_until(lambda: [client.get_text(name) for name in names] == text, PATIENCE_S, "the rows follow")
    wait_until(lambda: client.events(view + "Total", 1)[-1:] == [COUNT - 1], PATIENCE_S, "so does the total")
    assert all(client.connected(name) for name in names)
