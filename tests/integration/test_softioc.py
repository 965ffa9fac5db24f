from __future__ import annotations

import socket
import statistics
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from archioc.demo.errors import ChildFailed
from archioc.demo.processes import start_soft_ioc
from archioc.demo.updates import Update
from tests.conftest import CaClientFactory, CaWatchFactory, InfluxdFactory, SoftIocFactory
from tests.processes.influxd import InfluxDatabase
from tests.processes.waiting import PATIENCE_S, wait_until

COUNTER = """
record(calc, "$(P)COUNT") {
    field(SCAN, ".1 second") field(INPA, "$(P)COUNT NPP NMS") field(CALC, "A+1") field(HIGH, "5") field(HSV, "MINOR")
}
"""

EVERY_TYPE = """
record(ai, "$(P)DOUBLE") { field(VAL, "0.1") field(PINI, "YES") }
record(longin, "$(P)LONG") { field(VAL, "-7") field(PINI, "YES") }
record(bi, "$(P)ENUM") { field(VAL, "1") field(ZNAM, "Off") field(ONAM, "On") field(OSV, "MAJOR") field(PINI, "YES") }
record(stringin, "$(P)TEXT") { field(VAL, "good day") field(PINI, "YES") }
record(stringin, "$(P)NEVER") { field(VAL, "as loaded") }
record(waveform, "$(P)WAVE") { field(INP, [1.5, -2.5]) field(FTVL, "DOUBLE") field(NELM, "4") field(PINI, "YES") }
record(waveform, "$(P)CHARS") { field(INP, {const: "ring"}) field(FTVL, "CHAR") field(NELM, "16") field(PINI, "YES") }
record(ao, "$(P)SET") { field(PINI, "YES") }
"""


def test_a_soft_ioc_on_another_port_is_not_taken(repeater_port: int, ports: Callable[[int], list[int]], tmp_path: Path) -> None:
    """Where the port is in use, EPICS takes another one: that IOC is ended, and the fault names the port."""
    (port,) = ports(1)
    database = tmp_path / "empty.db"
    database.write_text("")
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ChildFailed, match=f"found port {port} in use"):
        start_soft_ioc(database, "", port, repeater_port, tmp_path)
    start_soft_ioc(database, "", port, repeater_port, tmp_path).stop()


def test_independent_client_counts_without_a_miss(softioc: SoftIocFactory, ca_watch: CaWatchFactory, prefix: str) -> None:
    """Every count of a 10 Hz counter arrives, with rising stamps to the nanosecond and the severity of its limit."""
    ioc = softioc(COUNTER, f"P={prefix}")
    watch = ca_watch([prefix + "COUNT"], [ioc.port])
    watch.wait_for(15, prefix + "COUNT")
    assert watch.stop() == 0
    updates = watch.updates()
    counts = [update.value for update in updates]
    first = counts[0]
    assert isinstance(first, float)
    assert counts == [first + step for step in range(len(counts))]
    stamps = [update.time_ns for update in updates]
    assert stamps == sorted(set(stamps))
    assert any(stamp % 1000 for stamp in stamps)
    assert statistics.median(abs(update.received_ns - update.time_ns) for update in updates) < 1_000_000_000
    assert {_alarm(update) for update in updates if isinstance(update.value, float) and update.value >= 5} == {(1, 4)}


def _alarm(update: Update) -> tuple[int, int]:
    return update.severity, update.status


