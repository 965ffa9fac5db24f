"""The management calls that read, over an archiver with channels in every state, and the refusal of those that change something."""

from __future__ import annotations

import json
import socket
import time
import urllib.parse

from archioc.retrieval.mgmt.reports import REPORTS
from archioc.retrieval.mgmt.routes import INSTEAD
from tests.conftest import ArchiverFactory, ServedStoreFactory, SoftIocFactory
from tests.processes.archiver import Archiver
from tests.processes.http_client import HttpClient, http_of
from tests.processes.waiting import PATIENCE_S, wait_until

HTTP = {"http": {"enabled": True, "port": 0}}


def names(http: HttpClient, report: str, **more: str) -> list[str]:
    return [row["pvName"] for row in http.get(f"/mgmt/bpl/{report}", **more).json()]


def state_of(made: Archiver, channel: str) -> str:
    """As `archioc status` shows it."""
    document = json.loads(made.command("status", channel, "--config", str(made.config), "--format", "json").out)
    return str(document["channels"][0]["state"])


def test_mgmt(archiver: ArchiverFactory, softioc: SoftIocFactory, prefix: str) -> None:
    """Connected, paused and never connected channels are told as what they are, with their type, settings and counters."""
    begun = int(time.time())
    a, w, off, gone = (f"{prefix}{name}" for name in ("A", "W", "OFF", "GONE"))
    ioc = softioc(
        f'record(ao, "{a}") {{ field(VAL, "1.5") field(PINI, "YES") field(EGU, "mA") field(PREC, "2") field(HOPR, "9") }}'
        f'record(waveform, "{w}") {{ field(NELM, "7") field(FTVL, "SHORT") }} record(ao, "{off}") {{}}'
    )
    made = archiver([{"pv": a, "rate": 4}, w, {"pv": off, "enable": False}, gone], [ioc.port], more=HTTP)
    made.start(connected=3)
    http = http_of(made.directories)
    assert http.get("/mgmt/bpl/getAllPVs").json() == sorted([a, gone, off, w])
    assert http.get("/mgmt/bpl/getAllPVs", pv=f"{prefix}[AW]").json() == [a, w]
    assert http.get("/mgmt/bpl/getAllPVs", regex=f"{prefix}.", limit="1").json() == [a]
    status = http.get("/mgmt/bpl/getPVStatus", pv=f"{w},{prefix}NONE,{off},{gone},ca://{a}").json()
    assert [(one["pvName"], one["status"]) for one in status] == [
        (w, "Being archived"),
        (f"{prefix}NONE", "Not being archived"),
        (off, "Paused"),
        (gone, "Initial sampling"),
        (f"ca://{a}", "Being archived"),
    ]
    assert (status[4]["connectionState"], status[4]["isMonitored"], status[4]["samplingPeriod"]) == ("true", "true", "0.25")
    bodies = [(json.dumps([a, off]), "application/json"), (f"{a}\n{off}", "text/plain"), (f"{a},{off}", "")]
    bodies.append((urllib.parse.urlencode({"pv": f"{a},{off}"}), "application/x-www-form-urlencoded"))
    for body, kind in bodies:
        assert [one["pvName"] for one in http.post("/mgmt/bpl/getPVStatus", body.encode(), kind).json()] == [a, off]
    assert http.post("/mgmt/bpl/unarchivedPVs", json.dumps([a, "NONE"]).encode(), "application/json").json() == ["NONE"]
    wait_until(lambda: "DBRType" in http.get("/mgmt/bpl/getPVTypeInfo", pv=a).json(), PATIENCE_S, "its type is stored")
    info = http.get("/mgmt/bpl/getPVTypeInfo", pv=a).json()
    assert (info["DBRType"], info["units"], info["precision"], info["upperDisplayLimit"]) == ("DBR_SCALAR_DOUBLE", "mA", "2.0", "9.0")
    details = {one["name"]: one["value"] for one in http.get("/mgmt/bpl/getPVDetails", pv=a).json()}
    assert (details["PV Name"], details["Is this PV currently connected?"], details["Sampling method:"]) == (a, "yes", "MONITOR")
    assert http.get("/mgmt/bpl/getPVDetails", pv=f"{prefix}NONE").status == 404
    assert (names(http, "getNeverConnectedPVs"), names(http, "getPausedPVsReport")) == ([gone], [off])
    wait_until(lambda: state_of(made, gone) == "disconnected", PATIENCE_S, "the channel that nobody serves counts as disconnected")
    assert (names(http, "getNeverConnectedPVs"), names(http, "getCurrentlyDisconnectedPVs")) == ([gone], [])
    assert http.get("/mgmt/bpl/getPVStatus", pv=gone).json()[0]["status"] == "Initial sampling"
    wait_until(lambda: names(http, "getArchivedWaveforms") == [w], PATIENCE_S, "the waveform is told as one")
    for report in REPORTS:
        rows = http.get(f"/mgmt/bpl/{report}").json()
        assert all(isinstance(value, str) for row in rows for value in row.values()), report
        assert len(http.get(f"/mgmt/bpl/{report}", limit="1").json()) <= 1
    spans = http.get("/mgmt/bpl/getTimeSpanReport").json()
    assert {name: span["paused"] for name, span in spans.items()} == {a: "false", gone: "false", off: "true", w: "false"}
    assert begun <= int(spans[a]["creationTS"]) <= time.time()
    assert begun <= int(spans[a]["lastEvent"]) <= time.time()
    assert (spans[a]["pvName"], spans[gone]["lastEvent"]) == (a, "0")
    assert list(http.get("/mgmt/bpl/getTimeSpanReport", regex=f"{prefix}G.*").json()) == [gone]
    assert http.get("/mgmt/bpl/getTimeSpanReport", regex="(").status == 400
    appliance = http.get("/mgmt/bpl/getApplianceInfo").json()
    assert http_of_url(appliance["retrievalURL"].removesuffix("/bpl")).get("/data/getData.json", pv=a).status == 200
    wait_until(lambda: http.get("/readyz").json()["state"] == "archiving", PATIENCE_S, "it is ready")
    assert http.get("/readyz").status == 200
    wait_until(lambda: "\narchioc_channels_connected 3.0\n" in http.get("/metrics").text, PATIENCE_S, "the metrics tell of them")
    ioc.stop()
    wait_until(lambda: names(http, "getCurrentlyDisconnectedPVs") == [a, w], PATIENCE_S, "they are told as disconnected")


