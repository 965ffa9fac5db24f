"""The sampler against a slow model of the rules, on random traffic.

A batch must give what its updates give one by one. The one exception is a receive clock that steps back
within a batch: the batch lets it stand still until it catches up, so that a value is replaced by newer
ones longer than one by one. The traffic here steps the clock back between batches only; a test of
`limit_rate` covers the step within a batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archioc.core.spool.batch import Kind
from archioc.core.table.columns import LEDGER_HEAD, LEDGER_TOTALS, SETTINGS
from archioc.engine.sampling.sampler import Sampler
from tests.unit.engine.arrivals import SECOND, T0, Arrival, Stored, examples, to_stored, to_updates
from tests.unit.engine.sampler_model import AlarmState, ModelChannel, ModelClock, Setting

ROWS = 5
KINDS = {0: Kind.NUMBER, 1: Kind.NUMBER, 2: Kind.ENUM, 3: Kind.TEXT, 4: Kind.ARRAY}
UNSET = 631_152_000 * SECOND
HALF_MS = 500_000
RATES = (0.0, 0.1, 1.0, 10.0, 1000.0)
ELAPSED = st.sampled_from([0, 1, SECOND // 1000, SECOND // 40, SECOND // 10, SECOND, 11 * SECOND])


@dataclass(frozen=True, slots=True)
class Arrivals:
    """One drain: for each update its row, the ns since the one before, which stamp, which value, alarm."""

    updates: tuple[tuple[int, int, str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """New settings of a row."""

    row: int
    enable: bool
    scan: bool
    rate: float
    deadband: float = 0.0
    deadband_pct: float = 0.0
    max_interval: float = 0.0
    quota: float = 0.0
    by_archiver: bool = False
    group_on: bool = True


@dataclass(frozen=True, slots=True)
class Resume:
    """The trace of a row begins or resumes."""

    row: int


@dataclass(frozen=True, slots=True)
class Elapse:
    """The clock moves (back where negative) and the engine looks for values whose interval has ended."""

    elapsed: int


@dataclass(frozen=True, slots=True)
class Restart:
    """Another engine takes up from the ledger."""


Step = Arrivals | Change | Resume | Elapse | Restart

HOSTS = ("one", "two", "three", "four", "four")
"""Of the rows."""
STAMPS = ("now", "now", "lag", "same", "same", "unset", "future", "edge", "old", "back", "run", "run", "crawl")
QUOTAS = st.sampled_from([0.0, 0.05, 0.5, 1000.0])
ENABLES = st.sampled_from([True, True, True, False])
DEADBANDS = st.sampled_from([0.0, 0.0, 1.0, 1.5])
PERCENTS = st.sampled_from([0.0, 0.0, 50.0])
MAX_INTERVALS = st.sampled_from([0.0, 0.0, 0.1, 11.0])
rows = st.integers(0, ROWS - 1)
updates = st.tuples(rows, ELAPSED, st.sampled_from(STAMPS), st.integers(0, 7), st.sampled_from([0, 0, 0, 0x103, 0x311]))


def burst(row: int, count: int, value: int) -> Arrivals:
    """What a stall hands over at one moment: updates that are seconds apart by their own stamps."""
    return Arrivals(tuple((row, 0, "run", value + number, 0) for number in range(count)))


def all_at_once(stamp: str, value: int) -> Arrivals:
    """A drain in which every host sends such a stamp: our own clock may be behind."""
    return Arrivals(tuple((row, 1, stamp, value, 0) for row in range(ROWS)))


steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(Arrivals, st.lists(updates, min_size=1, max_size=12).map(tuple)),
    st.builds(Arrivals, st.lists(updates, min_size=1, max_size=12).map(tuple)),
    st.builds(
        Change,
        rows,
        ENABLES,
        st.booleans(),
        st.sampled_from(RATES),
        DEADBANDS,
        PERCENTS,
        MAX_INTERVALS,
        QUOTAS,
        st.sampled_from([False, False, True]),
        ENABLES,
    ),
    st.builds(burst, rows, st.integers(2, 12), st.integers(0, 7)),
    st.builds(all_at_once, st.sampled_from(["now", "future"]), st.integers(0, 7)),
    st.builds(Resume, rows),
    st.builds(Elapse, st.one_of(ELAPSED, st.sampled_from([-3 * SECOND, 2800 * SECOND, 5000 * SECOND]))),
    st.just(Restart()),
)
VALUES: dict[Kind, tuple[float | bytes, ...]] = {
    Kind.NUMBER: (0.0, -0.0, 1.5, math.nan, 1.0, 3.0, 4.5, math.inf),
    Kind.ENUM: (0.0, 1.0, 2.0, 15.0),
    Kind.TEXT: (b"", b"on", b"off", b"x" * 40),
    Kind.ARRAY: (b"", b"\0" * 8, b"\1" * 80, b"\2" * 8),
}


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a step. bad: row and receive time where stamps were told to be unusable."""

    stored: list[Stored]
    alarms: list[AlarmState]
    bad: list[tuple[int, int]]


