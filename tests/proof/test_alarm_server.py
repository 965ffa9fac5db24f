"""Which alarms operators see when a process of the archiver is killed or stands still: one for each cause, and none that is false."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import psutil
import pytest

from tests.conftest import ArchiverFactory, CamonitorFactory, SoftIocFactory
from tests.processes.archiver import Archiver
from tests.processes.camonitor import Camonitor, Line
from tests.processes.waiting import wait_until
from tests.proof.counts import counts
from tests.records.counters import counter_database
from tests.screens.alarm_server import DISCONNECTED, AlarmServer, Raised, entries
from tests.screens.pvs import Contract

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]

CHANNELS = 5
SETTLED_S = 10.0
"""How long all is well again before the next disturbance."""

PROCESSES = ("engine", "db", "ioc", "retrieval")
SILENT = {"engine": {"State": "MAJOR", "Engine:State": "INVALID"}, "db": {"State": "MAJOR", "Writer:State": "INVALID"}}
"""What a process that stands still for a minute raises. The control IOC comes back before its clients' entry is due."""


class Watched:
    """The alarm server's view of a running archiver: each line of camonitor reaches the model when it is printed."""

    def __init__(self, archiver: Archiver, watch: Camonitor, model: AlarmServer) -> None:
        self._watch, self._model, self._read = watch, model, 0
        self._contract = Contract(archiver.prefix)
        self.alarms: dict[str, str] = {}

    def look(self) -> None:
        """Hand on what was printed since the last look."""
        now = time.monotonic()
        lines = self._watch.lines()
        for line in lines[self._read :]:
            self._hand_on(now, line)
        self._read = len(lines)
        self._model.pass_time(now)

    def _hand_on(self, now: float, line: Line) -> None:
        name = line.channel.split(" ", 1)[0]
        if self._contract.find(name) is None:
            return  # a line of libca about its connection
        level = line.alarm.split(" ", 1)[0]
        if level not in {"NO_ALARM", "MINOR", "MAJOR", "INVALID"}:
            level = DISCONNECTED
        self.alarms[name] = level
        value = float("nan") if level == DISCONNECTED else self._number(name, line.value)
        self._model.receive(now, name, "OK" if level == "NO_ALARM" else level, value)

    def _number(self, name: str, text: str) -> float:
        row = self._contract.find(name)
        assert row is not None, name
        return float(row.states.index(text)) if row.states else float(text.split(" ", 1)[0])

    def for_s(self, seconds: float) -> None:
        """Look for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.look()
            time.sleep(0.1)

    def is_calm(self) -> bool:
        """Whether no PV is in alarm."""
        self.look()
        return not self.in_alarm()

    def in_alarm(self) -> dict[str, str]:
        """PVs that are in alarm now."""
        return {name: level for name, level in self.alarms.items() if level != "NO_ALARM"}


def test_kills_and_stops(
    archiver: ArchiverFactory, softioc: SoftIocFactory, camonitor: CamonitorFactory, ports: Callable[[int], list[int]], prefix: str
) -> None:
    """Kill -9 of any process raises nothing. One that stands still for a minute raises one spoken alarm, which ends with it."""
    names = [f"{prefix}C{number}" for number in range(CHANNELS)]
    made = archiver(
        [],
        [softioc(counter_database(names)).port],
        more={"groups": {"all": {"channels": names}}, "http": {"enabled": True, "port": ports(1)[0]}},
    )
    made.start(connected=CHANNELS)
    text = made.command("alarms", "config", str(made.config), "--channels", "all").out
    model = AlarmServer(text)
    filtered = {f"{made.prefix}GRP:all:State"}
    watch = camonitor(sorted({entry.pv for entry in entries(text)} | filtered), made.port)
    seen = Watched(made, watch, model)
    wait_until(seen.is_calm, 60.0, "no PV is in alarm", 0.2)
    table: dict[str, list[Raised]] = {}
    for how in ("kill", "stop"):
        for process in PROCESSES:
            before = len(model.raised)
            disturb(made, seen, process, how)
            table[f"{how} {process}"] = model.raised[before:]
            assert model.standing() == {}, (how, process)
    shown = {cause: {one.pv.removeprefix(made.prefix): one.level for one in raised} for cause, raised in table.items()}
    print(*shown.items(), sep="\n")
    for process in PROCESSES:
        assert shown[f"kill {process}"] == {}
        assert shown[f"stop {process}"] == (SILENT.get(process, {}) if counts().stopped_s >= 60 else {})
    assert all(sum(one.spoken for one in raised) <= 1 for raised in table.values())


def disturb(made: Archiver, seen: Watched, process: str, how: str) -> None:
    """Kill or stop a process, and wait until all is well."""
    if how == "kill":
        made.kill_child(process)
    else:
        stopped = made.suspend_child(process)
        seen.for_s(counts().stopped_s)
        with contextlib.suppress(psutil.NoSuchProcess):  # the supervisor ends a http process that does not answer
            stopped.resume()
    seen.for_s(SETTLED_S)
    with contextlib.suppress(TimeoutError):
        wait_until(seen.is_calm, 90.0, "no PV is in alarm", 0.1)
    assert seen.in_alarm() == {}, (how, process)
    seen.for_s(1.0)
