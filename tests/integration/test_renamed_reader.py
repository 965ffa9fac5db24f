"""Channels that were renamed, read as one from the embedded store and from a real InfluxDB."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from archioc.core.aliases import Alias
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import Batch, ChannelMeta
from archioc.db.bins import Bins, Grid, bins_of
from archioc.db.renamed_reader import LATE_NS, RenamedReader, settled
from archioc.db.sample_columns import concatenate
from archioc.db.store import Reader, Store
from tests.archives.batches import T0, Alarm, Point, make_batch, spool_file
from tests.archives.store_bench import opened_store

S = 1_000_000_000
EVER = 2**63 - 1


def at(seconds: float) -> int:
    return T0 + int(seconds * S)


def points(channel: str, *moments: tuple[float, float]) -> list[Point]:
    return [Point(channel, at(when), value) for when, value in moments]


# A until 10 s, then B until 20 s, then C; at 25 s another channel A begins, that is called D from 30 s on.
FIRST, SECOND, OTHER = Alias("A", "B", at(10), ended_ns=at(25)), Alias("B", "C", at(20)), Alias("A", "D", at(30))
KNOWN = [FIRST, SECOND, OTHER]
A1 = points("A", (1, 1), (5, 2), (9.5, 3))
B1 = points("B", (5.5, 99), (9.5, 98), (10.2, 4), (15, 5), (20.3, 6))
C1 = points("C", (20.3, 97), (20.5, 7), (24, 8), (200, 9))
A2 = points("A", (24.5, 96), (26, 11), (29, 12))
D1 = points("D", (31, 13), (33, 14))
OF_C = [*A1, *B1[2:], *C1[1:]]
"""B's first value had stamps of the time as A, and C's the same stamp as B's last: these belong to what was before."""
OF_D = [*A2[1:], *D1]


