"""The alarms that an operator's client sees when something goes wrong, and their end."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

from archioc.core.dbr import Severity, Status
from opi import displays
from tests.conftest import ArchiverFactory, CaClientFactory, CaWatchFactory, CountingFactory, InfluxdFactory, SoftIocFactory
from tests.counters import counter_database
from tests.processes.archiver import Archiver
from tests.processes.ca_client import CaClient
from tests.processes.ca_watch import CaWatch
from tests.processes.influxd import Influxd
from tests.processes.old_stamps import start_old_stamps
from tests.processes.soft_ioc import SoftIoc
from tests.processes.waiting import wait_until
from tests.proof.counts import counts
from tests.screens.live import check_live

pytestmark = [pytest.mark.proof, pytest.mark.timeout(400)]

COUNTERS = 20
MORE = 4
"""In the half that goes, so that it is more than the other half with two channels besides."""
ELEMENTS = 3500
"""Random numbers of a sample, which no compression makes smaller: 28 kB."""
SPOOL_BYTES = 1_000_000
STEP_SAMPLES = 4
AHEAD_YEARS = -0.001
"""How far in the past the stamps of a server lie at most: these are ahead by hours."""
GOOD = "NO_ALARM NO_ALARM"


@dataclass(frozen=True, slots=True)
class Monitor:
    """A client like camonitor. prefix: of the archiver."""

    watch: CaWatch
    prefix: str

    def alarms(self, name: str, since: int) -> list[str]:
        """Severity and status of a PV, each time that they changed, after so many updates of all PVs."""
        seen = [one for one in self.watch.updates()[since:] if one.channel == self.prefix + name]
        said = [f"{Severity(one.severity).name} {Status(one.status).name}" for one in seen]
        return [alarm for alarm, _ in groupby(said)]

    def now(self) -> int:
        """How many updates have come."""
        return len(self.watch.updates())

    def wait(self, name: str, alarm: str, since: int = 0, timeout_s: float = 30.0) -> None:
        """Wait until a PV is in this alarm."""
        wait_until(lambda: self.alarms(name, since)[-1:] == [alarm], timeout_s, f"{name}: {alarm}", 0.2)


WATCHED = (
    "State",
    "Db:State",
    "Spool:FillPct",
    "Dropped:LastMinute",
    "Engine:State",
    "DisconnectedPct",
    "BadTime:LastMinute",
    "GRP:half:Disconnected",
)


def test_alarms_of_each_fault(
    archiver: ArchiverFactory,
    softioc: SoftIocFactory,
    own_influxd: InfluxdFactory,
    ca_watch: CaWatchFactory,
    ca_client: CaClientFactory,
    ports: Callable[[int], list[int]],
    repeater_port: int,
    prefix: str,
    tmp_path: Path,
) -> None:
    """Store away, spool full, engine gone, half the channels gone, an IOC's clock wrong: each raises its alarms in order and ends them."""
    halves = [[f"{prefix}{half}{number:02d}" for number in range(count)] for half, count in (("X", COUNTERS), ("Y", COUNTERS + MORE))]
    wave = f"{prefix}WAVE"
    array = f'record(waveform, "{wave}") {{ field(FTVL, "DOUBLE") field(NELM, "{ELEMENTS}") field(PINI, "YES") }}\n'
    iocs = [softioc(counter_database(halves[0]) + array), softioc(counter_database(halves[1]))]
    server, future = own_influxd(), ports(1)[0]
    made = archiver(
        [*halves[0], wave, f"{prefix}AHEAD1"],
        [*(ioc.port for ioc in iocs), future],
        {"influxdb": {"url": server.url, "bucket": "epics"}},
        more={"spool": {"max_bytes": SPOOL_BYTES}, "groups": {"half": {"channels": halves[1]}}},
    )
    made.start(connected=2 * COUNTERS + MORE + 1)
    connected = f"CH:{halves[1][0]}:Connected"
    monitor = Monitor(ca_watch([made.prefix + name for name in (*WATCHED, connected)], [made.port]), made.prefix)
    for name in (*WATCHED, connected):
        monitor.wait(name, GOOD)
    ahead = start_old_stamps(f"{prefix}AHEAD", 2, AHEAD_YEARS, future, repeater_port, tmp_path / "ahead")
    try:
        monitor.wait("BadTime:LastMinute", "MINOR HIGH")
        store_away_and_spool_full(monitor, server, ca_client([iocs[0].port]), wave)
        engine_gone(monitor, made)
        half_gone(monitor, iocs[1], connected)
        assert monitor.alarms("BadTime:LastMinute", 0)[:2] == [GOOD, "MINOR HIGH"]
        if counts().whole_minute:
            monitor.wait("BadTime:LastMinute", GOOD, timeout_s=90)
            monitor.wait("Dropped:LastMinute", GOOD, timeout_s=90)
    finally:
        ahead.stop()


