"""Puts to the rows of a list of channels."""

from __future__ import annotations

import sqlite3
import time

import caproto as ca

from archioc.ioc.views.puts import STEADY_S
from tests.conftest import CaClientFactory
from tests.integration.views.ring import BY_NAME, COUNT, NAMES, rows_of
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa
from tests.processes.waiting import PATIENCE_S, wait_until


def test_enable_in_a_row(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Enable in a row acts on the channel shown there; a put that comes when the row has just got another channel changes nothing."""
    view, rows = prefix + "View:a:", rows_of(control)
    client.put(view + "Sort", "EventRate")
    client.put(view + "Order", "Descending")
    time.sleep(STEADY_S)
    client.put(view + "Row00:Enable", "Off")
    assert control.row_of(rows[NAMES[59]])["enable"] == 0
    assert client.get_text(view + "Row00:Enable") == "Off"
    came = refused_at_once(control, client, view)
    assert "came here" in client.get_text(view + "Message")
    assert client.get(prefix + "ResultCode") == 11
    assert control.row_of(rows[came])["enable"] == 1
    time.sleep(STEADY_S)
    client.put(view + "Row00:Enable", "Off")
    assert control.row_of(rows[came])["enable"] == 0
    assert client.get_text(view + "Message") == ""
    client.put(view + "Filter", "nothing-like-it")
    time.sleep(STEADY_S)
    assert "shows no channel" in control.refuses(view + "Row00:Enable", "Off")


def refused_at_once(control: ControlProcess, client: CaClient, view: str) -> str:
    """One channel after the other comes into the first row, until a put that follows soon enough is refused; the channel there."""
    rows = rows_of(control)
    with RawCa(control.port) as raw:
        enable = raw.open(view + "Row00:Enable")[1]
        for number in range(3, 23):
            control.table.status.cells["event_rate"][rows[NAMES[number]]] = 1000 + number
            client.wait_for_value(view + "Row00:Name", NAMES[number])
            answer = raw.put(enable, [0], ca.ChannelType.LONG)
            if isinstance(answer, ca.ErrorResponse):
                assert f"Row00: {NAMES[number]} came here".encode() in bytes(answer.error_message)
                return NAMES[number]
    raise AssertionError("each put acted, however soon it came")


def test_put_that_waited_while_its_row_moved(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """A put that waits behind a slow one and whose row gets another channel meanwhile is refused, however long it waited."""
    view, rows = prefix + "View:a:", rows_of(control)
    with RawCa(control.port) as raw:
        client.get(view + "Order")
        flush, enable = raw.open(prefix + "Flush")[1], raw.open(view + "Row00:Enable")[1]
        name = raw.open(view + "Row00:Name")[1]
        raw.get(name, ca.ChannelType.CHAR)
        time.sleep(STEADY_S + 0.1)
        raw.send(ca.WriteNotifyRequest([1], ca.ChannelType.LONG, 1, flush.sid, 1))
        raw.send(ca.WriteNotifyRequest([0], ca.ChannelType.LONG, 1, enable.sid, 2))
        wait_until(lambda: int(control.table.settings.head["flush"][0]) == 1, PATIENCE_S, "the slow put is carried out")
        client.put(view + "Order", "Descending")
        time.sleep(STEADY_S + 0.2)
        control.table.status.head["flush_done"][0] = 1
        either = (ca.WriteNotifyResponse, ca.ErrorResponse)  # Flush gives up where the machine stands still for seconds
        _, refused = (raw.wait_for(either) for _ in range(2))  # type: ignore[arg-type]
        assert b"came here while" in bytes(refused.error_message)
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
    client.wait_for_value(view + "Selected:Name", "")
    assert "NOT:THERE" in control.refuses(view + "Select", "NOT:THERE")


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
    wait_until(lambda: not client.connected(found + "Rate"), PATIENCE_S, "its PVs are gone")
    client.put(prefix + "Add", LONG.replace("DEVICE", "OTHER1"))
    other = ca_client([control.port])
    other.get(prefix + "Channels")
    time.sleep(0.5)
    assert not other.connected(found + "Rate")
    database = sqlite3.connect(control.directories.registry)
    assert (f"{prefix}CH:{LONG}:Rate",) in database.execute("SELECT pv FROM audit WHERE outcome = 'done'").fetchall()
    database.close()
