"""Two archivers of the same channels: one or the other is killed at random moments, and nothing is missing in the end."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import psutil
import pytest

from archioc.core.table.table import ChannelTable
from archioc.demo.updates import Update
from archioc.engine.channels.last_run import AliveFile
from tests.conftest import ArchiverFactory, CaWatchFactory, SoftIocFactory
from tests.processes.archiver import PROCESSES, Archiver, suspend
from tests.processes.archiver_answers import Event, History
from tests.processes.influxd import InfluxDatabase
from tests.processes.soft_ioc import SoftIoc
from tests.processes.waiting import wait_until
from tests.proof.counts import counts
from tests.records.counters import counter_database, counter_names, missing, within

FREE = 40
RESTARTED = 15
"""Counters of an IOC that dies now and then."""
LIMITED = 4
RATE_HZ, MOST_BETWEEN = 2.0, 15
"""A counter at 10 Hz gives every fifth count at this rate; so many where its timer or ours is late."""
BAND, MOST_IN_BAND = 6.5, 7

COMMIT_S = 0.2
RESTART_EVERY = 8
"""Kills from one restart of the IOC to the next."""
BACK_S = 90.0

SECOND = 10**9

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]


@dataclass(slots=True)
class _Member:
    """One of the two. well_ns: when it was last seen to collect everything (ns since 1970)."""

    archiver: Archiver
    channels: int
    well_ns: int = 0

    def wait_until_well(self) -> None:
        """All its processes run, all channels are connected, and their gaps have been committed as ended."""
        self.archiver.wait_running()
        self.archiver.wait_connected(self.channels)
        wait_until(self._has_no_gap, BACK_S, f"no gap is open, log: {self.archiver.log}", 0.05)
        self.well_ns = time.time_ns()

    def wait_alive_after(self, time_ns: int, *, on_disk: bool) -> None:
        """Wait for a sign of life from after this time, by which its successor knows when it ended. on_disk: one that outlives a reboot."""
        wait_until(lambda: self._alive_ns(on_disk=on_disk) > time_ns, BACK_S, f"a sign of life, log: {self.archiver.log}", 0.01)

    def _alive_ns(self, *, on_disk: bool) -> int:
        if on_disk:
            told = AliveFile(self.archiver.directories.alive).read()
            return 0 if told is None else told.ended_ns
        table = ChannelTable(self.archiver.directories.run)
        table.open()
        try:
            return int(table.status.head["collected_at"][0])
        finally:
            table.close()

    def _has_no_gap(self) -> bool:
        table = ChannelTable(self.archiver.directories.run)
        table.open()
        try:
            return not table.ledger.cells["gap"].any()
        finally:
            table.close()

    def kill_all(self) -> None:
        """Kill -9 of the archiver with all its processes."""
        supervisor = psutil.Process(self.archiver.pid)
        suspend(supervisor)  # it must not start another
        killed = [*supervisor.children(), supervisor]
        for process in killed:
            process.kill()
        psutil.wait_procs(killed[:-1], 30)
        wait_until(lambda: not self.archiver.running, 30, "the archiver has ended", 0.01)
        self.archiver.launch()

    def cut_power(self) -> None:
        """The same, and what was in memory is gone."""
        self.archiver.cut_power()
        wait_until(lambda: not self.archiver.running, 30, "the archiver has ended", 0.01)
        self.archiver.launch()

    def kill_one(self, name: str) -> None:
        """Kill -9 of one process, which the supervisor starts again."""
        killed = self.archiver.kill_child(name)
        self.archiver.wait_for_successor(name, killed)


def test_pair(
    archiver: ArchiverFactory,
    softioc: SoftIocFactory,
    ca_watch: CaWatchFactory,
    influx_database: InfluxDatabase,
    prefix: str,
) -> None:
    """One or the other of two archivers killed 100 times: each count is in the store, and a gap is what neither could have had."""
    seed = time.time_ns()
    print(f"seed {seed}")
    moments = random.Random(seed)
    free, limited, banded, fragile = (
        counter_names(f"{prefix}{kind}", number) for kind, number in (("F", FREE), ("L", LIMITED), ("B", LIMITED), ("R", RESTARTED))
    )
    steady, frail = softioc(counter_database([*free, *limited, *banded])), softioc(counter_database(fragile))
    channels = [*free, *fragile, *({"pv": name, "rate": RATE_HZ} for name in limited), *({"pv": name, "deadband": BAND} for name in banded)]
    ports = [steady.port, frail.port]
    pair = []
    for name in ("main", "spare"):
        store = {"influxdb": {"url": influx_database.url, "bucket": influx_database.name}}
        own = {"archiver": {"name": name, "prefix": f"{prefix}{name}:"}}
        pair.append(_Member(archiver(channels, ports, store, COMMIT_S, own, impatient=True), len(channels)))
    for member in pair:
        member.archiver.launch()
    for member in pair:
        member.wait_until_well()
    since_ns = time.time_ns()
    watch = ca_watch([*free, *limited, *banded, *fragile], ports)
    watch.wait_for(5, fragile[-1])
    away = _kill_at_random(pair, frail, moments)
    until_ns = time.time_ns()
    for member in pair:
        member.archiver.wait_for_samples(free[0], until_ns)
        member.archiver.wait_for_empty_spool()
    watch.stop()
    for member in pair:
        assert member.archiver.stop() == 0
    histories, seen = pair[0].archiver.get_all(), watch.by_channel()
    assert set(histories) == set(seen)
    histories = {name: _without_start(history, since_ns) for name, history in histories.items()}
    _check_free({name: seen[name] for name in free}, histories, until_ns)
    _check_limited({name: seen[name] for name in (*limited, *banded)}, histories, until_ns, MOST_BETWEEN)
    _check_limited({name: seen[name] for name in banded}, histories, until_ns, MOST_IN_BAND)
    _check_restarted({name: seen[name] for name in fragile}, histories, until_ns, away)


def _kill_at_random(pair: Sequence[_Member], frail: SoftIoc, moments: random.Random) -> list[tuple[int, int]]:
    """Kill one while the other collects, again and again; when the frail IOC was away (ns)."""
    away: list[tuple[int, int]] = []
    kills = 0
    while kills < counts().pair_kills:
        victim, other = moments.sample(pair, 2)
        restarts = kills + RESTART_EVERY // 2 >= RESTART_EVERY * (len(away) + 1)
        if restarts:
            gone_ns = time.time_ns()
            frail.kill()
        time.sleep(moments.uniform(0, 0.5))
        kills += _kill(victim, other, moments)
        if moments.random() < 0.2:  # once more, while it starts
            time.sleep(moments.uniform(0, 1.5))
            victim.kill_all()
            kills += 1
        if restarts:
            frail.restart()
            away.append((gone_ns, time.time_ns()))
        for member in pair:
            member.wait_until_well()
    assert away
    return away


def _kill(victim: _Member, other: _Member, moments: random.Random) -> int:
    what = moments.choices(("all", "power", *PROCESSES), (25, 10, 10, 25, 30))[0]
    victim.wait_alive_after(other.well_ns, on_disk=what == "power")
    if what == "power":
        victim.cut_power()
    elif what == "all":
        victim.kill_all()
    else:
        victim.kill_one(what)
    return 1


def _check_free(seen: Mapping[str, Sequence[Update]], histories: Mapping[str, History], until_ns: int) -> None:
    """Every count is stored, once, and no gap is told."""
    for name, updates in seen.items():
        history = histories[name]
        assert not _gaps(history, until_ns), name
        lost = missing(updates, history, until_ns)
        assert not lost, f"{name}: {len(lost)} of {len(updates)}, first {lost[0]}"
        _check_steps(name, history, updates[0].time_ns, 1)


def _check_limited(seen: Mapping[str, Sequence[Update]], histories: Mapping[str, History], until_ns: int, most: int) -> None:
    """What is stored was sent, and never lies further apart than the limit of one archiver has it."""
    for name, updates in seen.items():
        history = histories[name]
        assert not _gaps(history, until_ns), name
        sent = {(update.time_ns, update.value) for update in updates}
        since = updates[0].time_ns
        strange = [one for one in history.true if since <= one.time_ns < until_ns and (one.time_ns, one.value) not in sent]
        assert not strange, f"{name}: {strange[0]}"
        _check_steps(name, history, since, most)


def _check_steps(name: str, history: History, since_ns: int, most: int) -> None:
    """Counts rise by at least one and at most so many."""
    for before, after in pairwise(one for one in history.true if one.time_ns >= since_ns):
        assert isinstance(before.value, int | float)
        assert isinstance(after.value, int | float)
        assert 1 <= after.value - before.value <= most, f"{name}: from {before} to {after}"


def _check_restarted(
    seen: Mapping[str, Sequence[Update]], histories: Mapping[str, History], until_ns: int, away: Sequence[tuple[int, int]]
) -> None:
    """There is a gap for each time the IOC was away, and no other; every count outside is stored."""
    for name, updates in seen.items():
        history = histories[name]
        gaps = _gaps(history, until_ns)
        for gone, back in away:
            assert any(gap.time_ns < back and (gap.end_ns or until_ns) > gone for gap in gaps), f"{name}: {gone} {gaps}"
        for gap in gaps:
            assert gap.end_ns is not None, name
            near = [one for one in away if one[0] - SECOND <= gap.time_ns and gap.end_ns <= one[1] + BACK_S * SECOND]
            assert near, f"{name}: {gap}, away {away}"
        lost = [update for update in missing(updates, history, until_ns) if not any(within(update, gap) for gap in gaps)]
        assert not lost, f"{name}: {len(lost)} of {len(updates)}, first {lost[0]}, gaps {gaps}"


def _without_start(history: History, since_ns: int) -> History:
    """Without the gaps that were over before a time: a start may last longer than new channels are given to connect."""
    return History(history.samples, [event for event in history.events if event.end_ns is None or event.end_ns > since_ns])


def _gaps(history: History, until_ns: int) -> list[Event]:
    """Gaps of the archive that began before a time."""
    words = ("disconnected", "disabled", "archiver_stop", "engine_restart", "group_off")
    return [gap for word in words for gap in history.gaps(word) if gap.time_ns < until_ns]
