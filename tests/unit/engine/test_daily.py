from __future__ import annotations

from collections import Counter

from archioc.engine.channels.once_per_day import DAY_S, SECOND, OncePerDay

START_NS = 1_790_000_000 * SECOND
ROWS = 200_000


def test_each_row_has_its_turn_once_a_day() -> None:
    """However the rounds fall, each row is due once in any day, also where the engine stood still for a while."""
    daily, turns, at = OncePerDay(), Counter[int](), START_NS
    daily.due(at, ROWS)
    for step in (SECOND // 50, SECOND, 977 * SECOND, 20_000 * SECOND, (DAY_S - 20_978) * SECOND, SECOND):
        at += step
        turns.update(daily.due(at, ROWS).tolist())
    at_the_end = [row for row, number in turns.items() if number > 1]
    assert set(turns) == set(range(ROWS))
    assert len(at_the_end) <= 2 * (ROWS // DAY_S + 1)


def test_nobody_has_two_turns_when_the_engine_slept_for_days() -> None:
    """After a long sleep each row is due once."""
    daily = OncePerDay()
    daily.due(START_NS, ROWS)
    assert sorted(daily.due(START_NS + 3 * DAY_S * SECOND, ROWS).tolist()) == list(range(ROWS))
    assert not len(daily.due(START_NS, ROWS))
