"""What may happen to a running archiver, for counts of any size: processes killed, the store away."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from tests.counters import Counting, check_no_loss
from tests.processes.archiver import PROCESSES, Archiver, StoreBlock
from tests.processes.ca_client import CaClient

SPOOLED = 10
"""Batches that are in the spool when a process is killed."""


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