class Both:
    """The sampler and the model, fed with the same."""

    def __init__(self) -> None:
        self.sampler = Sampler(ROWS)
        self.model = [ModelChannel() for _ in range(ROWS)]
        self.clock = ModelClock(HOSTS)
        self.now = T0
        self.swept: int | None = None
        self.stamps = [T0] * ROWS
        self.connect()
        for row in range(ROWS):
            self.take(Change(row, True, False, 0.0))

    def take(self, step: Step) -> None:
        """Do one step on both sides and compare what is stored, and what is told of alarms and stamps."""
        got, wanted = Told([], [], []), Told([], [], [])
        match step:
            case Arrivals():
                arrivals = [self.arrival(*one) for one in step.updates]
                got = self.accept(arrivals)
                wanted.stored.extend(self.accept_slowly(arrivals))
            case Change():
                self.model[step.row].change(_setting(step))
                self.tell_settings()
            case Resume():
                self.model[step.row].fresh = True
                self.sampler.fresh[step.row] = True
            case Elapse():
                self.now += step.elapsed
                got = self.elapse()
                wanted.stored.extend(self.elapse_slowly())
            case Restart():
                self.restart()
        for row, channel in enumerate(self.model):
            wanted.alarms.extend(channel.alarms)
            wanted.bad.extend((row, received) for received in channel.bad)
            channel.alarms, channel.bad = [], []
        assert sorted(got.stored) == sorted(wanted.stored)
        assert sorted(got.alarms) == sorted(wanted.alarms)
        assert sorted(got.bad) == sorted(wanted.bad)
        self.check_counters()

    def accept(self, arrivals: list[Arrival]) -> Told:
        sampled = self.sampler.accept(to_updates(arrivals))
        stored = to_stored(sampled.samples, sampled.blobs)
        assert [one.row for one in stored] == sorted(one.row for one in stored)
        return Told(stored, _states(sampled.alarms), [(bad.row, bad.received) for bad in sampled.bad_stamps])

    def accept_slowly(self, arrivals: list[Arrival]) -> list[Stored]:
        fresh = {row for row, channel in enumerate(self.model) if channel.fresh}
        self.clock.drain(arrivals, fresh, {row for row, channel in enumerate(self.model) if channel.setting.by_archiver})
        out: list[Stored] = []
        for row, channel in enumerate(self.model):
            out += channel.drain([one for one in arrivals if one.row == row], self.clock.suspect)
        return out

    def elapse(self) -> Told:
        connected = np.ones(ROWS, bool)
        stored = to_stored(*self.sampler.release(self.sampler.withheld.overdue(self.now), self.now))
        stored += to_stored(*self.sampler.repeat(self.now, connected))
        return Told(stored, _states(self.sampler.repeat_alarms(self.now, connected)), [])

    def elapse_slowly(self) -> list[Stored]:
        second = self.now // SECOND
        if self.swept is not None:
            for row in {one % 3600 for one in range(self.swept + 1, second + 1)} & set(range(ROWS)):
                self.model[row].hourly(row, self.now)
        self.swept = second
        return [one for channel in self.model for one in (*channel.tick(self.now), *channel.repeat(self.now))]

    def arrival(self, row: int, elapsed: int, stamp: str, value: int, alarm: int) -> Arrival:
        """An update as libca would deliver it now."""
        self.now += elapsed
        now, before = self.now, self.stamps[row]
        self.stamps[row] = {
            "now": now,
            "lag": now - SECOND - 1,
            "same": before,
            "unset": UNSET,
            "future": now + 60 * SECOND + 1,
            "edge": now + 60 * SECOND,
            "old": now - 7 * 86400 * SECOND - 1,
            "back": before - 5,
            "run": before + 2 * SECOND,
            "crawl": before + SECOND // 1000,
        }[stamp]
        kind = KINDS[row]
        return Arrival(row, now, self.stamps[row], VALUES[kind][value % len(VALUES[kind])], kind, alarm >> 8, alarm & 0xFF)

    def tell_settings(self) -> None:
        wanted = [channel.setting for channel in self.model]
        cells = np.zeros(ROWS, SETTINGS)
        cells["enable"], cells["mode"] = [one.enable for one in wanted], [one.scan for one in wanted]
        cells["rate"] = [1e9 / one.interval if one.interval else 0.0 for one in wanted]
        cells["deadband"], cells["deadband_pct"] = [one.deadband for one in wanted], [one.deadband_pct for one in wanted]
        cells["max_interval"] = [one.max_interval / 1e9 for one in wanted]
        cells["quota"] = [1e9 / one.cost if one.cost else 0.0 for one in wanted]
        cells["by_ioc"] = [not one.by_archiver for one in wanted]
        self.sampler.load_settings(np.arange(ROWS), cells)
        self.sampler.wanted.group_on[:] = [one.group_on for one in wanted]

    def connect(self) -> None:
        self.sampler.clocks.connect(np.arange(ROWS), [f"{host}:5064" for host in HOSTS])

    def restart(self) -> None:
        """A new sampler with what the ledger, and the head of the status block, keep of the old one."""
        old, suspect, head = self.sampler.memory, self.sampler.clocks.suspect, np.zeros(1, LEDGER_HEAD)
        for name in LEDGER_TOTALS:
            head[name] = old.total(name)
        self.sampler = Sampler(ROWS)
        self.sampler.memory.load(old.cells(np.arange(ROWS)), head)
        self.sampler.withheld.restore()
        self.sampler.clocks.suspect = suspect
        self.connect()
        self.tell_settings()
        self.clock.ahead.clear()
        self.swept = None
        for channel in self.model:
            channel.restart()

    def check_counters(self) -> None:
        memory = self.sampler.memory
        names = ("received", "generated", "filtered", "committed", "dropped_quota", "withheld", "late", "bad_time")
        for row, one in enumerate(self.model):
            counters = tuple(int(getattr(memory, name)[row]) for name in names)
            held = int(one.held is not None)
            assert counters == (one.received, one.generated, one.filtered, one.stored, one.dropped, held, one.late, one.bad_time)
            assert counters[0] + counters[1] == sum(counters[2:6])


