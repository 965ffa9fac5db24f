"""What `archioc explain` infers from the newest value that came of a channel."""

from __future__ import annotations

import math

import pytest

from archioc.cli.explain.causes import causes
from archioc.cli.explain.evidence import Evidence, Stored
from archioc.cli.explain.live import LiveArchiver, LiveChannel
from archioc.core.channel import ChannelSettings
from archioc.core.table.table import ChannelState
from archioc.core.timestamp import SECOND
from archioc.ioc.registry.archived import ArchivedChannel
from tests.unit.db.test_sample_columns import columns

NOW = 1_790_000_000 * SECOND
STORED = NOW - 600 * SECOND
"""Time of the newest sample in the store."""


def evidence(time_ns: int, received_ns: int, *, stored: bool = True, filtered: int = 0) -> Evidence:
    """The newest value of the channel came with this stamp at this time; asked is about half a minute ago."""
    channel = LiveChannel(ChannelState.ARCHIVING, "", math.nan, time_ns, received_ns, filtered, withheld=False)
    live = LiveArchiver(running=True, collected_ns=NOW, stopped=False, store_error="", spool_error="", channel=channel)
    found = Stored(before=columns([STORED])) if stored else Stored()
    archived = ArchivedChannel("A", 0, 1, ChannelSettings(), ChannelSettings())
    return Evidence("A", NOW - 30 * SECOND, NOW, found, archived, ChannelSettings(), live, (), (), (), None, 0.5, "main")


def words(found: Evidence) -> list[str]:
    return [cause.word for cause in causes(found)]


def test_values_under_stamps_of_an_earlier_time() -> None:
    """An IOC that sends values with stamps of years ago is not said to have sent nothing."""
    (first, *_) = causes(evidence(STORED - 13 * 365 * 86400 * SECOND, NOW - 40 * SECOND))
    assert first.word == "late"
    assert "under stamps of an earlier time" in first.text


def test_an_ioc_that_sent_nothing() -> None:
    """Where the newest value that came is the newest one stored, the IOC has sent nothing since."""
    assert words(evidence(STORED, STORED + SECOND // 10)) == ["no_update"]


@pytest.mark.parametrize(("received", "word"), [(0, "no_update"), (NOW - 40 * SECOND, "unknown")])
def test_a_channel_without_a_sample(received: int, word: str) -> None:
    """Nothing is said of the IOC where values came that the store does not have."""
    assert words(evidence(received, received, stored=False)) == [word]


def test_the_text_names_the_record() -> None:
    """The text says for how long no value came, and what may suppress one."""
    (cause,) = causes(evidence(STORED, STORED + SECOND // 10))
    assert cause.text.startswith("the IOC sent no new value (9 min 30 s since the last one); the dead band of the record (ADEL)")