def http_of_url(url: str) -> HttpClient:
    return HttpClient(url)


def test_nothing_is_changed(served_store: ServedStoreFactory) -> None:
    """Calls that change something are refused with the PV that does it, however they are asked."""
    http = served_store().http
    for call in INSTEAD:
        for answer in (http.get(f"/mgmt/bpl/{call}", pv="A"), http.post(f"/mgmt/bpl/{call}", b"[]", "application/json")):
            assert (answer.status, answer.text.count("\n"), "ARCH:" in answer.text) == (403, 1, True)
    assert http.get("/mgmt/bpl/deletePV", pv="A").text == "deletePV: nothing is changed over HTTP; put to ARCH:Remove over Channel Access\n"


def test_without_an_archiver(served_store: ServedStoreFactory) -> None:
    """Where only a store is read, nothing is archived, there are no metrics, and it is ready while the store answers."""
    http = served_store().http
    assert http.get("/mgmt/bpl/getAllPVs").json() == []
    assert http.get("/mgmt/bpl/getPVStatus", pv="A").json() == [{"pvName": "A", "status": "Not being archived"}]
    assert http.get("/metrics").status == 404
    ready = http.get("/readyz")
    assert (ready.status, ready.json()) == (200, {"ready": True, "state": "serving", "reason": "", "store": "ok"})
    assert http.get("/healthz").json() == {"status": "alive"}


def test_odd_requests(served_store: ServedStoreFactory) -> None:
    """Odd names, limits, bodies and host names are answered with data or a refusal in a line, never with a fault."""
    served = served_store()
    http = served.http
    for word in ("", "(", "*" * 200, "\0", "9" * 5000, "x" * 2000, "é%", "-"):
        for call in ("getAllPVs", "getPVStatus", "getPVTypeInfo", "getPVDetails", "getEventRateReport"):
            assert http.get(f"/mgmt/bpl/{call}", pv=word, limit=word).status in {200, 400, 404}, (call, word)
        assert http.get("/mgmt/bpl/getAllPVs", regex=word).status in {200, 400}
    for body in (b"{}", b"[1]", b"[", b"\xff", b"pv=%ff"):
        assert http.post("/mgmt/bpl/getPVStatus", body, "application/json").status == 400
        assert http.post("/mgmt/bpl/getPVStatus", body, "text/plain").status in {200, 400}
    for host in ("[", "x/../", "a b", '"'):
        for path, status in (("/archive/1/samples/NONE", b"400"), ("/nothing", b"404"), ("/mgmt/bpl/getApplianceInfo", b"200")):
            with socket.create_connection(served.listener.getsockname()[:2], 10) as connection:
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                assert connection.makefile("rb").readline().split()[1] in {status, b"400", b"421"}, (host, path)
