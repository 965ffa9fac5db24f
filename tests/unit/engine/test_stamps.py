from __future__ import annotations

import numpy as np
import pytest

from archioc.core.channel_name import Stamping
from archioc.core.spool.batch import SampleFlag
from archioc.engine.sampling.drain import Drain, Runs
from archioc.engine.sampling.memory import SamplerMemory
from archioc.engine.sampling.sampler import Sampler
from archioc.engine.sampling.stamps import EARLIEST, MAX_FUTURE, MAX_PAST, Stamped, look_ahead, stamp_updates
from archioc.engine.sampling.updates import Updates
from tests.unit.engine.arrivals import SECOND, T0, Arrival, Stored, to_stored, to_updates
from tests.unit.engine.cells import one_setting


def stamp(memory: SamplerMemory, *arrivals: Arrival) -> Stamped:
    """Stamp updates of row 0."""
    return stamp_all(to_updates(arrivals), memory)


def stamp_all(updates: Updates, memory: SamplerMemory) -> Stamped:
    """Stamp updates by their IOC's clock, ours being good."""
    drain = Drain(updates, Runs(updates.row), np.ones(len(updates), bool))
    return stamp_updates(drain, memory, by_archiver=None, clock_suspect=False, wrong=look_ahead(updates))


def at(received: int, stamp: int, value: float = 0.0, severity: int = 0) -> Arrival:
    """An update of row 0; times in ns after T0."""
    return Arrival(0, T0 + received, T0 + stamp, value, severity=severity)


def accept(sampler: Sampler, *arrivals: Arrival) -> list[Stored]:
    sampled = sampler.accept(to_updates(arrivals))
    return to_stored(sampled.samples, sampled.blobs)


@pytest.fixture
def sampler() -> Sampler:
    made = Sampler(1)
    made.wanted.enable[0] = True
    return made


@pytest.mark.parametrize(
    ("ioc", "kept"),
    [
        (T0, True),
        (EARLIEST, True),
        (EARLIEST - 1, False),
        (631_152_000 * SECOND, False),
        (T0 + MAX_FUTURE, True),
        (T0 + MAX_FUTURE + 1, False),
        (T0 - 30 * MAX_PAST, True),
    ],
)
def test_a_stamp_is_kept_if_it_can_be_believed(ioc: int, kept: bool) -> None:
    """A stamp from 1991 to a minute ahead is kept, any other gives way to the receive time."""
    stamped = stamp(SamplerMemory(1), Arrival(0, T0, ioc, 1.0))
    assert (stamped.time.tolist(), stamped.unusable.tolist()) == ([ioc if kept else T0], [not kept])


def test_the_same_again_is_no_sample() -> None:
    """Stamp, value and alarm as before, in the same drain or a later one, make a repetition; another alarm does not."""
    memory = SamplerMemory(1)
    assert stamp(memory, at(1, 0), at(2, 0), at(3, 0, severity=1)).repeated.tolist() == [False, True, False]
    assert stamp(memory, at(4, 0, severity=1)).repeated.tolist() == [True]


def test_nan_again_is_the_same_and_minus_zero_is_not_zero() -> None:
    """Values are compared bit for bit."""
    stamped = stamp(SamplerMemory(1), at(1, 0, float("nan")), at(2, 0, float("nan")), at(3, 0, 0.0), at(4, 0, -0.0))
    assert stamped.repeated.tolist() == [False, True, False, False]


def test_other_values_under_one_stamp_are_a_nanosecond_apart() -> None:
    """Values of one stamp get consecutive nanoseconds across repetitions and drains."""
    memory = SamplerMemory(1)
    first = stamp(memory, at(1, 0, 1.0), at(2, 0, 2.0), at(3, 0, 2.0), at(4, 0, 1.0))
    assert (first.time[~first.repeated] - T0).tolist() == [0, 1, 2]
    second = stamp(memory, at(5, 0, 1.0), at(6, 0, 3.0), at(7, 50, 3.0), at(8, 50, 4.0))
    assert (second.time[~second.repeated] - T0).tolist() == [3, 50, 51]


def test_another_value_long_after_its_stamp_is_restamped() -> None:
    """Another value under a stamp more than a second old gets its receive time."""
    stamped = stamp(SamplerMemory(1), at(0, 0, 1.0), at(SECOND, 0, 2.0), at(SECOND + 1, 0, 3.0))
    assert ((stamped.time - T0).tolist(), stamped.unusable.tolist()) == ([0, 1, SECOND + 1], [False, False, True])


