"""What may happen to a running archiver, for counts of any size: processes killed, the store away."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from archioc.demo.updates import Update
from tests.processes.archiver import PROCESSES, Archiver, StoreBlock
from tests.processes.ca_client import CaClient
from tests.processes.ring_content import channels_by_row, updates_in_ring
from tests.processes.waiting import wait_until
from tests.records.counters import Counting, check_no_loss, check_stored_once

SPOOLED = 10
"""Batches that are in the spool when a process is killed."""

FILLED = 2
"""Batches that are in the spool at one kill in four, at least."""
_FILLED_EVERY = 4

_STARTING = 0.25
"""Part of the kills that come at any moment of the start, of which the ring may hold nothing."""
_AT_START_S, _AT_WORK_S = 1.0, 1.0
"""At most so long after the last kill, or after the process has been seen to work."""
_PHASE_S = (1.0, 4.0)
"""How long the store is there, and away, between kills."""


@dataclass(frozen=True, slots=True)
class Outage:
    """How the store goes away and comes back."""

    begin: Callable[[], object]
    end: Callable[[], object]


@dataclass(frozen=True, slots=True)
class FragileStore:
    """A store that can be made to stop. settings: its block of the configuration; outage: how it goes away for an archiver."""

    settings: StoreBlock
    outage: Callable[[Archiver], Outage]


def kill_each(counting: Counting, client: CaClient, outage: Outage, rounds: int) -> None:
    """Kill -9 of ioc, engine and db in turn while counters are archived and batches wait in the spool, then check what is stored.

    The rate limit of the last counter is put in the moment before ioc is killed, and must hold from then on.
    """
    archiver, names = counting.archiver, counting.names
    *free, limited = names
    rate = 4.0
    since_ns = time.time_ns()
    for victim in rounds * ("ioc", "engine", "db"):
        outage.begin()
        archiver.wait_for_spool(SPOOLED)
        others = {name: archiver.pid_of(name) for name in PROCESSES if name != victim}
        if victim == "ioc":
            rate += 1
            client.put(f"{archiver.prefix}CH:{limited}:Rate", rate, timeout_s=30)
        killed = archiver.kill_child(victim)
        if victim == "db":
            outage.end()
        archiver.wait_for_successor(victim, killed)
        archiver.wait_connected(len(names))
        assert archiver.overview().spool_files >= SPOOLED or victim == "db"
        if victim != "db":
            outage.end()
        archiver.wait_for_empty_spool()
        assert {name: archiver.pid_of(name) for name in others} == others
        assert archiver.status().rates == dict.fromkeys(free, 0.0) | {limited: rate}
    until_ns = time.time_ns()
    archiver.wait_for_samples(free[0], until_ns)
    assert archiver.stop() == 0
    histories = archiver.check_conservation().histories
    seen = counting.watch.by_channel()
    check_no_loss({name: seen[name] for name in free}, histories, until_ns, "engine_restart")
    for name in names:
        gaps = histories[name].gaps("engine_restart")
        assert len(gaps) == rounds, f"{name}: {gaps}"
        # a start may last longer than new channels are given to connect
        assert not [gap for gap in histories[name].gaps("disconnected") if gap.time_ns >= since_ns]


def suspended_writer(archiver: Archiver) -> Outage:
    """The db process does nothing for a while, as when its disk is busy."""
    writers: list[psutil.Process] = []

    def suspend() -> None:
        writers[:] = [archiver.suspend_child("db")]

    def resume() -> None:
        if writers[0].is_running():
            writers[0].resume()

    return Outage(suspend, resume)


def lose_store(counting: Counting, outage: Outage, seconds: float) -> None:
    """The store is away for some seconds while counters are archived: nothing is lost, and the spool drains."""
    archiver, names = counting.archiver, counting.names
    enough = 5 * seconds * len(names)
    outage.begin()
    begun = time.monotonic()
    archiver.wait_for_spool(max(2, int(seconds)), timeout_s=seconds + 90)
    time.sleep(max(0.0, begun + seconds - time.monotonic()))
    wait_until(lambda: archiver.overview().store_state == "unreachable", 90, "the store is missed", 0.1)
    wait_until(lambda: archiver.overview().conservation.pending >= enough, 90 + seconds, f"{enough} samples are pending", 0.1)
    outage.end()
    archiver.wait_for_empty_spool(timeout_s=120 + seconds)
    until_ns = time.time_ns()
    archiver.wait_for_samples(names[0], until_ns)
    assert archiver.overview().store_state == "ok"
    assert archiver.stop() == 0
    check_no_loss(counting.watch.by_channel(), archiver.check_conservation().histories, until_ns)


def end(process: psutil.Process) -> None:
    """Kill -9, and wait until nothing of it runs any more."""
    process.kill()
    wait_until(lambda: process.status() == psutil.STATUS_ZOMBIE, 30, f"{process.pid} is dead", 0.001)


class _Kills:
    """When a process of an archiver is to be killed next: soon after the last time, or a while after it has been seen to work.

    left: kills to come. at_work: those that came while the process worked.
    """

    def __init__(self, works: Callable[[int], bool], kills: int, moments: random.Random) -> None:
        self._works, self._moments = works, moments
        self._last = 0
        self._due: float | None = None
        self._at_work = True
        self.left, self.at_work = kills, 0

    def is_due(self, spooled: int) -> bool:
        """Whether the moment has come. spooled: batches in the spool, since some kills wait for them."""
        if not self.left:
            return False
        if self._due is None:
            if self._at_work and not self._works(self._last):
                return False
            self._due = time.monotonic() + self._moments.uniform(0, _AT_WORK_S if self._at_work else _AT_START_S)
        return time.monotonic() >= self._due and (bool(self.left % _FILLED_EVERY) or spooled >= FILLED)

    def done(self, killed: int) -> None:
        """The process with this number has been killed."""
        self._last, self._due = killed, None
        self.left -= 1
        self.at_work += self._at_work
        self._at_work = self._moments.random() >= _STARTING


def kill_at_random(counting: Counting, outage: Outage, kills: int, moments: random.Random) -> None:
    """Kill -9 of engine and db, each so many times, whenever it comes, also while they start; the store comes and goes meanwhile.

    Then nothing is lost: what the ring held when its engine died is stored, the counts are unbroken outside the gaps, and nothing is
    counted twice.
    """
    archiver, names = counting.archiver, counting.names
    rows = channels_by_row(archiver.directories)
    in_ring: list[Update] = []
    spooled: list[int] = []
    due = {
        "engine": _Kills(lambda last: archiver.runs("engine", last) and archiver.overview().connected == len(names), kills, moments),
        "db": _Kills(lambda last: archiver.runs("db", last), kills, moments),
    }
    change_at, away = time.monotonic(), False
    while any(one.left for one in due.values()):
        now = time.monotonic()
        present = {victim: archiver.child(victim) for victim in due}
        if now >= change_at and present["db"]:
            (outage.end if away else outage.begin)()
            change_at, away = now + moments.uniform(*_PHASE_S), not away
        for victim, process in present.items():
            if process is None or not due[victim].is_due(archiver.spooled()):
                continue
            with archiver.unattended():
                end(process)
                if victim == "engine":
                    in_ring += updates_in_ring(archiver.directories, rows)
            spooled.append(archiver.spooled())
            due[victim].done(process.pid)
        time.sleep(0.01)
    if away:
        outage.end()
    archiver.wait_running()
    archiver.wait_connected(len(names))
    until_ns = time.time_ns()
    archiver.wait_for_samples(names[0], until_ns)
    archiver.wait_for_empty_spool()
    assert archiver.stop() == 0
    histories = archiver.check_conservation().histories
    assert sum(files >= FILLED for files in spooled) >= kills // _FILLED_EVERY, spooled
    # Each kill of an engine at work finds about one update of each channel in the ring; with few kills chance counts.
    at_work = due["engine"].at_work
    assert len(in_ring) > len(names) * (at_work / 2 - math.sqrt(at_work))
    check_stored_once(in_ring, histories)
    check_no_loss(counting.watch.by_channel(), histories, until_ns, "engine_restart")
