from __future__ import annotations

import socket
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import caproto as ca
import numpy as np
import pytest

from archioc.core.process_counts import ProcessCounts, write_counts
from archioc.core.table import ChannelState, ProcessState, RowState, StoreState
from tests.conftest import CaClientFactory
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa
from tests.processes.waiting import wait_until

CHANNELS = "channels: [SR:DCCT, {pv: SR:X.HIHI, rate: 5}]"
ONLY_THIS_HOST = "access: {control: [{hosts: [127.0.0.1]}], expert: [{hosts: [127.0.0.1]}]}"


@pytest.fixture
def control(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    made = ControlProcess(tmp_path, ports(1)[0], prefix, CHANNELS)
    made.start()
    yield made
    made.close()


@pytest.fixture
def client(control: ControlProcess, ca_client: CaClientFactory) -> CaClient:
    return ca_client([control.port])


def refused(control: ControlProcess, name: str, value: str | float) -> None:
    """A put that the server answers with an error (pyepics does not tell)."""
    with RawCa(control.port) as raw:
        _, channel = raw.open(name)
        if isinstance(value, str):
            answer = raw.put(channel, value.encode(), ca.ChannelType.CHAR)
        else:
            answer = raw.put(channel, [value], ca.ChannelType.DOUBLE)
    assert isinstance(answer, ca.ErrorResponse)


def test_add_brings_rows_into_the_table(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """When a put to Add completes, its channels have rows with their settings, and Result says so."""
    client.put(prefix + "Add", 'A:1 rate=5\nA:2 mode=scan rate=0.1 description="two words"')
    assert control.row_of(2) == {"generation": 1, "state": RowState.USED, "enable": 1, "mode": 0, "rate": 5}
    assert control.row_of(3) == {"generation": 1, "state": RowState.USED, "enable": 1, "mode": 1, "rate": 0.1}
    assert int(control.table.settings.head["rows"][0]) == 4
    assert client.get_text(prefix + "Result") == "added 2 channels"
    assert client.get(prefix + "ResultCode") == 0
    assert client.get_text(prefix + "CH:A:2:Desc") == "two words"


def test_bad_add_changes_nothing_and_says_why(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """A wrong line in Add fails at the client, changes neither table nor registry, and Result names line, value and rule."""
    revision = int(control.table.settings.head["revision"][0])
    refused(control, prefix + "Add", "A:1 rate=5\nA:2 rate=fast")
    assert control.used_rows() == [0, 1]
    assert int(control.table.settings.head["revision"][0]) == revision
    expected = "line 2: A:2: rate=fast: must be a rate such as 10 or 0.1Hz; nothing was changed"
    assert client.get_text(prefix + "Result") == expected
    assert client.get(prefix + "ResultCode") == 2


def test_settings_act_at_once_and_survive_kill(control: ControlProcess, client: CaClient, ca_client: CaClientFactory, prefix: str) -> None:
    """Rate, Mode, Enable and Desc act in the table when the put completes, and hold after kill -9 and restart."""
    client.put(prefix + "CH:SR:DCCT:Rate", 7)
    client.put(prefix + "CH:SR:DCCT:Mode", "Scan")
    client.put(prefix + "CH:SR:DCCT:Enable", 0)
    with RawCa(control.port) as raw:
        _, rate = raw.open(prefix + "CH:SR:X.HIHI:Rate")
        assert isinstance(raw.put(rate, [b"10Hz"], ca.ChannelType.STRING), ca.WriteNotifyResponse)
    client.put(prefix + "CH:SR:DCCT:Desc", "the current")
    wanted = {"generation": 1, "state": RowState.USED, "enable": 0, "mode": 1, "rate": 7}
    assert control.row_of(0) == wanted
    assert control.row_of(1)["rate"] == 10
    before = control.table.settings.cells["seq"][:2].tolist()
    control.kill()
    control.start()
    assert control.row_of(0) == wanted
    assert control.table.settings.cells["seq"][:2].tolist() == before
    again = ca_client([control.port])
    assert again.get_text(prefix + "CH:SR:DCCT:Desc") == "the current"
    assert again.get(prefix + "CH:SR:DCCT:Rate") == 7


def test_bad_setting_is_refused(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """A put that breaks a rule fails, the value stays, and Result tells the rule; scan without a rate is one of them."""
    refused(control, prefix + "CH:SR:X.HIHI:Rate", -1)
    assert "must lie between 0 and 100000 Hz" in client.get_text(prefix + "Result")
    refused(control, prefix + "CH:SR:DCCT:Mode", 1)
    assert "mode scan needs a rate above 0 Hz" in client.get_text(prefix + "Result")
    assert client.get(prefix + "CH:SR:X.HIHI:Rate") == 5
    assert [control.row_of(row)["mode"] for row in (0, 1)] == [0, 0]


def test_dead_bands_interval_and_mask(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Dead bands, the longest interval and the mask are put one by one or with Set, reach the table, and are refused beyond limits."""
    for field, value in (("Deadband", 0.5), ("DeadbandPct", 2), ("MaxInterval", 60), ("Mask", "Value")):
        client.put(f"{prefix}CH:SR:DCCT:{field}", value)
    client.put(prefix + "Set", "SR:X.HIHI deadband=1e-9 deadband_pct=3% max_interval=1min mask=value")
    cells = control.table.settings.cells
    for row, wanted in ((0, (0.5, 2, 60, 1)), (1, (1e-9, 3, 60, 1))):
        assert tuple(cells[row][name] for name in ("deadband", "deadband_pct", "max_interval", "mask")) == wanted
    for field, value, rule in (("Deadband", -1, "0 or more"), ("DeadbandPct", 101, "0 and 100 %"), ("MaxInterval", 0.01, "0 (never)")):
        refused(control, f"{prefix}CH:SR:DCCT:{field}", value)
        assert rule in client.get_text(prefix + "Result")
    assert client.get(f"{prefix}CH:SR:DCCT:MaxInterval") == 60


def test_set_and_remove_with_globs(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Set and Remove take globs once their number is confirmed, the lists take an element a line."""
    client.put(prefix + "AddList", ["V:1", "V:2 rate=1"])
    refused(control, prefix + "Set", "V:* enable=0")
    assert "means 2 channels, repeat it with confirm=2" in client.get_text(prefix + "Result")
    client.put(prefix + "Set", "V:* enable=0 confirm=2")
    assert [control.row_of(row)["enable"] for row in (2, 3)] == [0, 0]
    client.put(prefix + "RemoveList", ["V:1", "V:2"])
    assert [control.row_of(row)["state"] for row in (2, 3)] == [RowState.REMOVED] * 2
    assert client.get_text(prefix + "Result") == "removed 2 channels"


def test_string_put_to_a_command(control: ControlProcess, prefix: str) -> None:
    """A DBR_STRING put, as Phoebus sends it, works for Add too."""
    with RawCa(control.port) as raw:
        _, add = raw.open(prefix + "Add")
        assert isinstance(raw.put(add, [b"A:9 rate=3"], ca.ChannelType.STRING), ca.WriteNotifyResponse)
    assert control.row_of(2)["rate"] == 3


def test_remove_disconnects_its_pvs(control: ControlProcess, prefix: str) -> None:
    """A client that monitors a PV of a channel loses it at once when the channel goes, keeps the others, and finds it no more."""
    with RawCa(control.port) as raw, RawCa(control.port) as other:
        _, rate = raw.open(prefix + "CH:SR:DCCT:Rate")
        _, kept = raw.open(prefix + "CH:SR:X.HIHI:Rate")
        raw.monitor(rate, ca.ChannelType.DOUBLE, 1)
        raw.wait_for(ca.EventAddResponse)
        _, remove = other.open(prefix + "CH:SR:DCCT:Remove")
        wrong = other.put(remove, b"SR:X.HIHI", ca.ChannelType.CHAR)
        assert isinstance(wrong, ca.ErrorResponse)
        done = other.put(remove, b"SR:DCCT", ca.ChannelType.CHAR)
        assert isinstance(done, ca.WriteNotifyResponse)
        assert raw.wait_for(ca.ServerDisconnResponse, 1.0).cid == rate.cid
        assert raw.get(kept, ca.ChannelType.DOUBLE).data.tolist() == [5.0]
        raw.send(ca.CreateChanRequest(prefix + "CH:SR:DCCT:Rate", 999, 13))
        raw.wait_for(ca.CreateChFailResponse)
    assert control.row_of(0)["state"] == RowState.REMOVED


def test_peer_that_may_not_write_is_refused(control: ControlProcess, prefix: str) -> None:
    """A client at another address is told that it may only read, whatever it says about itself; its put has no effect and is audited."""
    control.stop()
    control.configure(f"{CHANNELS}\n{ONLY_THIS_HOST}")
    control.start()
    with RawCa(control.port, source="127.0.0.2", user="ops", host="127.0.0.1") as stranger:
        for name, value, data_type in (("CH:SR:DCCT:Rate", [9.0], ca.ChannelType.DOUBLE), ("Add", b"EVIL", ca.ChannelType.CHAR)):
            rights, channel = stranger.open(prefix + name)
            assert rights.access_rights == ca.AccessRights.READ
            answer = stranger.put(channel, value, data_type)
            assert isinstance(answer, ca.ErrorResponse)
            assert b"127.0.0.2 (user ops) may not write" in bytes(answer.error_message)
    with RawCa(control.port) as friend:
        rights, channel = friend.open(prefix + "Result")
        assert rights.access_rights == ca.AccessRights.READ
        assert bytes(friend.get(channel, ca.ChannelType.CHAR).data).strip(b"\0") == b""
        assert friend.open(prefix + "Add")[0].access_rights == ca.AccessRights.READ | ca.AccessRights.WRITE
    assert control.row_of(0)["rate"] == 0
    assert control.used_rows() == [0, 1]
    control.stop()
    database = sqlite3.connect(control.directories.registry)
    audit = database.execute("SELECT user, host, peer, pv, new FROM audit ORDER BY rowid").fetchall()
    database.close()
    assert [(user, host, peer.split(":")[0], pv) for user, host, peer, pv, _ in audit] == [
        ("ops", "127.0.0.1", "127.0.0.2", prefix + "CH:SR:DCCT:Rate"),
        ("ops", "127.0.0.1", "127.0.0.2", prefix + "Add"),
    ]


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


def beat(control: ControlProcess) -> None:
    for block in (control.table.status, control.table.delivery):
        block.head["heartbeat"][0], block.head["state"][0] = time.time_ns(), ProcessState.RUNNING


def test_channel_pvs_show_the_row(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """PVs of a channel show what engine and db have written in its row, with the channel's own unit and alarm."""
    fill_row(control, 0)
    beat(control)
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
    beat(control)
    client.wait_for_value(prefix + "Connected", 1)
    client.wait_for_value(prefix + "DisconnectedPct.SEVR", "MAJOR")


def test_row_of_an_older_generation_is_not_shown(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """What the engine wrote about the channel that had the row before is not taken for the new one's."""
    fill_row(control, 0)
    control.table.status.cells["generation"][0] = 7
    beat(control)
    assert client.get_text(prefix + "CH:SR:DCCT:Connected") == "Disconnected"
    client.wait_for_value(prefix + "Connected", 0)


def test_monitor_follows_the_table(control: ControlProcess, prefix: str) -> None:
    """A monitor gets a change of the row within a fraction of a second; one for alarms alone gets only changes of the alarm."""
    fill_row(control, 0)
    beat(control)
    with RawCa(control.port) as raw:
        _, value = raw.open(prefix + "CH:SR:DCCT:Value")
        raw.monitor(value, ca.ChannelType.TIME_DOUBLE, 1)
        raw.wait_for(ca.EventAddResponse)
        control.table.status.cells["value"][0] = 13.5
        event = raw.wait_for(ca.EventAddResponse, 1.0)
        assert (event.data.tolist(), event.metadata.severity) == ([13.5], 1)
    with RawCa(control.port) as raw:
        _, value = raw.open(prefix + "CH:SR:DCCT:Value")
        raw.monitor(value, ca.ChannelType.TIME_DOUBLE, 4)
        raw.wait_for(ca.EventAddResponse)
        control.table.status.cells["value"][0] = 14.5
        with pytest.raises(TimeoutError):
            raw.wait_for(ca.EventAddResponse, 0.5)
        control.table.status.cells["severity"][0] = 2
        event = raw.wait_for(ca.EventAddResponse, 1.0)
        assert (event.data.tolist(), event.metadata.severity) == ([14.5], 2)


def test_a_prefix_that_is_served_already_is_noticed(
    control: ControlProcess, tmp_path: Path, ports: Callable[[int], list[int]], ca_client: CaClientFactory, prefix: str
) -> None:
    """A second archiver with the prefix of another runs, says at once who the other is, and is well again when that has gone."""
    search = f"ca: {{addr_list: ['127.0.0.1:{control.port}'], auto_addr_list: false}}"
    second = ControlProcess(tmp_path / "second", ports(1)[0], prefix, search)
    try:
        second.start()
        client = ca_client([second.port])
        second.table.delivery.head["store_state"][0] = StoreState.OK

        def seen(state: str) -> bool:
            beat(second)
            return bool(client.get_text(prefix + "State") == state)

        wait_until(lambda: seen("Degraded"), 5, "the conflict is seen")
        assert client.get_text(prefix + "StateReason") == f"{prefix} is also served by 127.0.0.1:{control.port}"
        assert client.get_text(prefix + "State.SEVR") != "NO_ALARM"
        assert "prefix_served_elsewhere" in second.log()
        assert "prefix_served_elsewhere" not in control.log()
        control.kill()
        wait_until(lambda: seen("Running"), 15, "the conflict is over")
    finally:
        second.close()


def test_state_tells_how_things_are(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """State goes from Starting over Running to Degraded and Fault as the other processes tell, and StateReason says why."""
    assert client.get_text(prefix + "State") == "Starting"
    assert client.get_text(prefix + "StateReason") == "waiting for the engine process and the db process"
    control.table.delivery.head["store_state"][0] = StoreState.OK
    beat(control)
    client.wait_for_value(prefix + "State", "Running", 2)
    control.table.delivery.head["store_state"][0] = StoreState.UNREACHABLE
    control.table.delivery.head["error"][0] = b"connection refused"
    beat(control)
    client.wait_for_value(prefix + "State", "Degraded", 2)
    assert client.get_text(prefix + "StateReason") == "the store is unreachable: connection refused"
    assert client.get_text(prefix + "Db:State.SEVR") == "MAJOR"
    control.table.delivery.head["heartbeat"][0] = time.time_ns()
    control.table.status.head["heartbeat"][0] = time.time_ns() - 6 * 10**9
    client.wait_for_value(prefix + "State", "Fault", 2)
    assert client.get_text(prefix + "StateReason") == "no sign of life from the engine process for more than 5 s"
    assert client.get_text(prefix + "Engine:State.STAT") == "TIMEOUT"
    assert client.get_text(prefix + "CH:SR:DCCT:Value.SEVR") == "INVALID"


def test_totals_are_counted(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """Totals come from the heads of ledger and delivery; Pending is counted, not the remainder."""
    ledger, delivery = control.table.ledger.head, control.table.delivery.head
    ledger["received"][0], ledger["generated"][0], ledger["filtered"][0] = 1000, 3, 100
    ledger["dropped_overflow"][0], ledger["dropped_spool_full"][0], ledger["withheld"][0] = 5, 7, 2
    delivery["stored"][0], delivery["rejected"][0], delivery["spool_samples"][0] = 800, 4, 40
    write_counts(control.directories.run, ProcessCounts(ioc=1, engine=2, db=3))
    beat(control)
    client.wait_for_value(prefix + "Received", 1000, 2)
    names = ("Generated", "Filtered", "Dropped", "Stored", "Rejected", "Pending", "Channels", "Enabled")
    assert [client.get(prefix + name) for name in names] == [3, 100, 12, 800, 4, 42, 2, 2]
    assert [client.get(f"{prefix}{name}:Restarts") for name in ("Ioc", "Engine", "Writer")] == [1, 2, 3]


def test_flush_waits_for_the_engine(control: ControlProcess, prefix: str) -> None:
    """A put of 1 to Flush completes when the engine has followed the counter, and Flush reads back 0."""
    with RawCa(control.port) as raw:
        _, flush = raw.open(prefix + "Flush")
        raw.send(ca.WriteNotifyRequest([1], ca.ChannelType.LONG, 1, flush.sid, 77))
        wait_until(lambda: int(control.table.settings.head["flush"][0]) == 1, 2, "the flush counter is raised")
        with pytest.raises(TimeoutError):
            raw.wait_for(ca.WriteNotifyResponse, 0.2)
        control.table.status.head["flush_done"][0] = 1
        raw.wait_for(ca.WriteNotifyResponse, 1.0)
        assert raw.get(flush, ca.ChannelType.LONG).data.tolist() == [0]


def test_searches_for_many_names(control: ControlProcess, prefix: str) -> None:
    """1000 names are answered within a second, each reply repeats the sequence number of its request, and misses are silent."""
    control.stop()
    names = [f"S:{number:04d}" for number in range(1000)]
    control.configure(f"channels: [{', '.join(names)}]")
    control.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(2)
        begun = time.monotonic()
        found: set[int] = set()
        for start in range(0, 1000, 20):
            request = struct.pack(">HHHHII", 0, 0, 1, 13, start + 1, 0)
            for cid in range(start, start + 20):
                name = f"{prefix}CH:{names[cid]}:Rate".encode().ljust(40, b"\0")
                request += struct.pack(">HHHHII", 6, len(name), 5, 13, cid, cid) + name
                missing = f"{prefix}CH:{names[cid]}:Nope".encode().ljust(40, b"\0")
                request += struct.pack(">HHHHII", 6, len(missing), 5, 13, 5000 + cid, 5000 + cid) + missing
            udp.sendto(request, ("127.0.0.1", control.port))
            reply = udp.recv(65536)
            assert struct.unpack_from(">HHHHII", reply)[:5] == (0, 0, 1, 13, start + 1)
            found |= {struct.unpack_from(">I", reply, at + 12)[0] for at in range(16, len(reply), 24)}
        assert found == set(range(1000))
        assert time.monotonic() - begun < 1


def test_client_that_reads_nothing_holds_up_nobody(control: ControlProcess, prefix: str) -> None:
    """While one client with 2000 monitors stops reading, another gets its events as ever, and the server goes on after it is gone."""
    rows = "\n".join(f"W:{number}" for number in range(500))
    with RawCa(control.port) as good, RawCa(control.port) as deaf:
        _, add = good.open(prefix + "Add")
        assert isinstance(good.put(add, rows.encode(), ca.ChannelType.CHAR), ca.WriteNotifyResponse)
        for number in range(500):
            deaf.send(ca.CreateChanRequest(f"{prefix}CH:W:{number}:Value", 100_000 + number, 13))
            channel = deaf.wait_for(ca.CreateChanResponse)
            for _ in range(4):
                deaf.monitor(channel, ca.ChannelType.CTRL_DOUBLE, 1)
        _, beats = good.open(prefix + "HEARTBEAT")
        good.monitor(beats, ca.ChannelType.LONG, 1)
        values: list[int] = []
        for round_ in range(30):
            control.table.status.cells["value"][2:502] = float(round_)
            control.table.status.cells["generation"][2:502] = 1
            time.sleep(0.1)
        deadline = time.monotonic() + 3
        while len(values) < 6 and time.monotonic() < deadline:
            values.append(int(good.wait_for(ca.EventAddResponse).data[0]))
        assert values == list(range(values[0], values[0] + 6))
    with RawCa(control.port) as again:
        again.open(prefix + "State")


def test_removed_row_is_free_after_release(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """The row of a removed channel goes to the next added one as soon as the engine has let go of it, with a new generation."""
    client.put(prefix + "Remove", "SR:DCCT")
    client.put(prefix + "Add", "A:1")
    assert control.used_rows() == [1, 2]
    control.table.status.cells["generation"][0], control.table.status.cells["released"][0] = 1, 1
    client.put(prefix + "Add", "A:2")
    assert control.row_of(0) == {"generation": 2, "state": RowState.USED, "enable": 1, "mode": 0, "rate": 0}


def test_puts_are_durable_quickly(control: ControlProcess, prefix: str) -> None:
    """100 puts with completion, each on disk before it completes, take at most 50 ms at the 99th percentile."""
    with RawCa(control.port) as raw:
        _, rate = raw.open(prefix + "CH:SR:DCCT:Rate")
        seconds = []
        for number in range(100):
            begun = time.monotonic()
            assert isinstance(raw.put(rate, [float(number + 1)], ca.ChannelType.DOUBLE), ca.WriteNotifyResponse)
            seconds.append(time.monotonic() - begun)
            assert control.row_of(0)["rate"] == number + 1
    assert np.percentile(seconds, 99) < 3 * 0.05


def test_unreadable_requests_hurt_nobody(control: ControlProcess, prefix: str) -> None:
    """A read and a monitor of a type that does not exist are answered with an error; what is no CA ends only its own circuit."""
    with RawCa(control.port) as raw, RawCa(control.port) as broken:
        _, rate = raw.open(prefix + "CH:SR:DCCT:Rate")
        broken.send_bytes(struct.pack(">HHHHII", 200, 0, 99, 1, 1, 1) * 3)
        raw.send_bytes(struct.pack(">HHHHII", 15, 0, 99, 1, rate.sid, 2))
        raw.wait_for(ca.ErrorResponse)
        raw.send_bytes(struct.pack(">HHHHIIfffHH", 1, 16, 99, 1, rate.sid, 3, 0, 0, 0, 1, 0))
        raw.wait_for(ca.ErrorResponse)
        assert raw.get(rate, ca.ChannelType.DOUBLE).data.tolist() == [0.0]
    assert "Traceback" not in control.log()


def test_stop_ends_with_0_and_says_so(control: ControlProcess, prefix: str) -> None:
    """SIGTERM tells clients that the archiver stops and ends the control process with exit code 0; the table says so too."""
    with RawCa(control.port) as raw:
        _, state = raw.open(prefix + "State")
        raw.monitor(state, ca.ChannelType.STRING, 1)
        raw.wait_for(ca.EventAddResponse)
        assert control.stop() == 0
        assert bytes(raw.wait_for(ca.EventAddResponse).data[0]) == b"Stopping"
    assert int(control.table.settings.head["state"][0]) == ProcessState.STOPPED
    assert "Traceback" not in control.log()


def test_damaged_registry_is_a_clear_error(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> None:
    """A damaged state.db ends the control process with exit code 1 and one line that names it."""
    made = ControlProcess(tmp_path, ports(1)[0], prefix)
    made.directories.registry.write_bytes(b"garbage " * 1000)
    made.start(wait=False)
    assert made.wait() == 1
    assert "state.db: cannot be used" in made.log()
    assert "Traceback" not in made.log()
    made.close()


def test_taken_port_is_a_clear_error(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> None:
    """A UDP port that another program keeps to itself ends the control process with exit code 1 and a line that names it."""
    made = ControlProcess(tmp_path, ports(1)[0], prefix)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", made.port))
        made.start(wait=False)
        assert made.wait() == 1
    assert f"cannot listen on 127.0.0.1:{made.port} (UDP)" in made.log()
    assert "Traceback" not in made.log()
    made.close()
