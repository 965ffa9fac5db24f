from __future__ import annotations

import socket
import sqlite3
import statistics
import struct
import time

import caproto as ca

from archioc.core.table.table import RowState
from tests.processes.control_process import TWO_CHANNELS, ControlProcess
from tests.processes.raw_ca import RawCa
from tests.processes.waiting import PATIENCE_S

ONLY_THIS_HOST = "access: {control: [{hosts: [127.0.0.1]}], expert: [{hosts: [127.0.0.1]}]}"


def test_remove_invalidates_its_pvs(control: ControlProcess, prefix: str) -> None:
    """A client that monitors a PV of a channel sees at once that the channel has gone, keeps the others, and opens no more of its PVs."""
    with RawCa(control.port) as raw, RawCa(control.port) as other:
        _, rate = raw.open(prefix + "CH:SR:DCCT:Rate")
        _, kept = raw.open(prefix + "CH:SR:X.HIHI:Rate")
        _, state = raw.open(prefix + "CH:SR:DCCT:State")
        raw.monitor(rate, ca.ChannelType.STS_DOUBLE, 5)
        raw.wait_for(ca.EventAddResponse)
        _, remove = other.open(prefix + "CH:SR:DCCT:Remove")
        wrong = other.put(remove, b"SR:X.HIHI", ca.ChannelType.CHAR)
        assert isinstance(wrong, ca.ErrorResponse)
        done = other.put(remove, b"SR:DCCT", ca.ChannelType.CHAR)
        assert isinstance(done, ca.WriteNotifyResponse)
        event = raw.wait_for(ca.EventAddResponse)
        assert (event.metadata.severity, event.data.tolist()) == (3, [0.0])
        assert raw.get(state, ca.ChannelType.STRING).data == [b"Removed"]
        refused = raw.put(rate, [1.0], ca.ChannelType.DOUBLE)
        assert b"no such channel" in bytes(refused.error_message)
        assert raw.get(kept, ca.ChannelType.DOUBLE).data.tolist() == [5.0]
        raw.send(ca.CreateChanRequest(prefix + "CH:SR:DCCT:Rate", 999, 13))
        raw.wait_for(ca.CreateChFailResponse)
    assert control.row_of(0)["state"] == RowState.REMOVED


def test_peer_that_may_not_write_is_refused(control: ControlProcess, prefix: str) -> None:
    """A client at another address is told that it may only read, whatever it says about itself; its put has no effect and is audited."""
    control.stop()
    control.configure(f"{TWO_CHANNELS}\n{ONLY_THIS_HOST}")
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
    audit = database.execute("SELECT user, host, peer, pv, new FROM refused_put ORDER BY rowid").fetchall()
    database.close()
    assert [(user, host, peer.split(":")[0], pv) for user, host, peer, pv, _ in audit] == [
        ("ops", "127.0.0.1", "127.0.0.2", prefix + "CH:SR:DCCT:Rate"),
        ("ops", "127.0.0.1", "127.0.0.2", prefix + "Add"),
    ]


def test_searches_for_many_names(control: ControlProcess, prefix: str) -> None:
    """1000 names are answered, mostly within a second; each reply repeats the sequence number of its request, and misses are silent."""
    control.stop()
    names = [f"S:{number:04d}" for number in range(1000)]
    control.configure(f"channels: [{', '.join(names)}]")
    control.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(PATIENCE_S)
        took = []
        found: set[int] = set()
        for start in range(0, 1000, 20):
            begun = time.monotonic()
            request = struct.pack(">HHHHII", 0, 0, 1, 13, start + 1, 0)
            for cid in range(start, start + 20):
                name = f"{prefix}CH:{names[cid]}:Rate".encode().ljust(40, b"\0")
                request += struct.pack(">HHHHII", 6, len(name), 5, 13, cid, cid) + name
                missing = f"{prefix}CH:{names[cid]}:Nope".encode().ljust(40, b"\0")
                request += struct.pack(">HHHHII", 6, len(missing), 5, 13, 5000 + cid, 5000 + cid) + missing
            udp.sendto(request, ("127.0.0.1", control.port))
            reply = udp.recv(65536)
            took.append(time.monotonic() - begun)
            assert struct.unpack_from(">HHHHII", reply)[:5] == (0, 0, 1, 13, start + 1)
            found |= {struct.unpack_from(">I", reply, at + 12)[0] for at in range(16, len(reply), 24)}
        assert found == set(range(1000))
        assert statistics.median(took) * len(took) < 1


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
        while len(values) < 6:
            values.append(int(good.wait_for(ca.EventAddResponse).data[0]))
        assert values == list(range(values[0], values[0] + 6))
    with RawCa(control.port) as again:
        again.open(prefix + "State")


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
