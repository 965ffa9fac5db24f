"""When a channel is looked for again: soon after a loss, ever later where nothing comes of it, and one entry for each channel."""

from __future__ import annotations

import time

import numpy as np
import pytest

from archioc.core.events import Reason
from archioc.core.table.table import ChannelState
from archioc.engine.ca.searches import (
    HELD_AT_MOST_NS,
    LASTING_NS,
    REFUSALS_LEFT_TO_LIBCA,
    REFUSED_FOR_NS,
    SEARCH_AGAIN_NS,
    SECOND,
    Searches,
)
from archioc.engine.channels.channel_status import REFUSED_BY_SERVER
from tests.unit.engine.rig import Archive, Engine, RecordedAccess, events

T0 = 1_700_000_000 * SECOND
NOBODY: set[int] = set()


@pytest.fixture
def access() -> RecordedAccess:
    made = RecordedAccess()
    made.created = {"A": (0, 1), "B": (1, 1)}
    return made


@pytest.fixture
def searches(access: RecordedAccess) -> Searches:
    return Searches(access, ["A", "B"], np.ones(2, "u4"))  # type: ignore[arg-type]


A, BOTH = np.array([0]), np.array([0, 1])


def run(searches: Searches, access: RecordedAccess, begin: int, seconds: int, lost_at: list[int] | None = None) -> list[int]:
    """At which seconds A is searched for within so many; it is connected and lost again at those of `lost_at`."""
    found = []
    for second in range(seconds):
        now = begin + second * SECOND
        before = len(access.searched_again)
        searches.begin_some(now, NOBODY)
        found += [second] * (len(access.searched_again) - before)
        if second in (lost_at or []):
            searches.connect(A, now)
            searches.lose(A, now)
    return found


def test_however_often_a_channel_is_lost_it_waits_once(searches: Searches, access: RecordedAccess) -> None:
    """A hundred losses at the same time are one search."""
    for _ in range(100):
        searches.lose(A, T0)
    assert run(searches, access, T0, 20) == [1]


def test_a_server_that_drops_its_clients_is_looked_for_ever_later(searches: Searches, access: RecordedAccess) -> None:
    """After connections that do not last the search waits 1, 2, 4 and 8 s, and then is left to libca."""
    lost_at = [0, 10, 30, 50, 70, 90, 110]
    assert run(searches, access, T0, 140, lost_at) == [1, 12, 34, 58]
    searches.connect(A, T0)
    searches.lose(A, T0 + LASTING_NS)
    assert run(searches, access, T0 + LASTING_NS, 5) == [1]


def test_what_comes_back_by_itself_is_not_searched_for(searches: Searches, access: RecordedAccess) -> None:
    """A channel that libca has connected again meanwhile does not wait any more."""
    searches.lose(BOTH, T0)
    searches.connect(A, T0 + 1)
    searches.begin_some(T0 + SEARCH_AGAIN_NS, NOBODY)
    assert access.searched_again == ["B"]


def test_a_refused_channel_is_left_to_libca_and_then_held_back(searches: Searches, access: RecordedAccess) -> None:
    """No search of ours at first; after some refusals in a row libca lets go of it, for longer each time up to a minute and a quarter."""
    now, waits = T0, []
    for _ in range(REFUSALS_LEFT_TO_LIBCA - 1):
        searches.refuse(A, now)
        now += 10 * SECOND
        searches.begin_some(now, NOBODY)
    assert (access.searched_again, access.created["A"]) == ([], (0, 1))
    for _ in range(5):
        searches.refuse(A, now)
        assert "A" not in access.created
        assert searches.is_new(0)
        begin = now
        while "A" not in access.created:
            now += SECOND
            searches.begin_some(now, NOBODY)
        waits.append((now - begin) // SECOND)
    assert waits[0] >= 20
    assert waits == sorted(waits)
    assert HELD_AT_MOST_NS // SECOND <= waits[-1] <= HELD_AT_MOST_NS * 5 // 4 // SECOND
    assert access.searched_again == []


def test_held_channels_do_not_come_all_at_once(access: RecordedAccess) -> None:
    """A thousand channels that a server refuses at the same time are looked for over several seconds."""
    names = [f"C{at}" for at in range(1000)]
    searches, rows = Searches(access, names, np.ones(1000, "u4")), np.arange(1000)  # type: ignore[arg-type]
    for _ in range(REFUSALS_LEFT_TO_LIBCA):
        searches.refuse(rows, T0)
    made = []
    for second in range(30):
        before = len(access.created)
        for _ in range(3):
            searches.begin_some(T0 + second * SECOND, NOBODY)
        made.append(len(access.created) - before)
    assert sum(made) == 1000
    assert max(made) < 300


def test_a_removed_channel_is_not_looked_for(searches: Searches, access: RecordedAccess) -> None:
    """Nothing that waits outlives its channel, so that the next one in the row is made once."""
    for _ in range(REFUSALS_LEFT_TO_LIBCA):
        searches.refuse(A, T0)
    searches.lose(np.array([1]), T0)
    searches.forget(BOTH)
    access.created.clear()
    searches.begin_some(T0 + 100 * SECOND, NOBODY)
    assert (access.created, access.searched_again) == ({}, [])
    assert not searches.refused.any()


def test_a_clock_that_is_set_back_holds_nothing_up(searches: Searches, access: RecordedAccess) -> None:
    """What was to be looked for in the time before is looked for now."""
    searches.lose(A, T0)
    searches.begin_some(T0 - 3600 * SECOND, NOBODY)
    assert access.searched_again == ["A"]


def shown(archive: Archive, name: str) -> tuple[ChannelState, str]:
    status = archive.table.status.cells[archive.registry.channels[name].row]
    return ChannelState(int(status["state"])), bytes(status["reason"]).decode()


def test_a_channel_that_a_server_refuses_says_so(archive: Archive, engine: Engine) -> None:
    """State and gap tell of the refusal instead of a missing server, until the server connects the channel or has gone."""
    now = time.time_ns()
    engine.disconnect("A")
    engine.collector.round(now)
    assert shown(archive, "A") == (ChannelState.CONNECTING, REFUSED_BY_SERVER)
    engine.collector.round(now + 10 * SECOND)
    engine.disconnect("A")
    engine.collector.round(now + 11 * SECOND)
    assert shown(archive, "A") == (ChannelState.DISCONNECTED, REFUSED_BY_SERVER)
    assert shown(archive, "B") == (ChannelState.DISCONNECTED, "no server answers")
    status = archive.table.status.cells[archive.registry.channels["A"].row]
    assert status["disconnects"] == 0  # it was never connected
    engine.collector.round(now + REFUSED_FOR_NS + 20 * SECOND)
    assert shown(archive, "A") == (ChannelState.DISCONNECTED, "no server answers")
    engine.write()
    texts = [event.text for event in events(archive) if (event.channel, event.reason) == ("A", Reason.DISCONNECTED)]
    assert texts == [REFUSED_BY_SERVER, "no server answers any more"]
