"""Clients of the Archiver Appliance's management calls against a running archiver."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import pytest

from tests.conftest import ArchiverFactory, SoftIocFactory
from tests.processes.appliance_clients import is_installed, run_client
from tests.processes.http_client import HttpClient, http_of
from tests.processes.tools import missing_tool

HTTP = {"http": {"enabled": True, "port": 0}}
FORM = "application/x-www-form-urlencoded"
LABELS = {
    "How many events so far?",
    "Is this PV currently connected?",
    "How many times have we lost and regained the connection to this PV?",
    "How many events lost because the timestamp is in the far future or past so far?",
    "How many events lost because the sample buffer is full so far?",
    "How many events lost because the DBR_Type of the PV has changed from what it used to be?",
    "Estimated storage rate (MB/day)",
    "When did we receive the last event?",
    "Hostname of PV from CA",
    "Instance archiving PV",
}
"""Which epicsarchiver-mgmt-client looks up in `getPVDetails`; two more are not told: when the connection was lost, a thread of CAJ."""


def is_time(text: str) -> bool:
    """Whether epicsarchiver-mgmt-client reads it as a time."""
    return text in {"", "Never"} or bool(datetime.strptime(text, "%b/%d/%Y %H:%M:%S %Z"))  # noqa: DTZ007 - as the client does


Check = Callable[[dict[str, str]], object]
REPORTS: dict[str, Check] = {
    "getPVsByDroppedEventsBuffer": lambda row: int(row["eventsDropped"]),
    "getPVsByDroppedEventsTimestamp": lambda row: int(row["eventsDropped"]),
    "getPVsByDroppedEventsTypeChange": lambda row: int(row["eventsDropped"]),
    "getSlowChangingPVsWithDroppedEvents": lambda row: int(row["eventsDropped"]),
    "getCurrentlyDisconnectedPVs": lambda row: (
        row["hostName"],
        row["instance"],
        is_time(row["connectionLostAt"]),
        is_time(row["lastKnownEvent"]),
        int(row["commandThreadID"]),
        int(row["noConnectionAsOfEpochSecs"]),
    ),
    "getSilentPVsReport": lambda row: (row["instance"], is_time(row["lastKnownEvent"])),
    "getLostConnectionsReport": lambda row: (row["currentlyConnected"] in {"Yes", "No"}, row["instance"], int(row["lostConnections"])),
    "getStorageRateReport": lambda row: [float(row[f"storageRate_{unit}"]) for unit in ("MBperDay", "KBperHour", "GBperYear")],
    "getPausedPVsReport": lambda row: (row["instance"], row["modificationTime"]),
}
"""How epicsarchiver-mgmt-client reads a row of each report; a key that is missing, or no number, is an error to it."""


@pytest.fixture
def http(archiver: ArchiverFactory, softioc: SoftIocFactory, prefix: str) -> HttpClient:
    """An archive of a channel that updates, one that does not, one that is paused, and one that is not there."""
    updating = 'record(calc, "$(P)A") { field(SCAN, ".5 second") field(CALC, "VAL+1") field(EGU, "mA") }'
    ioc = softioc(f'{updating} record(ao, "$(P)B") {{}} record(ao, "$(P)C") {{}}', f"P={prefix}")
    channels = [f"{prefix}A", f"{prefix}B", {"pv": f"{prefix}C", "enable": False}, f"{prefix}NONE"]
    made = archiver(channels, [ioc.port], more=HTTP)
    made.start(connected=3)
    made.wait_for_samples(f"{prefix}A", 0)
    return http_of(made.directories)


def ask(http: HttpClient, call: str, **parameters: str) -> Any:
    """What a management call answers."""
    answer = http.get(f"/mgmt/bpl/{call}", **parameters)
    assert answer.status == 200, answer.text
    return orjson.loads(answer.body)


@pytest.mark.proof
def test_recorded_requests(http: HttpClient, prefix: str) -> None:
    """What epicsarchiver-mgmt-client 1.1.0 sends is answered so that it can read it, key by key and number by number."""
    first = f"{prefix}A"
    assert {"identity", "version"} <= set(ask(http, "getApplianceInfo"))
    names = [f"{prefix}{name}" for name in ("A", "B", "C", "NONE")]
    assert ask(http, "getAllPVs", limit="500", pv=f"{prefix}*") == names
    assert ask(http, "getAllPVs", limit="2", regex=f"{prefix}.*") == names[:2]
    assert set(names) <= set(ask(http, "getAllExpandedPVNames"))
    statuses = {row["pvName"]: row["status"] for row in ask(http, "getPVStatus", pv=f"{first},{prefix}C,OTHER")}
    assert statuses == {first: "Being archived", f"{prefix}C": "Paused", "OTHER": "Not being archived"}
    assert {row["name"] for row in ask(http, "getPVDetails", pv=first)} >= LABELS
    told = ask(http, "getPVTypeInfo", pv=first)
    assert (told["pvName"], told["DBRType"], told["units"], told["paused"]) == (first, "DBR_SCALAR_DOUBLE", "mA", "false")
    assert ask(http, "getStoresForPV", pv=first) == {"store": "embedded"}
    for call, expected in (("archivedPVs", [first]), ("unarchivedPVs", ["OTHER"])):
        answer = http.post(f"/mgmt/bpl/{call}", f"pv={first}&pv=OTHER".encode(), FORM)
        assert (answer.status, answer.json()) == (200, expected)
    assert ask(http, "getPolicyList") == {}
    assert [row["pvName"] for row in ask(http, "getNeverConnectedPVs")] == [f"{prefix}NONE"]
    assert len(ask(http, "getAppliancesInCluster")) == 1
    for report, read in REPORTS.items():
        for row in ask(http, report, limit="1000"):
            assert row["pvName"] in names
            read(row)
    assert [row["pvName"] for row in ask(http, "getPausedPVsReport")] == [f"{prefix}C"]
    for call in ("pauseArchivingPV", "resumeArchivingPV", "abortArchivingPV", "deletePV"):
        refused = http.get(f"/mgmt/bpl/{call}", pv=first)
        assert (refused.status, "nothing is changed" in refused.text.lower() or "put" in refused.text) == (403, True)


@pytest.mark.proof
def test_mgmt_client_live(http: HttpClient, prefix: str) -> None:
    """epicsarchiver-mgmt-client itself reads names, status, details, type and reports, where a Python for it is there."""
    if not is_installed("mgmt-client"):
        missing_tool("mgmt-client", "needs Python 3.12; `make proof` installs it into .cache/clients then")
    first = f"{prefix}A"
    found = run_client("mgmt-client", "mgmt_client", http, [first])
    assert (found["identity"], found["names"], found["archiving"]) == ("archioc", [first], "Being archived")
    assert (found["archived"], found["unarchived"], found["appliances"]) == ([first], ["NONE"], 1)
    assert found["type"]["units"] == "mA"
    assert {"Connected", "Hostname", "LastEvent", "MBStorageRate"} <= set(found["detail"])
    assert found["reports"][-1] == 1


@pytest.mark.proof
def test_aaclient_finds_names(http: HttpClient, prefix: str) -> None:
    """The archive is found by aaclient through `getApplianceInfo`, and names by its wildcards."""
    if not is_installed("aaclient"):
        missing_tool("clients", "`make proof` installs them into .cache/clients")
    found = run_client("aaclient", "aaclient_names", http, [f"{prefix}?", f"{prefix}NO*", "nothing*"])
    assert found[f"{prefix}NO*"] == [f"{prefix}NONE"]
    assert set(found[f"{prefix}?"]) >= {f"{prefix}{name}" for name in "ABC"}
    assert found["nothing*"] == []
