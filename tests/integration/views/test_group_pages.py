"""Lists of groups."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import caproto as ca

from archioc.ioc.views.puts import STEADY_S
from tests.conftest import CaClientFactory
from tests.integration.views.ring import ONLY_THIS_HOST, rows_of, shown
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa


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
        assert "Group00: g10 came here" in refused_after_next(control, view, "GroupSelect", b"0")
        assert [client.get_text(f"{view}Group{slot:02d}:Name") for slot in range(4)] == [*names[10:], ""]
        assert [client.get_text(view + "Group03:" + field) for field in ("State", "Condition", "Disconnected.SEVR")] == [
            "Off",
            "",
            "NO_ALARM",
        ]
        client.put(view + "GroupPage", 1)
        assert f"Group00: {names[10]} came here" in refused_after_next(control, view, "Group00:Enable", b"Off")
        time.sleep(STEADY_S)
        client.put(view + "Group00:Enable", "Off")
        assert client.get_text(f"{prefix}GRP:{names[10]}:Enable") == "Off"
        assert "shows no group" in control.refuses(view + "Group09:Enable", "Off")
        client.put(view + "GroupPage", 7)
        assert client.get(view + "GroupPage") == 2
    finally:
        control.close()


def refused_after_next(control: ControlProcess, view: str, field: str, value: bytes) -> str:
    """Turn the page of groups, and put with the same breath; why that is refused."""
    with RawCa(control.port) as raw:
        turn, channel = (raw.open(view + name)[1] for name in ("GroupNext", field))
        raw.send(
            ca.WriteNotifyRequest([1], ca.ChannelType.LONG, 1, turn.sid, 1),
            ca.WriteNotifyRequest(value, ca.ChannelType.CHAR, len(value), channel.sid, 2),
        )
        raw.wait_for(ca.WriteNotifyResponse)
        return bytes(raw.wait_for(ca.ErrorResponse).error_message).decode()


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
