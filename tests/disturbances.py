"""What may happen to a running archiver, for counts of any size: processes killed, the store away."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from archioc.demo.updates import Update
from tests.counters import Counting, check_no_loss, check_stored_once
from tests.processes.archiver import PROCESSES, Archiver, StoreBlock
from tests.processes.ca_client import CaClient
from tests.processes.ring_content import channels_by_row, updates_in_ring
from tests.processes.waiting import wait_until

SPOOLED = 10
"""Batches that are in the spool when a process is killed."""

FILLED = 2
"""Batches that are in the spool at one kill in four."""

_BETWEEN_KILLS_S = (0.1, 2.9)
"""From one kill of a process to the next; it starts in about 1 s."""
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
        assert not histories[name].gaps("disconnected")


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
    outage.begin()
    begun = time.monotonic()
    archiver.wait_for_spool(max(2, int(seconds)), timeout_s=seconds + 20)
    time.sleep(max(0.0, begun + seconds - time.monotonic()))
    assert archiver.overview().store_state == "unreachable"
    pending = archiver.overview().conservation.pending
    assert pending >= 5 * seconds * len(names)
    outage.end()
    archiver.wait_for_empty_spool(timeout_s=60 + seconds)
    until_ns = time.time_ns()
    archiver.wait_for_samples(names[0], until_ns)
    assert archiver.overview().store_state == "ok"
    assert archiver.stop() == 0
    check_no_loss(counting.watch.by_channel(), archiver.check_conservation().histories, until_ns)


def end(process: psutil.Process) -> None:
    """Kill -9, and wait until nothing of it runs any more."""
    process.kill()
    wait_until(lambda: process.status() == psutil.STATUS_ZOMBIE, 10, f"{process.pid} is dead", 0.001)


def kill_at_random(counting: Counting, outage: Outage, kills: int, moments: random.Random) -> None:
    """Kill -9 of engine and db, each so many times, whenever it comes, also while they start; the store comes and goes meanwhile.

    Then nothing is lost: what the ring held when its engine died is stored, the counts are unbroken outside the gaps, and nothing is
    counted twice.
    """
    archiver, names = counting.archiver, counting.names
    rows = channels_by_row(archiver.directories)
    in_ring: list[Update] = []
    spooled: list[int] = []
    left = {"engine": kills, "db": kills}
    due = {victim: time.monotonic() + moments.uniform(*_BETWEEN_KILLS_S) for victim in left}
    change_at, away = time.monotonic(), False
    while any(left.values()):
        now = time.monotonic()
        present = {victim: archiver.child(victim) for victim in left}
        if now >= change_at and present["db"]:
            (outage.end if away else outage.begin)()
            change_at, away = now + moments.uniform(*_PHASE_S), not away
        for victim, process in present.items():
            if process is None or not left[victim] or now < due[victim]:
                continue
            with archiver.unattended():
                end(process)
                if victim == "engine":
                    in_ring += updates_in_ring(archiver.directories, rows)
            spooled.append(archiver.spooled())
            left[victim] -= 1
            due[victim] = time.monotonic() + moments.uniform(*_BETWEEN_KILLS_S)
        time.sleep(0.01)
    if away:
        outage.end()
    archiver.wait_running()
    archiver.wait_connected(len(names))
    until_ns = time.time_ns()
    archiver.wait_for_samples(names[0], until_ns, timeout_s=60)
    assert archiver.stop() == 0
    histories = archiver.check_conservation().histories
    assert sum(files >= FILLED for files in spooled) >= max(1, kills // 10), spooled
    # Each kill finds about one update of each channel in the ring; with few kills chance counts.
    assert len(in_ring) > len(names) * (kills / 2 - math.sqrt(kills))
    check_stored_once(in_ring, histories)
    check_no_loss(counting.watch.by_channel(), histories, until_ns, "engine_restart")
