from __future__ import annotations

import numpy as np
import pytest

from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.rate_limit import HELD_BEFORE, NOTHING_HELD, Limited, limit_rate, next_tick
from archioc.engine.sampling.sampler import Sampler
from tests.unit.engine.arrivals import SECOND, T0, Arrival, to_stored, to_updates
from tests.unit.engine.cells import one_setting

MS = SECOND // 1000
INTERVAL = 100 * MS


def limit(memory: SamplerMemory, *traffic: tuple[int, int], scan: bool = False, forced: bool = False) -> Limited:
    """Updates (row, ms after T0) against an interval of 100 ms; forced: the first of each row passes in any case."""
    row = np.array([one for one, _ in traffic], "u4")
    received = np.array([T0 + ms * MS for _, ms in traffic], "i8")
    first = np.append(True, row[1:] != row[:-1])
    n = len(traffic)
    return limit_rate(row, received, received, first & forced, np.full(n, INTERVAL), np.full(n, scan), memory)


def due(memory: SamplerMemory, row: int = 0) -> float:
    return (int(memory.due[row]) - T0) / MS


def test_the_first_passes_and_the_newest_waits() -> None:
    """Of a burst the first value passes, the newest waits until the interval ends, those between are replaced."""
    memory = SamplerMemory(1)
    limited = limit(memory, (0, 0), (0, 10), (0, 20), (0, 30))
    assert (limited.passed.tolist(), limited.withheld.tolist(), limited.replaced.tolist()) == ([0], [3], [2])
    assert due(memory) == 100


def test_a_value_that_waited_passes_when_a_later_one_comes() -> None:
    """The value that waits passes at the end of its interval; one that comes after that waits for the next end."""
    memory = SamplerMemory(1)
    limited = limit(memory, (0, 0), (0, 30), (0, 130))
    assert (sorted(limited.passed), limited.withheld.tolist(), limited.replaced.tolist()) == ([0, 1], [2], [0])
    assert due(memory) == 200


def test_a_value_held_from_before_is_released() -> None:
    """A value withheld in an earlier drain is released by the first update at or after its end, and replaced by one before it."""
    memory = SamplerMemory(2)
    memory.withheld[:] = 1
    memory.due[:] = memory.due_time[:] = T0 + 100 * MS
    limited = limit(memory, (0, 99), (1, 100))
    assert limited.released.tolist() == [1]
    assert limited.withheld.tolist() == [0, 1]
    assert limited.replaced.tolist() == [1, 0]


def test_a_forced_update_passes_at_once() -> None:
    """The update that resumes a trace passes whatever the limit, after the value held from before."""
    memory = SamplerMemory(1)
    memory.withheld[0] = 1
    memory.due[0] = memory.due_time[0] = T0 + 50 * MS
    limited = limit(memory, (0, 0), (0, 10), forced=True)
    assert (limited.released.tolist(), limited.passed.tolist(), limited.withheld.tolist()) == ([0], [0], [1])
    assert due(memory) == 100


def test_scan_waits_for_ticks() -> None:
    """Each value of a scan waits for the next multiple of the interval, and the newest before a tick is the one that passes."""
    memory = SamplerMemory(1)
    limited = limit(memory, (0, 10), (0, 99), (0, 100), (0, 350), scan=True)
    assert (sorted(limited.passed), limited.withheld.tolist(), limited.replaced.tolist()) == ([1, 2], [3], [1])
    assert due(memory) == 400


def test_nothing_comes_nothing_passes() -> None:
    """An update that comes long after the last passes at once under monitor and leaves nothing waiting."""
    memory = SamplerMemory(1)
    limited = limit(memory, (0, 0), (0, 1000))
    assert (limited.passed.tolist(), limited.withheld.tolist()) == ([0, 1], [NOTHING_HELD])


def test_a_held_value_stays_held_in_silence() -> None:
    """A row whose held value is not concerned says so."""
    memory = SamplerMemory(1)
    memory.withheld[0] = 1
    memory.due[0] = memory.due_time[0] = T0 + 100 * MS
    limited = limit(memory, (0, 0), forced=False)
    assert limited.withheld.tolist() == [0]
    assert HELD_BEFORE not in limited.withheld


def test_a_clock_that_steps_back_stops_nothing() -> None:
    """After the clock was set back an hour the next sample waits one interval at most, and within a drain time stands still."""
    memory = SamplerMemory(1)
    limit(memory, (0, 0))
    hour = -3_600_000
    limited = limit(memory, (0, hour), (0, hour + 99), (0, hour + 100))
    assert (limited.passed.tolist(), limited.withheld.tolist()) == ([1], [2])
    within = limit(SamplerMemory(1), (0, 0), (0, hour), (0, hour + 500), (0, 50))
    assert (within.passed.tolist(), within.withheld.tolist(), within.replaced.tolist()) == ([0], [3], [2])


