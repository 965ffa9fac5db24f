from __future__ import annotations

import time

import caproto as ca
import pytest

from archioc.core.table.process_counts import ProcessCounts, write_counts
from archioc.core.table.table import ChannelState, StoreState
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa
from tests.processes.signs_of_life import give_signs_of_life


def fill_row(control: ControlProcess, row: int) -> None:
    """Write as the engine and the db process would about a connected channel."""
    table, now = control.table, time.time_ns()
    status = table.status.cells
    status["connected"][row], status["state"][row], status["value"][row] = 1, ChannelState.ARCHIVING, 12.5
    status["severity"][row], status["status"][row] = 1, 4
    status["time"][row], status["received_at"][row] = 1_700_000_000_123_456_789, now
    status["units"][row], status["host"][row], status["dbr"][row], status["count"][row] = b"mA", b"10.0.0.7:5064", 6, 1
    status["generation"][row] = 1
    ledger = table.ledger.cells
    ledger["received"][row], ledger["committed"][row], ledger["withheld"][row], ledger["generation"][row] = 10, 8, 1, 1
    table.delivery.cells["stored"][row], table.delivery.cells["generation"][row] = 5, 1


def test_channel_pvs_show_the_row(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """PVs of a channel show what engine and db have written in its row, with the channel's own unit and alarm."""
    fill_row(control, 0)
    give_signs_of_life(control)
    channel = prefix + "CH:SR:DCCT:"
    assert client.get(channel + "Value") == 12.5
    assert client.get_text(channel + "Value.EGU") == "mA"
    assert client.get_text(channel + "Value.SEVR") == "MINOR"
    assert client.get_text(channel + "State") == "Archiving"
    assert client.get_text(channel + "Connected") == "Connected"
    assert client.get_text(channel + "Time") == "2023-11-14T22:13:20.123456789Z"
    assert client.get_text(channel + "Type") == "DOUBLE"
    assert client.get_text(channel + "Host") == "10.0.0.7:5064"
    assert [client.get(channel + name) for name in ("Received", "Stored", "Pending", "Elements")] == [10, 5, 4, 1]
    client.wait_for_value(prefix + "Connected", 1)
    client.wait_for_value(prefix + "DisconnectedPct.SEVR", "MAJOR")


def test_row_of_an_older_generation_is_not_shown(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """What the engine wrote about the channel that had the row before is not taken for the new one's."""
    fill_row(control, 0)
    control.table.status.cells["generation"][0] = 7
    give_signs_of_life(control)
    assert client.get_text(prefix + "CH:SR:DCCT:Connected") == "Disconnected"
    client.wait_for_value(prefix + "Connected", 0)


def test_monitor_follows_the_table(control: ControlProcess, prefix: str) -> None:
    """A monitor gets a change of the row; one for alarms alone gets only changes of the alarm."""
    fill_row(control, 0)
    give_signs_of_life(control)
    with RawCa(control.port) as raw:
        _, value = raw.open(prefix + "CH:SR:DCCT:Value")
        raw.monitor(value, ca.ChannelType.TIME_DOUBLE, 1)
        raw.wait_for(ca.EventAddResponse)
        control.table.status.cells["value"][0] = 13.5
        event = raw.wait_for(ca.EventAddResponse)
        assert (event.data.tolist(), event.metadata.severity) == ([13.5], 1)
    with RawCa(control.port) as raw:
        _, value = raw.open(prefix + "CH:SR:DCCT:Value")
        raw.monitor(value, ca.ChannelType.TIME_DOUBLE, 4)
        raw.wait_for(ca.EventAddResponse)
        control.table.status.cells["value"][0] = 14.5
        with pytest.raises(TimeoutError):
            raw.wait_for(ca.EventAddResponse, 0.5)
        control.table.status.cells["severity"][0] = 2
        event = raw.wait_for(ca.EventAddResponse)
        assert (event.data.tolist(), event.metadata.severity) == ([14.5], 2)


def test_state_tells_how_things_are(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """State goes from Starting over Running to Degraded and Fault as the other processes tell, and StateReason says why."""
    assert client.get_text(prefix + "State") == "Starting"
    assert client.get_text(prefix + "StateReason") == "waiting for the engine process and the db process"
    control.table.delivery.head["store_state"][0] = StoreState.OK
    give_signs_of_life(control)
    client.wait_for_value(prefix + "State", "Running")
    control.table.delivery.head["store_state"][0] = StoreState.UNREACHABLE
    control.table.delivery.head["error"][0] = b"connection refused"
    give_signs_of_life(control)
    client.wait_for_value(prefix + "State", "Degraded")
    client.wait_for_value(prefix + "StateReason", "the store is unreachable: connection refused")
    client.wait_for_value(prefix + "Db:State.SEVR", "MAJOR")
    control.table.status.head["heartbeat"][0] = time.time_ns() - 6 * 10**9
    client.wait_for_value(prefix + "State", "Fault")
    client.wait_for_value(prefix + "StateReason", "no sign of life from the engine process for more than 5 s")
    client.wait_for_value(prefix + "Engine:State.STAT", "TIMEOUT")
    client.wait_for_value(prefix + "CH:SR:DCCT:Value.SEVR", "INVALID")


def test_totals_are_counted(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Totals come from the heads of ledger and delivery; Pending is counted, not the remainder."""
    ledger, delivery = control.table.ledger.head, control.table.delivery.head
    ledger["received"][0], ledger["generated"][0], ledger["filtered"][0] = 1000, 3, 100
    ledger["dropped_overflow"][0], ledger["dropped_spool_full"][0], ledger["withheld"][0] = 5, 7, 2
    delivery["stored"][0], delivery["rejected"][0], delivery["spool_samples"][0] = 800, 4, 40
    write_counts(control.directories.run, ProcessCounts(ioc=1, engine=2, db=3))
    give_signs_of_life(control)
    counted = {"Received": 1000, "Generated": 3, "Filtered": 100, "Dropped": 12, "Stored": 800, "Rejected": 4, "Pending": 42}
    counted |= {"Channels": 2, "Enabled": 2, "Ioc:Restarts": 1, "Engine:Restarts": 2, "Writer:Restarts": 3}
    for name, number in counted.items():
        client.wait_for_value(prefix + name, number)
