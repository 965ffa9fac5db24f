"""Values that stay are written again, by default once an hour."""

from __future__ import annotations

import time

import numpy as np

from archioc.core.channel import DEFAULT_MAX_INTERVAL, ChannelSettings
from archioc.core.spool.batch import Kind
from archioc.engine.sampling.sampler import Sampler
from tests.unit.engine.arrivals import SECOND, T0, Arrival, to_updates
from tests.unit.engine.cells import one_setting
from tests.unit.engine.rig import Archive, Engine, numbers, send

HOUR, MINUTE = 3600, 60


def silent(rows: int, longest: float, value: bytes | None = None) -> Sampler:
    """Rows whose one value came at T0."""
    sampler = Sampler(rows)
    sampler.load_settings(np.arange(rows), np.repeat(one_setting(enable=1, max_interval=longest), rows))
    kind = Kind.NUMBER if value is None else Kind.ARRAY
    sampler.accept(to_updates([Arrival(row, T0, T0, 1.0 if value is None else value, kind) for row in range(rows)]))
    return sampler


def repeated(sampler: Sampler, seconds: float) -> list[int]:
    """Rows that are written again this many seconds after T0."""
    rows = len(sampler.fresh)
    samples, _ = sampler.repeat(T0 + round(seconds * SECOND), np.ones(rows, bool))
    return sorted(samples["row"].tolist())


def test_each_channel_has_a_sample_in_any_hour_by_default() -> None:
    """A hundred silent channels are written again between 50 and 60 minutes after their last sample, and again within the next hour."""
    assert ChannelSettings().max_interval == DEFAULT_MAX_INTERVAL == HOUR
    sampler = silent(100, DEFAULT_MAX_INTERVAL)
    first = {row: minute for minute in range(61) for row in repeated(sampler, minute * MINUTE)}
    assert sorted(first) == list(range(100))
    assert min(first.values()) >= 50
    second = {row: minute for minute in range(61, 121) for row in repeated(sampler, minute * MINUTE)}
    assert all(50 <= second[row] - first[row] <= 60 for row in range(100))


def test_channels_do_not_repeat_together() -> None:
    """Of six thousand channels that connected together no more than fifty are written again in the same second."""
    sampler = silent(6000, DEFAULT_MAX_INTERVAL)
    each_second = [len(repeated(sampler, second)) for second in range(50 * MINUTE - 1, HOUR + 1)]
    assert sum(each_second) == 6000
    assert max(each_second) <= 50


def test_short_intervals_are_kept_to_the_letter() -> None:
    """Below a minute nothing is spread: no channel is written again before its interval is over."""
    sampler = silent(100, 10)
    assert repeated(sampler, 9.99) == []
    assert repeated(sampler, 10) == list(range(100))


def test_a_value_that_comes_while_a_round_runs_is_not_written_again(archive: Archive, engine: Engine) -> None:
    """An update that is received after the round has looked at the clock is no sign that the clock was set back."""
    engine.connect("A")
    send(engine, "A", 1.0)
    engine.collector.round(time.time_ns())
    begun = time.time_ns()
    for value in (2.0, 3.0):
        send(engine, "A", value)
        engine.collector.round(begun - SECOND)
    engine.write()
    assert numbers(archive.published(), "A", generated=True) == [1.0, 1.0, 2.0, 3.0]


def test_large_values_only_when_asked_for() -> None:
    """An array of more than 1 kB is not written again by default, one of 1 kB is, and both are with an interval of their own."""
    assert repeated(silent(1, DEFAULT_MAX_INTERVAL, bytes(1025)), HOUR) == []
    assert repeated(silent(1, DEFAULT_MAX_INTERVAL, bytes(1024)), HOUR) == [0]
    assert repeated(silent(1, 1800, bytes(1025)), HOUR) == [0]


def test_a_large_value_ends_the_repeats_of_a_small_one() -> None:
    """When an array grows beyond 1 kB, its earlier value is not written again in its place."""
    sampler = silent(1, DEFAULT_MAX_INTERVAL, bytes(8))
    sampler.accept(to_updates([Arrival(0, T0 + SECOND, T0 + SECOND, bytes(2000), Kind.ARRAY)]))
    assert repeated(sampler, 2 * HOUR) == []