def test_a_clock_set_from_1970_to_now_within_a_drain() -> None:
    """A clock that jumps by half a century between two updates of many channels loses none of them and never loops."""
    memory = SamplerMemory(20)
    row = np.repeat(np.arange(20, dtype="u4"), 4)
    received = np.tile(np.array([5 * SECOND, 5 * SECOND + 1, T0, T0 + 1]), 20)
    n = len(row)
    limited = limit_rate(row, received, received, np.zeros(n, bool), np.full(n, INTERVAL), np.zeros(n, bool), memory)
    assert len(limited.passed) + limited.replaced.sum() + np.count_nonzero(limited.withheld >= 0) == n
    assert len(limited.passed) == 60
    assert (limited.withheld % 4 == 3).all()


def test_a_burst_after_a_stall_is_judged_by_its_own_time() -> None:
    """Updates 2 s apart that a stall hands over at one receive time all pass a limit of one in 100 ms; none waits."""
    memory = SamplerMemory(1)
    limit(memory, (0, 0))
    n = 20
    time = T0 + np.arange(1, n + 1) * 2 * SECOND
    received = np.full(n, T0 + 45 * SECOND)
    row, none, interval = np.zeros(n, "u4"), np.zeros(n, bool), np.full(n, INTERVAL)
    limited = limit_rate(row, received, time, none, interval, none, memory)
    assert (sorted(limited.passed), limited.withheld.tolist()) == (list(range(n)), [NOTHING_HELD])


def test_scan_after_a_stall_has_a_value_for_each_tick() -> None:
    """Of a burst that spans ten ticks by its own time, the newest value before each tick passes."""
    memory = SamplerMemory(1)
    n = 100
    time = T0 + np.arange(n) * 10 * MS
    row, received, interval = np.zeros(n, "u4"), np.full(n, T0 + 45 * SECOND), np.full(n, INTERVAL)
    limited = limit_rate(row, received, time, np.zeros(n, bool), interval, np.full(n, True), memory)
    assert sorted(limited.passed) == list(range(9, 99, 10))
    assert limited.withheld.tolist() == [99]


@pytest.mark.parametrize("speed", [0.0, 0.01, -1.0])
def test_an_ioc_whose_clock_does_not_run(speed: float) -> None:
    """Where time stamps stand still, crawl or run backwards, the receive time lets a value pass in each interval."""
    memory = SamplerMemory(1)
    n = 100
    received = T0 + np.arange(n) * 10 * MS
    time = T0 + (np.arange(n) * 10 * MS * speed).astype("i8")
    row, none, interval = np.zeros(n, "u4"), np.zeros(n, bool), np.full(n, INTERVAL)
    limited = limit_rate(row, received, time, none, interval, none, memory)
    assert 9 <= len(limited.passed) <= 11


@pytest.mark.parametrize(("received", "tick"), [(0, 10), (9, 10), (10, 20), (11, 20)])
def test_the_next_tick_lies_after_now(received: int, tick: int) -> None:
    """A tick is a multiple of the interval, later than the time asked about."""
    assert next_tick(np.array([received]), np.array([10])).tolist() == [tick]


@pytest.mark.parametrize("rate", [1e-300, 1e-11, 1e-8])
@pytest.mark.parametrize("mode", [0, 1])
def test_the_slowest_rates(rate: float, mode: int) -> None:
    """A rate of less than a sample in centuries is a limit like others: no value is lost from the count."""
    sampler = Sampler(1)
    sampler.load_settings(np.array([0]), one_setting(enable=1, mode=mode, rate=rate))
    for number in range(3):
        sampler.accept(to_updates([Arrival(0, T0 + number, T0 + number, float(number))]))
    memory = sampler.memory
    assert int(memory.received[0]) == 3 == int(memory.filtered[0] + memory.committed[0] + memory.withheld[0])
    assert int(memory.withheld[0]) == 1


def test_a_value_waiting_when_the_limit_is_lifted_comes_first() -> None:
    """When the rate is set to 0 the value that waits is stored before the next one, so that labels follow the order of time."""
    sampler = Sampler(1)
    sampler.load_settings(np.array([0]), one_setting(enable=1, rate=1))
    sampler.accept(to_updates([Arrival(0, T0 + number, T0 + number, float(number)) for number in range(2)]))
    sampler.load_settings(np.array([0]), one_setting(enable=1))
    sampled = sampler.accept(to_updates([Arrival(0, T0 + 2, T0 + 2, 2.0)]))
    assert [one.time - T0 for one in to_stored(sampled.samples, sampled.blobs)] == [1, 2]
    assert not sampler.memory.withheld.any()
