from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import caproto as ca
import pytest

from archioc.core.dbr import Severity
from archioc.core.table.table import ProcessState
from archioc.ioc.pvs.channel_fields import CHANNEL_FIELDS
from archioc.ioc.pvs.group_fields import GROUP_FIELDS
from archioc.ioc.pvs.status_fields import STATUS_FIELDS
from archioc.ioc.views.fields import SLOT_FIELDS
from tests.conftest import CaClientFactory
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.raw_ca import RawCa


@pytest.fixture
def control(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    made = ControlProcess(tmp_path, ports(1)[0], prefix, "groups: {vac: {channels: [SR:DCCT]}}")
    made.start()
    yield made
    made.close()


@pytest.fixture
def client(control: ControlProcess, ca_client: CaClientFactory) -> CaClient:
    return ca_client([control.port])


def show_disk_free(control: ControlProcess, percent: float) -> None:
    """Write as a db process that is alive."""
    head = control.table.delivery.head
    head["disk_free"][0], head["heartbeat"][0], head["state"][0] = percent / 100, time.time_ns(), ProcessState.RUNNING


def test_fields_of_a_record(client: CaClient, prefix: str) -> None:
    """Fixed and lazy PVs have the fields of a record; what they do not have a limit or a unit for is NaN or empty."""
    expected = {
        "Disk:FreePct": ("ai", "%", 1, 10.0, 3.0),
        "CH:SR:DCCT:Rate": ("ao", "Hz", 3, math.nan, math.nan),
        "HEARTBEAT": ("longin", "", 0, math.nan, math.nan),
        "Flush": ("longout", "", 0, math.nan, math.nan),
        "State": ("mbbi", "", 0, math.nan, math.nan),
        "Busy": ("bi", "", 0, math.nan, math.nan),
        "GRP:vac:Enable": ("bo", "", 0, math.nan, math.nan),
        "Version": ("stringin", "", 0, math.nan, math.nan),
        "Add": ("waveform", "", 0, math.nan, math.nan),
    }
    for name, fields in expected.items():
        seen = tuple(client.get(f"{prefix}{name}.{field}") for field in ("RTYP", "EGU", "PREC", "LOW", "LOLO"))
        assert (name, repr(seen)) == (name, repr(fields))
        assert client.get_text(f"{prefix}{name}.NAME$") == prefix + name
    assert client.get_text(prefix + "Disk:FreePct.LLSV") == "MAJOR"
    assert (client.get(prefix + "Quarantine.HIGH"), client.get_text(prefix + "Quarantine.HSV")) == (1.0, "MINOR")
    assert [client.get(f"{prefix}Disk:FreePct.{field}") for field in ("LSV", "HSV", "HHSV", "HYST")] == [1, 1, 2, 0]
    assert client.get(prefix + "HEARTBEAT.VAL") == pytest.approx(client.get(prefix + "HEARTBEAT"), abs=2)


def test_limits_act_at_once_and_outlive_a_kill(control: ControlProcess, client: CaClient, ca_client: CaClientFactory, prefix: str) -> None:
    """A put of a limit judges the value anew, is told by DBR_CTRL, and holds after kill -9; NaN takes the limit away."""
    name = prefix + "Disk:FreePct"
    show_disk_free(control, 40)
    client.wait_for_value(name, 40)
    assert client.get_text(name + ".SEVR") == "NO_ALARM"
    client.put(name + ".HIGH", 30)
    assert (client.get_text(name + ".SEVR"), client.get_text(name + ".STAT")) == ("MINOR", "HIGH")
    client.put(name + ".HSV", "INVALID")
    assert client.get_text(name + ".SEVR") == "INVALID"
    client.put(name + ".LOLO", math.nan)
    control.kill()
    control.start()
    show_disk_free(control, 1)
    again = ca_client([control.port])
    again.wait_for_value(name, 1)
    assert again.get(name + ".HIGH") == 30
    assert (again.get_text(name + ".HSV"), again.get_text(name + ".STAT")) == ("INVALID", "LOW")
    with RawCa(control.port) as raw:
        limits = raw.get(raw.open(name)[1], ca.ChannelType.CTRL_DOUBLE).metadata
    assert (limits.upper_warning_limit, limits.lower_warning_limit) == (30, 10)
    assert math.isnan(limits.lower_alarm_limit)


def test_limits_are_for_experts_and_for_numbers(control: ControlProcess, prefix: str) -> None:
    """Another address may not write a limit, nobody one of a channel's PVs, and a wrong value is refused with the rule."""
    control.stop()
    control.configure("channels: [SR:DCCT]\naccess: {expert: [{hosts: [127.0.0.1]}]}")
    control.start()
    with RawCa(control.port, source="127.0.0.2") as stranger, RawCa(control.port) as expert:
        rights, limit = stranger.open(prefix + "Disk:FreePct.LOW")
        assert rights.access_rights == ca.AccessRights.READ
        assert isinstance(stranger.put(limit, [1.0], ca.ChannelType.DOUBLE), ca.ErrorResponse)
        assert expert.open(prefix + "CH:SR:DCCT:Value.HIHI")[0].access_rights == ca.AccessRights.READ
        answer = expert.put(expert.open(prefix + "Disk:FreePct.HYST")[1], [-1.0], ca.ChannelType.DOUBLE)
        assert b"HYST: -1 must be 0 or more" in bytes(answer.error_message)
        low = expert.open(prefix + "Disk:FreePct.LOW")[1]
        assert expert.get(low, ca.ChannelType.DOUBLE).data.tolist() == [10.0]


def test_fields_of_an_enum(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """The states of an enum and their severities are told as by a record of type bi or mbbi, and a state has the alarm told."""
    store = prefix + "Db:State"
    assert [client.get_text(f"{store}.{field}") for field in ("ZRST", "ONST", "TWST", "FRST", "FVST", "FFST")] == [
        "Unknown",
        "OK",
        "Unreachable",
        "Rejecting",
        "Degraded",
        "",
    ]
    assert [client.get(f"{store}.{field}") for field in ("ZRVL", "ONVL", "FRVL", "SXVL")] == [0, 1, 4, 0]
    assert [client.get_text(f"{store}.{field}") for field in ("ONSV", "TWSV", "FVSV", "UNSV", "COSV")] == [
        "NO_ALARM",
        "MAJOR",
        "MINOR",
        "NO_ALARM",
        "NO_ALARM",
    ]
    connected = prefix + "CH:SR:DCCT:Connected"
    assert [client.get_text(f"{connected}.{field}") for field in ("ZNAM", "ONAM", "ZSV", "OSV")] == [
        "Disconnected",
        "Connected",
        "MAJOR",
        "NO_ALARM",
    ]
    head = control.table.delivery.head
    head["store_state"][0], head["heartbeat"][0] = 2, time.time_ns()
    client.wait_for_value(store, 2)
    assert client.get_text(store + ".SEVR") == client.get_text(store + ".TWSV") == "MAJOR"


def test_other_fields(client: CaClient, prefix: str) -> None:
    """Display and drive limits, elements and processing are told as by a record."""
    rate = prefix + "CH:SR:DCCT:Rate"
    assert [client.get(f"{rate}.{field}") for field in ("HOPR", "DRVH", "LOPR", "DRVL", "MDEL", "ADEL", "UDF")] == [1e5, 1e5, 0, 0, 0, 0, 0]
    assert client.describe(rate + ".HOPR").units == client.get_text(rate + ".EGU") == "Hz"
    assert (client.get_text(rate + ".SCAN"), client.get_text(prefix + "State.SCAN")) == ("Passive", "I/O Intr")
    assert (client.get(prefix + "Result.NELM"), client.get(prefix + "Result.NORD")) == (1024, 0)


def test_silent_process_is_a_timeout(control: ControlProcess, client: CaClient, prefix: str) -> None:
    """While engine and db give no sign of life, all they know is INVALID with TIMEOUT, in rows of views too, and nothing else is.

    What counts losses keeps the alarm of its value.
    """
    by_others = {name: field.source != "ioc" and not field.by_value for name, field in STATUS_FIELDS.items()}
    by_others |= {f"CH:SR:DCCT:{name}": field.source != "registry" for name, field in CHANNEL_FIELDS.items()}
    by_others |= {f"GRP:vac:{name}": field.by_engine for name, field in GROUP_FIELDS.items()}
    by_others |= {f"View:a:Row00:{name}": field.source != "registry" for name, field in SLOT_FIELDS.items()}
    for name in by_others:
        client.connected(prefix + name)
    assert {name: client.describe(prefix + name).severity == Severity.INVALID for name in by_others} == by_others
    assert {client.get_text(prefix + name + ".STAT") for name in ("Db:State", "GRP:vac:State", "View:a:Row00:Value")} == {"TIMEOUT"}
    now = time.time_ns()
    for block in (control.table.status, control.table.delivery):
        block.head["heartbeat"][0] = now + 60 * 10**9
    client.wait_for_value(prefix + "Connected.SEVR", "NO_ALARM")
    connected = {name for name in by_others if name.rpartition(":")[2] in {"Value", "Text", "ValueText"}}
    assert not [name for name in by_others if name not in connected and client.describe(prefix + name).severity == Severity.INVALID]