def test_values_of_every_type(softioc: SoftIocFactory, ca_watch: CaWatchFactory, prefix: str) -> None:
    """Values, types and alarms of scalars, texts and arrays are those of the database."""
    ioc = softioc(EVERY_TYPE, f"P={prefix}")
    names = ["DOUBLE", "LONG", "ENUM", "TEXT", "NEVER", "WAVE", "CHARS"]
    watch = ca_watch([prefix + name for name in names], [ioc.port])
    wait_until(lambda: len(watch.by_channel()) == len(names), PATIENCE_S, "a value of each channel")
    watch.stop()
    found = {name.removeprefix(prefix): updates[0] for name, updates in watch.by_channel().items()}
    assert {name: (update.dbr_type, update.value) for name, update in found.items()} == {
        "DOUBLE": ("DBR_TIME_DOUBLE", 0.1),
        "LONG": ("DBR_TIME_LONG", -7),
        "ENUM": ("DBR_TIME_ENUM", 1),
        "TEXT": ("DBR_TIME_STRING", "good day"),
        "NEVER": ("DBR_TIME_STRING", "as loaded"),
        "WAVE": ("DBR_TIME_DOUBLE", [1.5, -2.5]),
        "CHARS": ("DBR_TIME_CHAR", [*b"ring", 0]),
    }
    assert _alarm(found["ENUM"]) == (2, 7)
    assert found["NEVER"].time_ns == 631_152_000 * 10**9
    assert abs(found["DOUBLE"].time_ns - time.time_ns()) < 60 * 10**9


def test_client_gets_and_puts(softioc: SoftIocFactory, ca_client: CaClientFactory, prefix: str) -> None:
    """A put is read back, labels and long texts are given as text, an absent channel is an error."""
    ioc = softioc(EVERY_TYPE, f"P={prefix}")
    client = ca_client([ioc.port])
    client.put(prefix + "SET", 2.5)
    assert client.get(prefix + "SET") == 2.5
    assert client.get_text(prefix + "ENUM") == "On"
    assert client.get_text(prefix + "CHARS") == "ring"
    assert client.get(prefix + "WAVE") == [1.5, -2.5]
    assert client.writable(prefix + "SET")
    assert not client.connected(prefix + "ABSENT")


def test_client_resumes_after_kill_and_restart_of_the_ioc(softioc: SoftIocFactory, ca_watch: CaWatchFactory, prefix: str) -> None:
    """When an IOC is killed and started again on its port, the client has its updates again."""
    ioc = softioc(COUNTER, f"P={prefix}")
    watch = ca_watch([prefix + "COUNT"], [ioc.port])
    watch.wait_for(3, prefix + "COUNT")
    assert ioc.kill() == -9
    restarted_ns = time.time_ns()
    ioc.restart()
    wait_until(lambda: watch.updates()[-1].time_ns > restarted_ns, PATIENCE_S, "an update of the restarted IOC")


def test_processes_are_gone_when_stopped(softioc: SoftIocFactory, ca_watch: CaWatchFactory, prefix: str) -> None:
    """After stop there is no process left, and both end of themselves without a kill."""
    ioc = softioc(COUNTER, f"P={prefix}")
    watch = ca_watch([prefix + "COUNT"], [ioc.port])
    pids = [ioc.pid, watch.pid]
    assert all(psutil.pid_exists(pid) for pid in pids)
    assert (watch.stop(), ioc.stop()) == (0, 0)
    assert not any(psutil.pid_exists(pid) for pid in pids)


def _write(server_url: str, database: str, line: str) -> None:
    with urllib.request.urlopen(f"{server_url}/write?db={database}&precision=ns", data=line.encode(), timeout=10) as response:
        assert response.status == 204


def test_influxd_keeps_a_point_to_the_nanosecond(influx_database: InfluxDatabase) -> None:
    """A point written to the test's own database is read back with its exact time and value."""
    _write(influx_database.url, influx_database.name, "sample,pv=A value=0.1 1700000000123456789")
    assert influx_database.query("SELECT value FROM sample") == [{"time": 1700000000123456789, "value": 0.1}]


def test_influxd_keeps_data_over_kill_and_start(own_influxd: InfluxdFactory) -> None:
    """What was acknowledged before kill -9 is there after the next start."""
    server = own_influxd("tsi1")
    server.query("CREATE DATABASE one")
    _write(server.url, "one", "sample,pv=A value=1 1")
    server.kill()
    assert not server.answers()
    server.start()
    assert server.query("SELECT value FROM sample", "one") == [{"time": 1, "value": 1}]