def store_away_and_spool_full(monitor: Monitor, server: Influxd, client: CaClient, wave: str) -> None:
    """Unreachable, half full, nearly full, samples lost: in this order; the store's return ends all but the loss."""
    since = monitor.now()
    server.stop()
    numbers = random.Random(1)

    def fill_until(name: str, alarm: str) -> None:
        for _ in range(60):
            for _ in range(STEP_SAMPLES):
                client.put(wave, [numbers.random() for _ in range(ELEMENTS)])
            try:
                monitor.wait(name, alarm, since, timeout_s=1.2)
            except TimeoutError:
                continue
            return
        raise AssertionError(f"{name} is not {alarm}: {monitor.alarms(name, since)}")

    fill_until("Db:State", "MAJOR STATE")
    fill_until("Spool:FillPct", "MINOR HIGH")
    fill_until("Spool:FillPct", "MAJOR HIHI")
    fill_until("Dropped:LastMinute", "MAJOR HIHI")
    raised = [
        (one.channel.removeprefix(monitor.prefix), Severity(one.severity).name)
        for one in monitor.watch.updates()[since:]
        if one.severity and one.channel.removeprefix(monitor.prefix) in {"Db:State", "Spool:FillPct", "Dropped:LastMinute"}
    ]
    assert list(dict.fromkeys(raised)) == [
        ("Db:State", "MAJOR"),
        ("Spool:FillPct", "MINOR"),
        ("Spool:FillPct", "MAJOR"),
        ("Dropped:LastMinute", "MAJOR"),
    ]
    assert monitor.alarms("State", since) == ["MINOR STATE"]
    server.start()
    for name in ("Db:State", "Spool:FillPct", "State"):
        monitor.wait(name, GOOD, since, timeout_s=90)
    assert monitor.alarms("Db:State", since) == ["MAJOR STATE", GOOD]


def engine_gone(monitor: Monitor, archiver: Archiver) -> None:
    """What the engine knows is INVALID with TIMEOUT when it has been silent for 5 s, and the archiver is in Fault, until it is back."""
    since = monitor.now()
    with archiver.unattended():
        archiver.kill_child("engine")
        monitor.wait("Engine:State", "INVALID TIMEOUT", since)
        monitor.wait("State", "MAJOR STATE", since)
        monitor.wait("DisconnectedPct", "INVALID TIMEOUT", since)
        monitor.wait("GRP:half:Disconnected", "INVALID TIMEOUT", since)
    for name in ("Engine:State", "State", "DisconnectedPct", "GRP:half:Disconnected"):
        monitor.wait(name, GOOD, since, timeout_s=40)
    assert monitor.alarms("Engine:State", since) == ["INVALID TIMEOUT", GOOD]


def half_gone(monitor: Monitor, ioc: SoftIoc, connected: str) -> None:
    """The part that is gone, the group and its channels are in alarm until their IOC is back."""
    since = monitor.now()
    ioc.kill()
    monitor.wait("DisconnectedPct", "MAJOR HIHI", since)
    monitor.wait("GRP:half:Disconnected", "MAJOR COMM", since)
    monitor.wait(connected, "MAJOR COMM", since)
    ioc.restart()
    for name in ("DisconnectedPct", "GRP:half:Disconnected", connected):
        monitor.wait(name, GOOD, since, timeout_s=60)


def test_displays_on_an_archiver_with_many_channels(counting: CountingFactory, ca_client: CaClientFactory) -> None:
    """Each shipped display finds all its PVs, of the right type and rights, on an archiver with many channels."""
    load = counting(counts().shown_channels)
    archiver = load.archiver
    name = load.names[-1]
    assert check_live(ca_client([archiver.port]), displays.SHIPPED, {"P": archiver.prefix, "CH": name}) > 500
