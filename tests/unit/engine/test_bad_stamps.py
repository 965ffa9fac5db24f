from __future__ import annotations

import pytest

from archioc.engine.sampling.sampler import Sampler
from archioc.engine.sampling.stamps import MAX_FUTURE
from tests.unit.engine.arrivals import SECOND, T0, Arrival, to_updates

UNSET = 631_152_000 * SECOND - T0
AHEAD = MAX_FUTURE + 5 * SECOND


@pytest.fixture
def sampler() -> Sampler:
    made = Sampler(1)
    made.wanted.enable[0] = True
    return made


def told(sampler: Sampler, *traffic: tuple[int, int]) -> list[tuple[int, str]]:
    """When (s after T0), and what is told of updates: received (s after T0), stamp (ns after that; UNSET is absolute)."""
    values = iter(range(1000))
    arrivals = [
        Arrival(0, T0 + s * SECOND, T0 + (stamp if stamp == UNSET else s * SECOND + stamp), float(next(values)) + s) for s, stamp in traffic
    ]
    return [((bad.received - T0) // SECOND, bad.text) for bad in sampler.accept(to_updates(arrivals)).bad_stamps]


def test_bad_stamps_are_told_once_and_counted_each(sampler: Sampler) -> None:
    """The first unusable stamp is told with what is wrong; the next ones, in this drain or later, are only counted."""
    assert told(sampler, (0, 0), (1, UNSET), (2, UNSET)) == [(1, "the IOC's stamp is unset")]
    assert told(sampler, (3, AHEAD), (500, AHEAD)) == []
    assert sampler.memory.bad_time[0] == 4


def test_they_are_told_again_after_good_ones(sampler: Sampler) -> None:
    """After a good stamp they are told anew, with how far ahead they are, but at most once in a minute."""
    assert len(told(sampler, (0, UNSET))) == 1
    assert told(sampler, (10, 0), (11, AHEAD), (59, 0)) == []
    assert told(sampler, (60, AHEAD)) == [(60, "the IOC's stamp is 65 s in the future")]
    assert told(sampler, (61, 0), (200, 0), (201, AHEAD), (202, 0), (300, AHEAD)) == [
        (201, "the IOC's stamp is 65 s in the future"),
        (300, "the IOC's stamp is 65 s in the future"),
    ]


def test_a_stamp_that_stands_still_is_told(sampler: Sampler) -> None:
    """Other values long after their common stamp are restamped, and told with the age of the stamp."""
    assert told(sampler, (0, 0), (5, -5 * SECOND), (6, -6 * SECOND)) == [(5, "another value came under the same stamp, 5.0 s old")]


def test_nothing_is_told_of_a_channel_that_is_off(sampler: Sampler) -> None:
    """Stamps of a disabled channel are neither counted nor told."""
    sampler.wanted.enable[0] = False
    assert told(sampler, (0, UNSET), (1, AHEAD)) == []
    assert sampler.memory.bad_time[0] == 0
