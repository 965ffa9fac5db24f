"""What must hold of one channel with a steady clock, however its updates fall into drains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.sampler import Sampler
from tests.unit.engine.arrivals import SECOND, T0, Arrival, Stored, to_stored, to_updates
from tests.unit.engine.cells import one_setting

UNSET = 631_152_000 * SECOND
HALF_MS = 500_000
RATES = (0.0, 0.1, 1.0, 10.0, 1000.0)
QUOTAS = (0.05, 0.5, 2.0, 1000.0)
ELAPSED = st.sampled_from([1, SECOND // 1000, SECOND // 40, SECOND // 10, SECOND, 11 * SECOND])


@dataclass(frozen=True, slots=True)
class Burst:
    """Numbered updates of one channel, and its settings. cuts: where drains end."""

    received: tuple[int, ...]
    scan: bool
    rate: float
    cuts: frozenset[int]
    quota: float = 0.0

    def run(self, cuts: frozenset[int]) -> list[list[Stored]]:
        """What each drain stores, and the release when all intervals are over."""
        return self.sample(cuts)[0]

    def sample(self, cuts: frozenset[int]) -> tuple[list[list[Stored]], SamplerMemory]:
        """The same, and the memory with its counters."""
        sampler = Sampler(1)
        sampler.load_settings(np.array([0]), one_setting(enable=1, mode=self.scan, rate=self.rate, quota=self.quota))
        out: list[list[Stored]] = []
        waiting: list[Arrival] = []
        for number, now in enumerate(self.received):
            waiting.append(Arrival(0, now, now, float(number)))
            if number in cuts or number == len(self.received) - 1:
                sampled = sampler.accept(to_updates(waiting))
                out += [to_stored(sampled.samples, sampled.blobs), to_stored(*sampler.release(sampler.withheld.overdue(now), now))]
                waiting = []
        end = self.received[-1] + int(sampler.wanted.interval[0])
        out.append(to_stored(*sampler.release(sampler.withheld.overdue(end), end)))
        assert not sampler.memory.withheld.any()
        return out, sampler.memory


@st.composite
def bursts(draw: st.DrawFn, quotas: tuple[float, ...] = (0.0,)) -> Burst:
    """A burst with a clock that never stands still."""
    gaps = draw(st.lists(st.one_of(ELAPSED, st.integers(1, 2 * SECOND)), min_size=1, max_size=40))
    scan = draw(st.booleans())
    rate: float = draw(st.sampled_from(RATES[1:] if scan else RATES))
    received = (T0 + draw(st.integers(0, SECOND)) + np.cumsum(gaps)).tolist()
    return Burst(tuple(received), scan, rate, draw(st.frozensets(st.integers(0, len(gaps)))), draw(st.sampled_from(quotas)))


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


@settings(max_examples=150, deadline=None)
@given(bursts(QUOTAS))
def test_the_quota_loses_nothing_in_silence(burst: Burst) -> None:
    """The first value of a monitored burst is stored, others are stored, give way to newer ones or are counted; the last gives no way."""
    parts, memory = burst.sample(burst.cuts)
    found = numbers(parts)
    dropped, filtered = int(memory.dropped_quota[0]), int(memory.filtered[0])
    assert len(found) + filtered + dropped == len(burst.received)
    assert burst.scan or found[0] == 0
    assert found[-1] == len(burst.received) - 1 or dropped > 0


@settings(max_examples=150, deadline=None)
@given(bursts(QUOTAS).filter(lambda burst: burst.rate == 0))
def test_a_quota_is_an_average_over_10_s(burst: Burst) -> None:
    """Looked at one by one, in any window of T seconds at most quota * T samples are stored, and those of 10 s that were kept, or one."""
    passed = [burst.received[number] for number in numbers(burst.run(frozenset(range(len(burst.received)))))]
    kept = max(10 * burst.quota, 1.0)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst.quota * (passed[last] - passed[first]) / 1e9 + kept + 1e-6


@settings(max_examples=300, deadline=None)
@given(st.floats(0.1, 1000.0), st.integers(1, 60), st.frozensets(st.integers(0, 60)))
def test_a_channel_within_its_quota_loses_nothing(quota: float, count: int, cuts: frozenset[int]) -> None:
    """Updates that come no faster than the quota are all stored, also when a slow disk has had many wait for one drain."""
    period = int(1e9 / quota) + 1
    burst = Burst(tuple(T0 + number * period for number in range(count)), False, 0.0, cuts, quota)
    assert numbers(burst.run(cuts)) == list(range(count))
