"""The alarms that an operator's client sees when something goes wrong, and their end."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

from archioc.opi import displays
from tests.conftest import ArchiverFactory, CaClientFactory, CamonitorFactory, CountingFactory, InfluxdFactory, SoftIocFactory
from tests.processes.archiver import Archiver
from tests.processes.ca_client import CaClient
from tests.processes.camonitor import Camonitor, Line
from tests.processes.influxd import Influxd
from tests.processes.old_stamps import start_old_stamps
from tests.processes.soft_ioc import SoftIoc
from tests.processes.waiting import wait_until
from tests.proof.counts import counts
from tests.records.counters import counter_database
from tests.screens.alarm_tree import check, pvs
from tests.screens.live import check_live
from tests.screens.pvs import Contract

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

COUNTERS = 20
MORE = 4
"""In the half that goes, so that it is more than the other half with two channels besides."""
ELEMENTS = 3500
"""Random numbers of a sample, which no compression makes smaller: 28 kB."""
SPOOL_BYTES = 1_000_000
STEP_SAMPLES = 4
STEP_PCT = 8.0
"""By which so many fill the spool at least; between its two limits lies more than two steps."""
AHEAD_YEARS = -0.001
"""How far in the past the stamps of a server lie at most: these are ahead by hours."""
GOOD = "NO_ALARM"
SINCE_THE_START = 0
HEARTBEAT = "AlarmServer:Heartbeat"
"""In alarm whenever its last put is 30 s ago, whatever else happens."""
LASTING = {"Dropped:LastMinute", "BadTime:LastMinute"}
"""Alarms that go on for a minute after what raised them."""


@dataclass(frozen=True, slots=True)
class Monitor:
    """A camonitor of all PVs of the alarm tree, and what it has printed. prefix: of the archiver."""

    watch: Camonitor
    prefix: str

    def lines(self, since: int) -> list[Line]:
        """What it has printed of PVs after this number of lines; libca adds lines of its own after a minute without a CA repeater."""
        return [line for line in self.watch.lines()[since:] if line.channel.startswith(self.prefix)]

    def alarms(self, name: str, since: int) -> list[str]:
        """Severity and status of a PV, each time that they changed."""
        said = [line.alarm for line in self.lines(since) if line.channel == self.prefix + name]
        return [alarm for alarm, _ in groupby(said)]

    def raised(self, since: int) -> list[tuple[str, str]]:
        """What has been in which alarm, but for the heartbeat, in the order in which that was seen first."""
        seen = [(line.channel.removeprefix(self.prefix), line.alarm) for line in self.lines(since) if line.alarm != GOOD]
        return [one for one in dict.fromkeys(seen) if one[0] != HEARTBEAT]

    def value(self, name: str) -> float:
        """What a number has been shown as last."""
        return float([line.value for line in self.lines(SINCE_THE_START) if line.channel == self.prefix + name][-1])

    def wait_until_calm(self) -> int:
        """Wait until nothing is in alarm but what lasts for a minute and the heartbeat; how many lines there are then."""
        wait_until(lambda: not self._in_alarm(), 120.0, "nothing is in alarm", 0.2)
        return self.now()

    def _in_alarm(self) -> set[str]:
        last = {line.channel.removeprefix(self.prefix): line.alarm for line in self.lines(SINCE_THE_START)}
        return {name for name, alarm in last.items() if alarm != GOOD} - LASTING - {HEARTBEAT}

    def now(self) -> int:
        """How many lines there are."""
        return len(self.watch.lines())

    def wait(self, name: str, alarm: str, since: int = SINCE_THE_START, timeout_s: float = 90.0) -> None:
        """Wait until a PV is in this alarm."""
        wait_until(lambda: self.alarms(name, since)[-1:] == [alarm], timeout_s, f"{name}: {alarm}", 0.2)


def test_alarms_of_each_fault(
    archiver: ArchiverFactory,
    softioc: SoftIocFactory,
    own_influxd: InfluxdFactory,
    camonitor: CamonitorFactory,
    ca_client: CaClientFactory,
    ports: Callable[[int], list[int]],
    repeater_port: int,
    prefix: str,
    tmp_path: Path,
) -> None:
    """Store away, spool full, engine gone, half the channels gone, an IOC's clock wrong: camonitor of all PVs of the alarm tree sees
    the alarms of each in order, no others, and their end.
    """
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
    watched = alarm_tree(made)
    monitor = Monitor(camonitor(watched, made.port), made.prefix)
    for name in watched:
        monitor.wait(name.removeprefix(made.prefix), GOOD)
    calm = monitor.now()
    ahead = start_old_stamps(f"{prefix}AHEAD", 2, AHEAD_YEARS, future, repeater_port, tmp_path / "ahead")
    operator = ca_client([made.port])
    operator.put(made.prefix + HEARTBEAT, 1)
    try:
        monitor.wait("BadTime:LastMinute", "MINOR HIGH", timeout_s=150.0)  # libca looks for a lost server once a minute at least
        assert monitor.raised(calm) == [("BadTime:LastMinute", "MINOR HIGH")]
        store_away_and_spool_full(monitor, server, ca_client([iocs[0].port]), wave)
        alarm_server_gone(monitor, operator)
        engine_gone(monitor, made, halves[1])
        half_gone(monitor, iocs[1], halves[1])
        assert monitor.alarms("BadTime:LastMinute", SINCE_THE_START)[:2] == [GOOD, "MINOR HIGH"]
        if counts().whole_minute:
            monitor.wait("BadTime:LastMinute", GOOD, timeout_s=150)
            monitor.wait("Dropped:LastMinute", GOOD, timeout_s=150)
    finally:
        ahead.stop()


def alarm_tree(archiver: Archiver) -> list[str]:
    """All PVs of what `archioc alarms config` writes for this archiver, each channel of the group among them."""
    done = archiver.command("alarms", "config", str(archiver.config), "--channels", "half")
    assert done.status == 0, done.err
    assert check(done.out, Contract(archiver.prefix), displays.SHIPPED) == []
    return pvs(done.out)


def store_away_and_spool_full(monitor: Monitor, server: Influxd, client: CaClient, wave: str) -> None:
    """Unreachable, half full, nearly full, samples lost: in this order; the store's return ends all but the loss."""
    since = monitor.now()
    server.stop()
    numbers = random.Random(1)

    def fill_a_step() -> None:
        for _ in range(STEP_SAMPLES):
            client.put(wave, [numbers.random() for _ in range(ELEMENTS)])

    def fill_until(alarm: str) -> None:
        while monitor.alarms("Spool:FillPct", since)[-1:] != [alarm]:
            wanted = monitor.value("Spool:FillPct") + STEP_PCT
            fill_a_step()
            wait_until(lambda wanted=wanted: monitor.value("Spool:FillPct") >= wanted, 90, f"the spool is {wanted:g} % full", 0.2)  # type: ignore[misc]

    monitor.wait("Db:State", "MAJOR STATE", since)
    monitor.wait("State", "MINOR STATE", since)
    fill_until("MINOR HIGH")
    fill_until("MAJOR HIHI")
    for _ in range(60):
        fill_a_step()
        with contextlib.suppress(TimeoutError):
            monitor.wait("Dropped:LastMinute", "MAJOR HIHI", since, timeout_s=1.2)
            break
    monitor.wait("Dropped:LastMinute", "MAJOR HIHI", since)
    raised = [one for one in monitor.raised(since) if one[0] not in {"BadTime:LastMinute", "Spool:OldestAge"}]
    assert sorted(raised[:2]) == [("Db:State", "MAJOR STATE"), ("State", "MINOR STATE")]
    assert raised[2:] == [("Spool:FillPct", "MINOR HIGH"), ("Spool:FillPct", "MAJOR HIHI"), ("Dropped:LastMinute", "MAJOR HIHI")]
    assert monitor.alarms("State", since) == ["MINOR STATE"]
    server.start()
    for name in ("Db:State", "Spool:FillPct", "State"):
        monitor.wait(name, GOOD, since, timeout_s=150)
    assert monitor.alarms("Db:State", since) == ["MAJOR STATE", GOOD]