def _setting(change: Change) -> Setting:
    return Setting(
        enable=change.enable,
        scan=change.scan,
        interval=int(1e9 / change.rate) if change.rate else 0,
        deadband=change.deadband,
        deadband_pct=change.deadband_pct,
        max_interval=int(change.max_interval * 1e9),
        cost=int(1e9 / change.quota) if change.quota else 0,
        by_archiver=change.by_archiver,
        group_on=change.group_on,
    )


def _states(alarms: npt.NDArray[np.void]) -> list[AlarmState]:
    return [AlarmState(int(one["row"]), int(one["time"]), int(one["severity"]), int(one["status"])) for one in alarms]


def agree(script: list[Step]) -> None:
    both = Both()
    for step in script:
        both.take(step)


@settings(max_examples=400, deadline=None)
@given(st.lists(steps, max_size=25))
def test_the_sampler_stores_what_the_rules_say(script: list[Step]) -> None:
    """Any traffic, settings and restarts give the same samples and counters as the rules applied one update at a time."""
    agree(script)


@pytest.mark.proof
@pytest.mark.timeout(900)
@settings(max_examples=examples(400), deadline=None)
@given(st.lists(steps, max_size=40))
def test_the_sampler_stores_what_the_rules_say_at_length(script: list[Step]) -> None:
    """The same on many and longer scripts."""
    agree(script)