@pytest.fixture(params=["embedded", "influxdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with opened_store(request, tmp_path / "store") as (made, encoder):
        assert made.write(spool_file(encoder, _history())).rejected.sum() == 0
        yield made


def _history() -> Batch:
    states = [("A", 1, 1, 3), ("A", 9.9, 2, 3), ("B", 10.2, 0, 0), ("C", 21, 3, 17), ("A", 26, 1, 4)]
    alarms = [Alarm(channel, at(when), severity, status) for channel, when, severity, status in states]
    events = [
        ChannelEvent("A", at(2), Reason.DISABLED, at(3)),
        ChannelEvent("B", at(12), Reason.TYPE_CHANGED, text="DOUBLE to LONG"),
        ChannelEvent("B", at(20.1), Reason.DISCONNECTED, at(20.2)),
        ChannelEvent("A", at(27), Reason.BAD_TIME),
    ]
    metas = [ChannelMeta("A", at(0.9), 6, 1, "one:5064", "mA"), ChannelMeta("C", at(20.4), 6, 1, "two:5064", "A")]
    return make_batch([*A1, *B1, *C1, *A2, *D1], events, metas, alarms=alarms)


@pytest.fixture
def reader(store: Store) -> RenamedReader:
    return RenamedReader(store, lambda: KNOWN)


def read(reader: Reader, channel: str, start_ns: int = 0, end_ns: int = EVER, *, previous: bool = False) -> list[tuple[int, float]]:
    chunks = list(reader.samples(channel, start_ns, end_ns, with_previous=previous))
    return [pair for chunk in chunks for pair in zip(chunk.time.tolist(), chunk.value.tolist(), strict=True)]


def pairs(wanted: list[Point]) -> list[tuple[int, float]]:
    return [(point.time_ns, point.value) for point in wanted]


def test_one_history_in_order_of_time(reader: RenamedReader) -> None:
    """A renamed channel has the samples of its names one after the other, whichever of them is asked for, and none of another's."""
    assert read(reader, "C") == read(reader, "B") == pairs(OF_C)
    assert read(reader, "D") == read(reader, "A") == pairs(OF_D)
    assert read(reader, "X") == []


def test_ranges_and_what_came_before(reader: RenamedReader) -> None:
    """A range may begin and end under any of the names; the sample before it may be one under an earlier name."""
    for start, end in ((0.0, 300.0), (2, 9), (9.5, 10.2), (9.6, 10.1), (10.1, 20.4), (20.31, 20.4), (22, 23), (0, 0.5), (26, 26)):
        inside = [pair for pair in pairs(OF_C) if at(start) <= pair[0] <= at(end)]
        earlier = [pair for pair in pairs(OF_C) if pair[0] < at(start)][-1:]
        assert read(reader, "C", at(start), at(end)) == inside, (start, end)
        assert read(reader, "C", at(start), at(end), previous=True) == earlier + inside, (start, end)


def test_the_value_in_force(reader: RenamedReader) -> None:
    """The last sample at or before a time is that of the channel, under whatever name."""
    for channel, wanted in (("C", OF_C), ("D", OF_D)):
        for when in (0.5, 9.5, 10.1, 20.3, 20.4, 26, 400):
            before = [pair for pair in pairs(wanted) if pair[0] <= at(when)][-1:]
            strictly = [pair for pair in pairs(wanted) if pair[0] < at(when)][-1:]
            for found, expected in ((reader.at(channel, at(when)), before), (reader.last_before(channel, at(when)), strictly)):
                assert ([] if found is None else [(int(found.time[0]), float(found.value[0]))]) == expected, (channel, when)


def test_bins_across_a_renaming(reader: RenamedReader) -> None:
    """Bins are those of the samples themselves, also a bin in which a renaming lies."""
    ranges = [(0, 40, 1), (0, 40, 4), (0, 40, 7), (9, 11, 200), (9.5, 20.5, 3), (22, 24, 2), (0, 250, 13)]
    for channel, (start, end, count) in itertools.product("CDX", ranges):
        grid = Grid.of(at(start), at(end), count)
        chunks = list(reader.samples(channel, at(start), at(end) - 1, with_previous=False))
        expected = bins_of(grid, [concatenate(chunks)] if chunks else [])
        whole = Grid.of(at(start) - S, at(start) - S + 3 * (at(end) - at(start)), 1)
        for found, wanted in (
            (reader.bins(channel, at(start), at(end), count), expected),
            (
                reader.bins(channel, whole.start_ns, whole.end_ns, 1, within=(at(start), at(end))),
                bins_of(whole, [concatenate(chunks)] if chunks else []),
            ),
        ):
            for column in fields(Bins):
                told = f"{channel} {start} {end} {count} {column.name}"
                np.testing.assert_allclose(getattr(found, column.name), getattr(wanted, column.name), rtol=1e-12, err_msg=told)


def test_alarm_states(reader: RenamedReader) -> None:
    """Alarm states follow the channel too, with the one in force at the start."""

    def alarms(channel: str, start: float, *, previous: bool) -> list[tuple[int, int]]:
        chunks = reader.alarms(channel, at(start), EVER, with_previous=previous)
        return [pair for chunk in chunks for pair in zip(chunk.time.tolist(), chunk.severity.tolist(), strict=True)]

    of_c = [(at(1), 1), (at(9.9), 2), (at(10.2), 0), (at(21), 3)]
    assert alarms("C", 0, previous=True) == of_c
    assert alarms("C", 10, previous=True) == of_c[1:]
    assert alarms("C", 20.5, previous=False) == of_c[3:]
    assert alarms("A", 0, previous=True) == [(at(26), 1)]


def test_events_and_metadata(reader: RenamedReader) -> None:
    """Events and metadata are those of the channel, under the name that is asked for."""
    found = [(event.channel, event.time_ns, event.reason) for event in reader.events("C", 0, EVER)]
    assert found == [("C", at(2), Reason.DISABLED), ("C", at(12), Reason.TYPE_CHANGED), ("C", at(20.1), Reason.DISCONNECTED)]
    assert [event.time_ns for event in reader.events("A", 0, EVER)] == [at(27)]
    units = [(meta.channel, meta.units) if (meta := reader.meta("C", at(when))) else None for when in (0.5, 1, 12, 20.4, 99)]
    assert units == [None, ("C", "mA"), ("C", "mA"), ("C", "A"), ("C", "A")]
    assert reader.meta("D", EVER) is None


def test_names(reader: RenamedReader, store: Store) -> None:
    """A glob finds channels by their present names; an earlier name is found when it is what was asked for."""
    assert list(store.names()) == ["A", "B", "C", "D"]
    assert list(reader.names()) == ["C", "D"]
    assert list(reader.names("[CD]")) == ["C", "D"]
    assert list(reader.names("B")) == ["B"]
    assert list(reader.names("X*")) == []
    not_yet = RenamedReader(store, lambda: [*KNOWN, Alias("D", "N", at(40))])
    assert list(not_yet.names("N")) == ["N"]


def test_samples_under_way_and_clocks_ahead(store: Store) -> None:
    """What comes under the earlier name shortly after the renaming still is the channel's, unless the name is another's by then."""
    renamed = Alias("A", "Z", at(9))
    assert read(RenamedReader(store, lambda: [renamed]), "Z") == pairs([*A1, *A2])
    assert at(29) <= at(9) + LATE_NS
    assert read(RenamedReader(store, lambda: [replace(renamed, ended_ns=at(25))]), "Z") == pairs(A1[:2])


def test_renamed_back(store: Store) -> None:
    """A channel that has its first name again is one history of three parts."""
    back = [Alias("A", "B", at(10), ended_ns=at(25)), Alias("B", "A", at(25))]
    assert read(RenamedReader(store, lambda: back), "A") == pairs([*A1, *B1[2:], *A2[1:]])


def test_one_answer_has_one_history(store: Store) -> None:
    """A reader for one answer knows the renamings of when it was made, whatever is renamed meanwhile; a store stays itself."""
    known = {"now": KNOWN}
    reader = RenamedReader(store, lambda: known["now"])
    answer = settled(reader)
    known["now"] = [*KNOWN, Alias("C", "E", at(40))]
    assert (list(answer.names()), read(answer, "C")) == (["C", "D"], pairs(OF_C))
    assert list(reader.names()) == ["D", "E"]
    assert settled(store) is store


def test_without_renamings_nothing_is_different(store: Store) -> None:
    """An archive without renamings is read as it is."""
    plain = RenamedReader(store, list)
    assert read(plain, "A", previous=True) == pairs(sorted([*A1, *A2], key=lambda point: point.time_ns))
    assert list(plain.names()) == list(store.names())
    assert plain.events("B", 0, EVER) == store.events("B", 0, EVER)