def test_rows_are_told_apart() -> None:
    """What one channel's stamp was means nothing for another."""
    updates = to_updates([Arrival(0, T0, T0, 1.0), Arrival(1, T0, T0, 2.0)])
    stamped = stamp_all(updates, SamplerMemory(2))
    assert stamped.time.tolist() == [T0, T0]
    assert not stamped.repeated.any()


def test_a_late_update_keeps_its_stamp_and_is_counted(sampler: Sampler) -> None:
    """A stamp older than that of the update before is kept and counted, in the same drain or a later one; a repetition is not."""
    assert [one.time - T0 for one in accept(sampler, at(1, 0), at(2, -5, 1.0), at(3, -5, 1.0), at(4, -3, 2.0))] == [0, -5, -3]
    assert [one.time - T0 for one in accept(sampler, at(5, -4, 3.0))] == [-4]
    assert sampler.memory.late[0] == 2
    sampler.wanted.enable[0] = False
    accept(sampler, at(6, -9, 4.0))
    assert sampler.memory.late[0] == 2


def test_a_stamp_that_returns_is_counted_as_late(sampler: Sampler) -> None:
    """Where stamps go back to that of an earlier sample, the later one takes its place in the store, and the counter tells."""
    times = [one.time - T0 for one in accept(sampler, at(10, 1, 1.0), at(20, 15, 2.0), at(30, 1, 3.0))]
    assert (times, int(sampler.memory.late[0])) == ([1, 15, 1], 1)


def test_the_archivers_clock() -> None:
    """With clock: archiver samples get the receive time, keep the IOC's stamp beside and say so, and another value is another sample."""
    sampler = Sampler(1)
    sampler.load_settings(np.array([0]), one_setting(enable=1, by_ioc=0))
    unset = 631_152_000 * SECOND - T0
    found = accept(sampler, at(10, 0, 1.0), at(20, 0, 1.0), at(5 * SECOND, 0, 2.0), at(6 * SECOND, unset, 3.0))
    assert [(one.time - T0, one.src_time - T0, one.flags) for one in found] == [
        (10, 0, SampleFlag.ARCHIVER_CLOCK),
        (5 * SECOND, 0, SampleFlag.ARCHIVER_CLOCK),
        (6 * SECOND, unset, SampleFlag.ARCHIVER_CLOCK),
    ]
    assert (sampler.memory.filtered[0], sampler.memory.bad_time[0]) == (1, 0)


def test_a_trace_by_the_archivers_clock_resumes_with_one_sample() -> None:
    """Value and copy would have the same time, so only the generated sample is written."""
    sampler = Sampler(1)
    sampler.load_settings(np.array([0]), one_setting(enable=1, by_ioc=0))
    sampler.fresh[0] = True
    (only,) = accept(sampler, at(10, 0, 1.0))
    assert (only.time - T0, only.flags, only.src_time - T0) == (10, SampleFlag.GENERATED, 0)
    assert (sampler.memory.received[0], sampler.memory.generated[0], sampler.memory.committed[0]) == (1, 0, 1)


def test_a_resumed_trace_has_the_value_twice(sampler: Sampler) -> None:
    """The first value of a trace is stored under its own stamp and, marked as generated, at its receive time."""
    sampler.fresh[0] = True
    true, copy = accept(sampler, at(10, 0, 1.0))
    assert (true.time - T0, true.flags, true.src_time) == (0, 0, 0)
    assert (copy.time - T0, copy.flags, copy.src_time - T0) == (10, SampleFlag.GENERATED, 0)
    assert len(accept(sampler, at(20, 15, 2.0))) == 1


@pytest.mark.parametrize("old", [T0 - MAX_PAST - 1, 631_152_000 * SECOND])
def test_a_first_value_with_an_old_stamp_is_stored_at_receive_time_only(sampler: Sampler, old: int) -> None:
    """A first value older than a week, or never stamped, gives the generated sample alone and counts once."""
    sampler.fresh[0] = True
    (only,) = accept(sampler, Arrival(0, T0, old, 1.0))
    assert (only.time, only.flags, only.src_time) == (T0, SampleFlag.GENERATED, old)
    assert (sampler.memory.received[0], sampler.memory.generated[0], sampler.memory.committed[0]) == (1, 0, 1)