def alarm_server_gone(monitor: Monitor, operator: CaClient) -> None:
    """Its heartbeat came once, at the start: 30 s later it is in alarm, until the next one."""
    monitor.wait(HEARTBEAT, "MAJOR TIMEOUT", timeout_s=90)
    operator.put(monitor.prefix + HEARTBEAT, 1)
    monitor.wait(HEARTBEAT, GOOD)
    assert monitor.alarms(HEARTBEAT, SINCE_THE_START) == [GOOD, "MAJOR TIMEOUT", GOOD]


def engine_gone(monitor: Monitor, archiver: Archiver, channels: list[str]) -> None:
    """What the engine knows is INVALID with TIMEOUT when it has been silent for 5 s, and the archiver is in Fault, until it is back.

    A loss keeps the alarm of its value: a silent engine loses nothing.
    """
    since = monitor.wait_until_calm()
    known = {"Engine:State", "DisconnectedPct", "ClockSuspect", "GRP:half:Disconnected", *(f"CH:{name}:Connected" for name in channels)}
    with archiver.unattended():
        archiver.kill_child("engine")
        for name in (*known, "BadTime:LastMinute"):
            monitor.wait(name, "INVALID TIMEOUT", since)
        monitor.wait("State", "MAJOR STATE", since)
        assert {name for name, _ in monitor.raised(since)} - {"Dropped:LastMinute"} == {*known, "BadTime:LastMinute", "State"}
    for name in (*known, "State"):
        monitor.wait(name, GOOD, since)
    assert monitor.alarms("Engine:State", since) == ["INVALID TIMEOUT", GOOD]


def half_gone(monitor: Monitor, ioc: SoftIoc, channels: list[str]) -> None:
    """The part that is gone, the group and its channels are in alarm until their IOC is back, and nothing else is."""
    since = monitor.wait_until_calm()
    connected = [f"CH:{name}:Connected" for name in channels]
    ioc.kill()
    for name, alarm in (("DisconnectedPct", "MAJOR HIHI"), *((name, "MAJOR COMM") for name in ("GRP:half:Disconnected", *connected))):
        monitor.wait(name, alarm, since)
    ioc.restart()
    for name in ("DisconnectedPct", "GRP:half:Disconnected", *connected):
        monitor.wait(name, GOOD, since)
    assert {name for name, _ in monitor.raised(since)} - LASTING <= {"DisconnectedPct", "GRP:half:Disconnected", *connected}


def test_displays_on_an_archiver_with_many_channels(counting: CountingFactory, ca_client: CaClientFactory) -> None:
    """Each shipped display finds all its PVs, of the right type and rights, on an archiver with many channels."""
    load = counting(counts().shown_channels)
    archiver = load.archiver
    name = load.names[-1]
    assert check_live(ca_client([archiver.port]), displays.SHIPPED, {"P": archiver.prefix, "CH": name}) > 500
