"""Who may put, and what is kept of it."""

from __future__ import annotations

import json
import sqlite3

import caproto as ca

from tests.integration.pv_contract.content import CHANNELS, COMMANDS, OF_A_GROUP_SLOT, OF_A_ROW, OF_A_VIEW, SETTINGS, Row, audited, contract
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa
from tests.processes.waiting import PATIENCE_S, wait_until


def put_of(row: Row) -> tuple[object, ca.ChannelType]:
    """A put that would act if it were allowed."""
    value = {**SETTINGS, **COMMANDS, **OF_A_ROW, **OF_A_GROUP_SLOT, **OF_A_VIEW}[row.pv]
    if isinstance(value, list):
        return [item.encode() for item in value], ca.ChannelType.STRING
    return (value.encode() or b"\0", ca.ChannelType.CHAR) if isinstance(value, str) else ([value], ca.ChannelType.DOUBLE)


def shown(row: Row) -> str:
    """The value of `put_of` as the audit tells it."""
    value = {**SETTINGS, **OF_A_ROW, **OF_A_GROUP_SLOT, **OF_A_VIEW, **COMMANDS}[row.pv]
    return "\n".join(value) if isinstance(value, list) else value if isinstance(value, str) else f"{value:g}"


def whole_registry(control: ControlProcess) -> list[str]:
    """All of state.db but the audit."""
    database = sqlite3.connect(control.directories.registry)
    lines = [line for line in database.iterdump() if 'INTO "audit"' not in line and 'INTO "refused_put"' not in line]
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
    wait_until(lambda: len(audited(control)) == len(writable), PATIENCE_S, "all refused puts are audited")
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
    wait_until(lambda: audited(control), PATIENCE_S, "the audit is written")
    assert [entry.pv for entry in audited(control)] == [prefix + "Flush"]
