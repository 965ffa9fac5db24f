from __future__ import annotations

import numpy as np
import pytest

from archioc.core.spool.batch import Kind, SampleFlag
from archioc.engine.sampling.sampler import Sampler
from tests.unit.engine.arrivals import SECOND, T0, Arrival, to_stored, to_updates
from tests.unit.engine.cells import one_setting

MS = SECOND // 1000


def sampler_with(**settings: float) -> Sampler:
    made = Sampler(1)
    made.load_settings(np.array([0]), one_setting(enable=1, **settings))
    return made


def accept(sampler: Sampler, *received: int, value: float | None = None, stamps: int = 0) -> list[float]:
    """Values stored of updates received at these ms after T0; the value is that time unless given."""
    arrivals = [Arrival(0, T0 + ms * MS, T0 + ms * MS - stamps, float(ms) if value is None else value) for ms in received]
    sampled = sampler.accept(to_updates(arrivals))
    return [float(one["value"]) for one in sampled.samples if not one["flags"] & SampleFlag.GENERATED]


def counts(sampler: Sampler) -> tuple[int, int, int]:
    """Received, committed, dropped."""
    memory = sampler.memory
    return int(memory.received[0]), int(memory.committed[0]), int(memory.dropped_quota[0])


def test_a_burst_of_10_s_passes_and_the_rest_is_dropped() -> None:
    """With a quota of 2/s the first 20 of a burst are stored, later ones as time passes, all others are counted."""
    sampler = sampler_with(quota=2)
    assert accept(sampler, *range(100)) == list(range(20))
    assert accept(sampler, 200, 300) == []
    assert accept(sampler, 600, 700) == [600]
    assert counts(sampler) == (104, 21, 83)


@pytest.mark.parametrize("quota", [0.0, 100_000.0])
def test_no_quota_and_a_large_one_drop_nothing(quota: float) -> None:
    """A quota of 0 is none."""
    sampler = sampler_with(quota=quota)
    assert len(accept(sampler, *range(1000))) == 1000


@pytest.mark.parametrize("quota", [1e-300, 1e-8, 0.01])
def test_the_smallest_quotas_let_a_first_sample_pass(quota: float) -> None:
    """A quota of less than a sample in 10 s gives one sample, and the next when its time has come."""
    sampler = sampler_with(quota=quota)
    assert accept(sampler, 0, 1) == [0]
    assert accept(sampler, 2) == []
    assert accept(sampler, 100_001) == ([100_001] if quota == 0.01 else [])


def test_a_dropped_value_is_no_reference_for_the_dead_band() -> None:
    """After a drop the next value is stored although it is near to the one dropped."""
    sampler = sampler_with(quota=0.1, deadband=10)
    assert accept(sampler, 0, value=0.0) == [0.0]
    assert accept(sampler, 1, value=20.0) == []
    assert accept(sampler, 20_000, value=21.0) == [21.0]


def test_a_generated_sample_is_outside_the_quota() -> None:
    """The copy that resumes a trace is stored although the quota is used up; its original is dropped and counted."""
    sampler = sampler_with(quota=0.1)
    accept(sampler, 0)
    sampler.fresh[0] = True
    assert accept(sampler, 1) == []
    assert counts(sampler) == (2, 2, 1)
    assert sampler.memory.generated[0] == 1


def test_a_withheld_value_needs_quota_when_its_interval_ends() -> None:
    """What a rate limit withheld is judged when it passes, by time as well as before a later update."""
    sampler = sampler_with(quota=0.1, rate=1)
    assert accept(sampler, 0, 100) == [0]
    assert to_stored(*sampler.release(sampler.withheld.overdue(T0 + SECOND), T0 + SECOND)) == []
    assert counts(sampler) == (2, 1, 1)
    assert accept(sampler, 2500, 2600, 3600) == []
    assert counts(sampler) == (5, 1, 3)
    assert sampler.memory.withheld[0] == 1


def test_texts_keep_their_values_when_some_are_dropped() -> None:
    """Samples that pass keep their own text."""
    sampler = sampler_with(quota=0.1, rate=1)
    texts = [Arrival(0, T0 + ms * MS, T0 + ms * MS, b"%d" % ms, Kind.TEXT) for ms in (0, 10, 1500, 1600)]
    sampled = sampler.accept(to_updates(texts))
    assert [one.blob for one in to_stored(sampled.samples, sampled.blobs)] == [b"0"]
    later = sampler.accept(to_updates([Arrival(0, T0 + 20 * SECOND, T0 + 20 * SECOND, b"later", Kind.TEXT)]))
    assert [one.blob for one in to_stored(later.samples, later.blobs)] == [b"1600"]


def test_a_text_is_its_own_when_one_that_waited_is_dropped() -> None:
    """What another channel had waiting, and has no quota for, does not move the texts of a drain."""
    sampler = Sampler(2)
    sampler.load_settings(np.array([0]), one_setting(enable=1, quota=0.1, rate=1))
    sampler.load_settings(np.array([1]), one_setting(enable=1))
    sampler.accept(to_updates([Arrival(0, T0 + ms * MS, T0 + ms * MS, b"%d" % ms, Kind.TEXT) for ms in (0, 100)]))
    both = [Arrival(row, T0 + 1500 * MS, T0 + 1500 * MS, b"of %d" % row, Kind.TEXT) for row in (0, 1)]
    sampled = sampler.accept(to_updates(both))
    assert [one.blob for one in to_stored(sampled.samples, sampled.blobs)] == [b"of 1"]
    assert sampler.memory.dropped_quota[0] == 1


def test_a_clock_that_steps_back_costs_no_sample() -> None:
    """After the clock was set back an hour a channel within its quota loses nothing."""
    sampler = sampler_with(quota=1)
    accept(sampler, 0)
    assert accept(sampler, -3_600_000, -3_599_000, stamps=1) == [-3_600_000, -3_599_000]


def test_a_clock_that_is_trimmed_gives_no_new_quota() -> None:
    """A step back of less than a second does not refill what is used up."""
    sampler = sampler_with(quota=2)
    assert len(accept(sampler, *range(1000, 1100))) == 20
    assert accept(sampler, 400, 500, stamps=1) == []


def test_a_value_that_waited_counts_for_max_interval_from_its_receipt() -> None:
    """A withheld value that passes before a later update is archived as of when it was received."""
    sampler = sampler_with(rate=1, max_interval=1.55)
    assert accept(sampler, 0, 100) == [0]
    assert accept(sampler, 1500) == [100]
    connected = np.ones(1, bool)
    assert [len(sampler.repeat(T0 + ms * MS, connected)[0]) for ms in (1600, 1649, 1650)] == [0, 0, 1]
