from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from archioc.engine.sampling.clock_check import HostClocks
from archioc.engine.sampling.sampler import Sampler
from archioc.engine.sampling.stamps import MAX_FUTURE, look_ahead
from tests.unit.engine.arrivals import SECOND, T0, Arrival, to_stored, to_updates

HOSTS = 12


@pytest.fixture
def clocks() -> HostClocks:
    """Row r is served by host r, on two rows more by host 0 with another port."""
    made = HostClocks(HOSTS + 2)
    made.connect(np.arange(HOSTS + 2), [*(f"host{number}:5064" for number in range(HOSTS)), "host0:5065", "host0:5066"])
    return made


def judge(clocks: HostClocks, ahead: set[int], good: Iterable[int] = ()) -> bool:
    """A drain with an update of each of these rows."""
    later = T0 + MAX_FUTURE + SECOND
    updates = to_updates([Arrival(row, T0, later if row in ahead else T0, 1.0) for row in sorted(ahead.union(good))])
    return clocks.judge(updates, look_ahead(updates))


@pytest.mark.parametrize(("ahead", "suspect"), [({1}, False), ({1, 2}, False), ({1, 2, 3}, True), (set(range(HOSTS)), True)])
def test_our_clock_is_suspect_when_many_hosts_are_ahead(clocks: HostClocks, ahead: set[int], suspect: bool) -> None:
    """Three hosts of twelve are more than a fifth and enough; one or two may be wrong themselves."""
    assert judge(clocks, ahead, set(range(HOSTS)) - ahead) is suspect


def test_a_fifth_of_the_hosts_is_not_enough() -> None:
    """Of fifteen connected hosts three are no more than a fifth; when one of the others goes they are."""
    clocks = HostClocks(15)
    clocks.connect(np.arange(15), [f"host{number}:5064" for number in range(15)])
    assert not judge(clocks, {0, 1, 2})
    clocks.disconnect(np.array([14]))
    assert judge(clocks, {0})


def test_hosts_are_heard_one_after_the_other(clocks: HostClocks) -> None:
    """A host looks ahead until it is heard again; IOCs of one host count once."""
    assert not judge(clocks, {0})
    assert not judge(clocks, {12, 13})
    assert not judge(clocks, {1})
    assert judge(clocks, {2})


def test_one_wrong_record_does_not_make_a_host_look_ahead(clocks: HostClocks) -> None:
    """Most of what a host sends in a drain decides."""
    good = [Arrival(row, T0, T0, 1.0) for row in (0, 1, 2) for _ in range(2)]
    bad = [Arrival(row, T0, T0 + 2 * MAX_FUTURE, 1.0) for row in (0, 1, 2)]
    updates = to_updates(good + bad)
    assert not clocks.judge(updates, look_ahead(updates))


def test_the_doubt_ends_when_a_host_contradicts(clocks: HostClocks) -> None:
    """While only few hosts are known, as after a restart, the doubt stays; a host with a believable stamp ends it."""
    assert judge(clocks, {1, 2, 3})
    clocks.disconnect(np.arange(HOSTS + 2))
    assert judge(clocks, {4})
    clocks.connect(np.array([4, 5]), ["host4:5064", "host5:5064"])
    assert judge(clocks, {4})
    assert not judge(clocks, set(), {5})


def test_stamps_are_kept_while_our_own_clock_is_suspect() -> None:
    """An update from the future keeps its stamp and is not counted as bad while the clock in doubt is ours; an unset stamp never."""
    sampler = Sampler(HOSTS)
    sampler.wanted.enable[:] = True
    sampler.clocks.connect(np.arange(HOSTS), [f"host{number}:5064" for number in range(HOSTS)])
    ahead = T0 + 3600 * SECOND
    stamps = [ahead] * (HOSTS - 1) + [0]
    sampled = sampler.accept(to_updates([Arrival(row, T0, stamp, 1.0) for row, stamp in enumerate(stamps)]))
    assert [one.time for one in to_stored(sampled.samples, sampled.blobs)] == [ahead] * (HOSTS - 1) + [T0]
    assert sampler.memory.bad_time.tolist() == [0] * (HOSTS - 1) + [1]
