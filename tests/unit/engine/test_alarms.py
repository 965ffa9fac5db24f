from __future__ import annotations

import numpy as np
import pytest

from archioc.core.spool.batch import ALARM
from archioc.engine.sampling.alarms import HOUR_S, AlarmStates
from archioc.engine.sampling.sampler import Sampler
from archioc.engine.sampling.stamps import MAX_PAST
from tests.unit.engine.arrivals import SECOND, T0, Arrival, to_updates
from tests.unit.engine.cells import one_setting

MINOR, MAJOR = (1, 4), (2, 3)
"""Severity and status."""


@pytest.fixture
def sampler() -> Sampler:
    """Row 0 has a wide dead band, a slow rate and a small quota."""
    made = Sampler(2)
    made.load_settings(np.array([0]), one_setting(enable=1, rate=0.01, deadband=1e6, quota=0.01))
    return made


def at(received: int, alarm: tuple[int, int] = (0, 0), stamp: int | None = None, value: float = 1.0) -> Arrival:
    """An update of row 0; times in s after T0, the stamp as old as the receipt unless given."""
    when = T0 + received * SECOND
    return Arrival(0, when, when if stamp is None else T0 + stamp * SECOND, value, severity=alarm[0], status=alarm[1])


def accept(sampler: Sampler, *arrivals: Arrival) -> list[tuple[int, int, int]]:
    """Severity, status and time (s after T0) of each state told."""
    return shown(sampler.accept(to_updates(arrivals)).alarms)


def shown(alarms: AlarmStates) -> list[tuple[int, int, int]]:
    assert alarms.dtype == ALARM
    return [(int(one["severity"]), int(one["status"]), (int(one["time"]) - T0) // SECOND) for one in alarms]


def test_each_transition_is_told_whatever_becomes_of_the_sample(sampler: Sampler) -> None:
    """Dead band, rate and quota leave out samples, but no change of severity or status."""
    told = accept(sampler, at(0), at(1), at(2, MINOR), at(3, MINOR), at(4, (1, 5)), at(5, MAJOR), at(6))
    assert told == [(0, 0, 0), (1, 4, 2), (1, 5, 4), (2, 3, 5), (0, 0, 6)]
    assert accept(sampler, at(7), at(8, MAJOR)) == [(2, 3, 8)]


def test_a_resumed_trace_tells_the_state_again(sampler: Sampler) -> None:
    """After a gap the state is told at receive time, and what changed in the gap under the stamp of the update."""
    accept(sampler, at(0, MINOR))
    sampler.fresh[0] = True
    assert accept(sampler, at(20, MINOR, stamp=0)) == [(1, 4, 20)]
    sampler.fresh[0] = True
    assert accept(sampler, at(50, MAJOR, stamp=30)) == [(2, 3, 30), (2, 3, 50)]
    sampler.fresh[0] = True
    assert accept(sampler, at(90, stamp=-2 * MAX_PAST // SECOND)) == [(0, 0, 90)]


@pytest.mark.parametrize("switch", ["enable", "group_on"])
def test_nothing_is_told_while_off(sampler: Sampler, switch: str) -> None:
    """Alarms of a channel that is switched off, or whose group is, are not told; the trace that resumes tells the state."""
    accept(sampler, at(0))
    getattr(sampler.wanted, switch)[0] = False
    assert accept(sampler, at(1, MAJOR)) == []
    assert len(sampler.repeat_alarms(T0, np.ones(2, bool))) == 0
    getattr(sampler.wanted, switch)[0] = True
    sampler.fresh[0] = True
    assert accept(sampler, at(2, MAJOR)) == [(2, 3, 2), (2, 3, 2)]


def test_the_state_is_told_once_an_hour() -> None:
    """In any hour each live channel's state is told once, the channels spread over its seconds."""
    rows = 2 * HOUR_S + 7
    sampler = Sampler(rows)
    sampler.load_settings(np.arange(rows), np.repeat(one_setting(enable=1), rows))
    sampler.accept(to_updates([Arrival(row, T0, T0, 1.0, severity=2, status=3) for row in range(rows)]))
    connected = np.ones(rows, bool)
    connected[5] = False
    sampler.fresh[6] = True
    told = [sampler.repeat_alarms(T0 + number * SECOND // 2, connected) for number in range(2 * HOUR_S + 1)]
    assert sorted(np.concatenate(told)["row"].tolist()) == [row for row in range(rows) if row not in {5, 6}]
    assert max(map(len, told)) <= 3
    stalled = sampler.repeat_alarms(T0 + 5 * HOUR_S * SECOND, connected)
    assert len(stalled) == rows - 2
    assert len(sampler.repeat_alarms(T0, connected)) == 0  # the clock was set back


def test_a_new_channel_in_the_row_begins_anew(sampler: Sampler) -> None:
    """What was told of a channel means nothing for the next one in its row."""
    accept(sampler, at(0, MAJOR))
    sampler.forget(np.array([0]), np.array([2]))
    assert accept(sampler, at(1, MAJOR)) == [(2, 3, 1)]
