from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from archioc.cli.alarms.alarm_summary import summarise
from archioc.core.dbr import Severity, Status
from archioc.core.timestamp import SECOND
from archioc.db.alarm_columns import AlarmColumns

NONE, MINOR, MAJOR = int(Severity.NO_ALARM), int(Severity.MINOR), int(Severity.MAJOR)


def states(*found: tuple[float, int]) -> AlarmColumns:
    """Times in s, and severities."""
    return AlarmColumns(
        np.array([int(at * SECOND) for at, _ in found], np.int64),
        np.array([severity for _, severity in found], np.uint8),
        np.array([Status.HIGH if severity else Status.NO_ALARM for _, severity in found], np.uint8),
    )


def test_time_and_transitions() -> None:
    """The state in force at the start counts from there, repeated states are no transitions, the last lasts to the end."""
    chunks = [states((-50, NONE), (10, MINOR), (15, MINOR)), states((20, MAJOR), (30, NONE), (40, NONE)), states((90, MINOR))]
    found = summarise("A", chunks, 0, 100 * SECOND)
    assert (found.transitions, found.raised, found.seconds) == (4, 2, (70.0, 20.0, 10.0, 0.0))
    assert (found.in_alarm_s, found.most_in_a_minute, found.chattering) == (30.0, 1, False)


def test_first_state_is_no_transition() -> None:
    """Before the first state that is known nothing is counted, although it is an alarm."""
    found = summarise("A", [states((60, MAJOR))], 0, 100 * SECOND)
    assert (found.transitions, found.raised, found.seconds) == (0, 0, (0.0, 0.0, 40.0, 0.0))
    assert summarise("A", [], 0, 100 * SECOND).seconds == (0.0, 0.0, 0.0, 0.0)


def test_chattering() -> None:
    """Three alarms within a minute are chattering, three in more than that are not."""

    def course(pause: float) -> list[AlarmColumns]:
        return [states((0, NONE), *((1 + number * pause + part, MINOR * (part == 0)) for number in range(3) for part in (0, 1)))]

    assert summarise("A", course(29), 0, 1000 * SECOND).chattering
    assert not summarise("A", course(31), 0, 1000 * SECOND).chattering


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 3)), max_size=60), st.integers(1, 10))
def test_any_course(steps: list[tuple[int, int]], size: int) -> None:
    """However the states come in chunks, sums are those of walking from state to state."""
    times = np.cumsum([step for step, _ in steps]).tolist()
    course = [(float(at), severity) for at, (_, severity) in zip(times, steps, strict=True)]
    end = (times[-1] if times else 0) + 7
    found = summarise("A", (states(*course[at : at + size]) for at in range(0, len(course), size)), 0, end * SECOND)
    expected = [0.0] * 4
    for (at, severity), (after, _) in pairwise([*course, (float(end), 0)]):
        expected[severity] += after - at
    assert np.allclose(found.seconds, expected)
    assert found.transitions == sum(one[1] != other[1] for one, other in pairwise(course))
    assert found.raised == sum(not one[1] and other[1] > 0 for one, other in pairwise(course))
