"""The sampler against a slow model of the rules, on random traffic.

A batch must give what its updates give one by one. The one exception is a receive clock that steps back
within a batch: the batch lets it stand still until it catches up, so that a value is replaced by newer
ones longer than one by one. The traffic here steps the clock back between batches only; a test of
`limit_rate` covers the step within a batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archioc.core.batch import Kind
from archioc.core.table import LEDGER_HEAD, LEDGER_TOTALS, SETTINGS
from engine.sampler import Sampler
from tests.unit.engine.arrivals import SECOND, T0, Arrival, Stored, examples, to_stored, to_updates
from tests.unit.engine.cells import one_setting
from tests.unit.engine.sampler_model import ModelChannel, Setting

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

STAMPS = ("now", "now", "lag", "same", "same", "unset", "future", "edge", "old", "back")
ENABLES = st.sampled_from([True, True, True, False])
DEADBANDS = st.sampled_from([0.0, 0.0, 1.0, 1.5])
PERCENTS = st.sampled_from([0.0, 0.0, 50.0])
MAX_INTERVALS = st.sampled_from([0.0, 0.0, 0.1, 11.0])
rows = st.integers(0, ROWS - 1)
updates = st.tuples(rows, ELAPSED, st.sampled_from(STAMPS), st.integers(0, 7), st.sampled_from([0, 0, 0, 0x103, 0x311]))
steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(Arrivals, st.lists(updates, min_size=1, max_size=12).map(tuple)),
    st.builds(Arrivals, st.lists(updates, min_size=1, max_size=12).map(tuple)),
    st.builds(Change, rows, ENABLES, st.booleans(), st.sampled_from(RATES), DEADBANDS, PERCENTS, MAX_INTERVALS),
    st.builds(Resume, rows),
    st.builds(Elapse, st.one_of(ELAPSED, st.just(-3 * SECOND))),
    st.just(Restart()),
)
VALUES: dict[Kind, tuple[float | bytes, ...]] = {
    Kind.NUMBER: (0.0, -0.0, 1.5, math.nan, 1.0, 3.0, 4.5, math.inf),
    Kind.ENUM: (0.0, 1.0, 2.0, 15.0),
    Kind.TEXT: (b"", b"on", b"off", b"x" * 40),
    Kind.ARRAY: (b"", b"\0" * 8, b"\1" * 80, b"\2" * 8),
}


class Both:
    """The sampler and the model, fed with the same."""

    def __init__(self) -> None:
        self.sampler = Sampler(ROWS)
        self.model = [ModelChannel() for _ in range(ROWS)]
        self.now = T0
        self.stamps = [T0] * ROWS
        for row in range(ROWS):
            self.take(Change(row, True, False, 0.0))

    def take(self, step: Step) -> None:
        """Do one step on both sides and compare what is stored."""
        got: list[Stored] = []
        wanted: list[Stored] = []
        match step:
            case Arrivals():
                arrivals = [self.arrival(*one) for one in step.updates]
                sampled = self.sampler.accept(to_updates(arrivals))
                got = to_stored(sampled.samples, sampled.blobs)
                assert [one.row for one in got] == sorted(one.row for one in got)
                wanted = [one for arrival in arrivals for one in self.model[arrival.row].update(arrival)]
            case Change():
                interval, longest = int(1e9 / step.rate) if step.rate else 0, int(step.max_interval * 1e9)
                self.model[step.row].change(Setting(step.enable, step.scan, interval, step.deadband, step.deadband_pct, longest))
                self.tell_settings()
            case Resume():
                self.model[step.row].fresh = True
                self.sampler.fresh[step.row] = True
            case Elapse():
                self.now += step.elapsed
                got = to_stored(*self.sampler.release(self.sampler.overdue(self.now)))
                got += to_stored(*self.sampler.repeat(self.now, np.ones(ROWS, bool)))
                wanted = [one for channel in self.model for one in (*channel.tick(self.now), *channel.repeat(self.now))]
            case Restart():
                self.restart()
        assert sorted(got) == sorted(wanted)
        self.check_counters()

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
        self.sampler.take_settings(np.arange(ROWS), cells)

    def restart(self) -> None:
        """A new sampler with what the ledger keeps of the old one."""
        old, head = self.sampler.memory, np.zeros(1, LEDGER_HEAD)
        for name in LEDGER_TOTALS:
            head[name] = old.total(name)
        self.sampler = Sampler(ROWS)
        self.sampler.memory.load(old.cells(np.arange(ROWS)), head)
        self.sampler.restore()
        self.tell_settings()
        for channel in self.model:
            channel.restart()

    def check_counters(self) -> None:
        memory = self.sampler.memory
        for row, channel in enumerate(self.model):
            counters = tuple(int(getattr(memory, name)[row]) for name in ("received", "generated", "filtered", "committed", "withheld"))
            assert counters == (channel.received, channel.generated, channel.filtered, channel.stored, int(channel.held is not None))
            assert counters[0] + counters[1] == sum(counters[2:])


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


# -- one channel with a steady clock -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Burst:
    """Numbered updates of one channel, and its settings. cuts: where drains end."""

    received: tuple[int, ...]
    scan: bool
    rate: float
    cuts: frozenset[int]

    def run(self, cuts: frozenset[int]) -> list[list[Stored]]:
        """What each drain stores, and the release when all intervals are over."""
        sampler = Sampler(1)
        sampler.take_settings(np.array([0]), one_setting(enable=1, mode=self.scan, rate=self.rate))
        out: list[list[Stored]] = []
        waiting: list[Arrival] = []
        for number, now in enumerate(self.received):
            waiting.append(Arrival(0, now, now, float(number)))
            if number in cuts or number == len(self.received) - 1:
                sampled = sampler.accept(to_updates(waiting))
                out += [to_stored(sampled.samples, sampled.blobs), to_stored(*sampler.release(sampler.overdue(now)))]
                waiting = []
        interval = int(sampler.wanted.interval[0])
        out.append(to_stored(*sampler.release(sampler.overdue(self.received[-1] + interval))))
        assert not sampler.memory.withheld.any()
        return out


@st.composite
def bursts(draw: st.DrawFn) -> Burst:
    """A burst with a clock that never stands still."""
    gaps = draw(st.lists(st.one_of(ELAPSED.filter(bool), st.integers(1, 2 * SECOND)), min_size=1, max_size=40))
    scan = draw(st.booleans())
    rate: float = draw(st.sampled_from(RATES[1:] if scan else RATES))
    received = (T0 + draw(st.integers(0, SECOND)) + np.cumsum(gaps)).tolist()
    return Burst(tuple(received), scan, rate, draw(st.frozensets(st.integers(0, len(gaps)))))


def numbers(parts: list[list[Stored]]) -> list[int]:
    return [int(np.array(one.bits, "u8").view("f8")) for part in parts for one in part]


@settings(max_examples=300, deadline=None)
@given(bursts())
def test_the_first_and_the_last_value_are_stored(burst: Burst) -> None:
    """Whatever the limit, the first value of a monitored burst and the last of any is stored once its interval is over, each value once."""
    found = numbers(burst.run(burst.cuts))
    assert found == sorted(set(found))
    assert found[-1] == len(burst.received) - 1
    assert burst.scan or found[0] == 0


@settings(max_examples=300, deadline=None)
@given(bursts())
def test_drains_do_not_change_what_is_stored(burst: Burst) -> None:
    """The same traffic in drains of other sizes stores the same samples."""
    assert numbers(burst.run(burst.cuts)) == numbers(burst.run(frozenset()))


@settings(max_examples=300, deadline=None)
@given(bursts().filter(lambda burst: burst.rate > 0))
def test_no_window_holds_more_than_its_rate(burst: Burst) -> None:
    """In any window of T seconds at most rate * T + 2 values that were received in it are stored."""
    passed = [burst.received[number] for number in numbers(burst.run(burst.cuts))]
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst.rate * (passed[last] - passed[first]) / 1e9 + 2 + 1e-6


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([0, 0, 1, 2]), st.integers(1, 400), st.integers(0, 3)), min_size=1, max_size=40),
    st.frozensets(st.integers(0, 40)),
    st.sampled_from([0, 0, 3]),
    st.booleans(),
)
def test_a_time_carries_one_value(script: list[tuple[int, int, int]], cuts: frozenset[int], unset: int, resumed: bool) -> None:
    """No two samples of a channel have the same time and different values, where stamps do not go back and times lie half a ms apart."""
    sampler = Sampler(1)
    sampler.wanted.enable[0] = True
    sampler.fresh[0] = resumed
    now, stamp = T0 + HALF_MS, T0
    seen: dict[int, Any] = {}
    waiting: list[Arrival] = []
    for number, (ahead, milliseconds, value) in enumerate(script):
        now += milliseconds * 2 * HALF_MS
        stamp = min(stamp + ahead * 50_000_000, now - HALF_MS)
        waiting.append(Arrival(0, now, UNSET if number < unset else stamp, float(value)))
        if number in cuts or number == len(script) - 1:
            sampled = sampler.accept(to_updates(waiting))
            waiting = []
            for one in to_stored(sampled.samples, sampled.blobs):
                assert seen.setdefault(one.time, one.bits) == one.bits