def test_a_known_value_resumes_with_the_copy_alone(sampler: Sampler) -> None:
    """When a trace resumes with the update seen last, only the generated sample is new."""
    accept(sampler, at(0, 0, 1.0))
    sampler.fresh[0] = True
    (copy,) = accept(sampler, at(10, 0, 1.0))
    assert (copy.time - T0, copy.flags) == (10, SampleFlag.GENERATED)
    assert (sampler.memory.generated[0], sampler.memory.filtered[0]) == (1, 1)


def test_the_copy_follows_its_original(sampler: Sampler) -> None:
    """In a drain with several updates the generated sample stands behind the first of them, not behind the last."""
    sampler.fresh[0] = True
    found = accept(sampler, at(10, 0, 1.0), at(20, 15, 2.0))
    assert [one.time - T0 for one in found] == [0, 10, 15]


def test_a_disabled_channel_stores_nothing(sampler: Sampler) -> None:
    """Updates of a disabled channel are filtered, and a trace that is to resume still is when it is enabled."""
    sampler.wanted.enable[0] = False
    sampler.fresh[0] = True
    assert accept(sampler, at(0, 0), at(5, 3)) == []
    sampler.wanted.enable[0] = True
    assert len(accept(sampler, at(7, 3))) == 1
    assert sampler.memory.filtered[0] == 3


HOUR = 3600 * SECOND
YEARS = 13 * 365 * 24 * HOUR


def times_of(sampler: Sampler, *stamps: int) -> list[int]:
    """Values received a second apart under these stamps (ns after T0): times (ns after T0) of what is stored, without generated copies."""
    stored = accept(sampler, *(at(number * SECOND, stamp, float(number)) for number, stamp in enumerate(stamps)))
    return [one.time - T0 for one in stored if not one.flags & SampleFlag.GENERATED]


def test_an_ioc_whose_clock_stands_in_the_past(sampler: Sampler) -> None:
    """From the second value after a connection on, a stamp of years ago gives way to the receive time, and is counted and told."""
    sampler.fresh[0] = True
    sampled = sampler.accept(to_updates([at(number * SECOND, number * SECOND - YEARS, float(number)) for number in range(4)]))
    assert [one["time"] - T0 for one in sampled.samples] == [0, SECOND, 2 * SECOND, 3 * SECOND]
    assert int(sampler.memory.bad_time[0]) == 3
    assert [bad.text for bad in sampled.bad_stamps] == ["the IOC's stamp is 4745 d in the past"]


def test_the_edge_of_the_past(sampler: Sampler) -> None:
    """An hour is believed, a nanosecond more is not; with max_past of a day it is."""
    assert times_of(sampler, -HOUR, SECOND - HOUR, 2 * SECOND - HOUR - 1) == [-HOUR, SECOND - HOUR, 2 * SECOND]
    patient = Sampler(1, max_past=24 * HOUR)
    patient.wanted.enable[0] = True
    assert times_of(patient, -2 * HOUR, SECOND - 2 * HOUR) == [-2 * HOUR, SECOND - 2 * HOUR]


def test_the_first_value_after_a_connection_may_be_old(sampler: Sampler) -> None:
    """A record that has not changed for days sends its present value under its old stamp, which is kept."""
    sampler.fresh[0] = True
    assert times_of(sampler, -48 * HOUR) == [-48 * HOUR]
    assert int(sampler.memory.bad_time[0]) == 0


def test_a_device_that_buffers_is_trusted() -> None:
    """With `clock: ioc` each stamp is kept, however old."""
    sampler = Sampler(1)
    sampler.load_settings(np.array([0]), one_setting(enable=1, by_ioc=Stamping.TRUSTED))
    assert times_of(sampler, -YEARS, SECOND - YEARS, 5) == [-YEARS, SECOND - YEARS, 5]
    assert int(sampler.memory.bad_time[0]) == 0


def test_many_iocs_in_the_past_put_our_own_clock_in_doubt() -> None:
    """When three hosts at once are an hour behind, ours may be ahead: their stamps are kept."""
    sampler = Sampler(3)
    sampler.wanted.enable[:] = True
    sampler.clocks.connect(np.arange(3), ["one:5064", "two:5064", "three:5064"])
    stamps = [Arrival(row, T0, T0 - 2 * HOUR, float(row)) for row in range(3)]
    assert [one.time - T0 for one in accept(sampler, *stamps)] == [-2 * HOUR] * 3
    assert sampler.clocks.suspect
