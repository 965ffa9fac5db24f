"""Names, events, alarm states, metadata and audit in every store, shown on the embedded store and on real InfluxDB servers."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archioc.core.audit import AuditRecord
from archioc.core.errors import QueryError
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta, Kind
from archioc.db import store as store_module
from archioc.db.embedded import reader as embedded_queries
from archioc.db.embedded.days import DAY_NS
from archioc.db.influx import reader as influx_queries
from tests.archives.batches import T0, Alarm, Point
from tests.archives.store_bench import EVER, Bench

ODD_NAMES = ["a'b", 'q"q', "c,d", "e=f", "back\\slash", "end\\", "µ:中", "x' OR pv = 'y", "SR:BPM{1}[2].DESC$", "%s;DROP", "#n"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(bench: Bench, name: str) -> None:
    """A name with quotes, commas, backslashes or query language in it is a name, for samples, events and metadata."""
    event = ChannelEvent(name, T0, Reason.DISABLED, end_ns=T0 + 1, text=name)
    meta = ChannelMeta(name, T0, 6, 1, name, units=name, labels=(name,))
    bench.write(Point(name, T0, 1.0), Point("other", T0, 2.0), events=(event,), metas=(meta,))
    assert bench.times(name) == [T0]
    assert sorted(bench.store.names()) == sorted([name, "other"])
    assert bench.store.bins(name, T0, T0 + 5, 1).count.tolist() == [1]
    in_force = bench.store.at(name, T0)
    assert in_force is not None
    assert in_force.value.tolist() == [1.0]
    bench.write(alarms=(Alarm(name, T0, 1, 4), Alarm("other", T0, 2, 3)))
    assert bench.alarms(name) == [(T0, 1, 4)]
    assert bench.store.events(name, T0, T0) == [event]
    assert bench.store.meta(name, T0) == meta


def test_names_by_glob(bench: Bench) -> None:
    """Names are found by glob, sorted, case matters; events and metadata alone make no name."""
    bench.write(*[Point(name, T0, 1.0) for name in ("SR:B", "SR:A", "sr:a", "BR:A")], Point("SR:W", T0, blob=b"", kind=Kind.ARRAY))
    bench.write(events=(ChannelEvent("SR:X", T0, Reason.DISABLED),), metas=(ChannelMeta("SR:Y", T0, 6, 1, "h"),))
    assert list(bench.store.names("SR:*")) == ["SR:A", "SR:B", "SR:W"]
    assert list(bench.store.names("?R:A")) == ["BR:A", "SR:A"]
    assert list(bench.store.names("[BX]R:*")) == ["BR:A"]
    assert list(bench.store.names("none*")) == []


def test_an_unknown_channel(bench: Bench) -> None:
    """Nothing is known of a channel that was never archived, and asking is no error."""
    bench.write(Point("A", T0, 1.0))
    assert bench.read("B", with_previous=True) is None
    assert bench.store.last_before("B", EVER) is None
    assert bench.store.events("B", 0, EVER) == []
    assert bench.store.meta("B", EVER) is None


def test_alarm_states(bench: Bench) -> None:
    """Alarm states of a range come sorted, with the one in force at its start when it is wanted; one written twice is one."""
    states = [(T0, 0, 0), (T0 + 10, 2, 3), (T0 + DAY_NS, 2, 3), (T0 + DAY_NS + 5, 3, 17)]
    bench.write(Point("A", T0, 1.0), alarms=tuple(Alarm("A", *state) for state in states[:2]))
    bench.write(alarms=(Alarm("A", *states[3]), Alarm("A", *states[2]), Alarm("B", T0, 1, 4)))
    bench.write(alarms=(Alarm("A", *states[2]),))
    assert bench.alarms("A") == states
    assert bench.alarms("A", T0 + 10, T0 + DAY_NS) == states[1:3]
    assert bench.alarms("A", T0 + 11, T0 + 20) == []
    assert bench.alarms("A", T0 + 11, T0 + 20, with_previous=True) == states[1:2]
    assert bench.alarms("A", T0 + 10, T0 + 20, with_previous=True) == states[:2]
    assert bench.alarms("A", T0 + 9 * DAY_NS, EVER, with_previous=True) == states[3:]
    assert bench.alarms("A", 0, T0 - 1, with_previous=True) == []
    assert bench.alarms("A", T0 + 5, T0) == []
    assert bench.alarms("nobody", with_previous=True) == []
    assert list(bench.store.names()) == ["A", "B"]
    assert bench.times("A") == [T0]


def test_gaps_and_moments(bench: Bench) -> None:
    """A gap is one event once it is closed, belongs to every range it touches, and to all later ones while it is open."""
    opened = ChannelEvent("A", T0, Reason.DISCONNECTED, text="gone")
    closed = ChannelEvent("A", T0, Reason.DISCONNECTED, end_ns=T0 + 100, count=2, text="back")
    moment = ChannelEvent("A", T0 + 50, Reason.TYPE_CHANGED, text="DOUBLE")
    later = ChannelEvent("A", T0 + 200, Reason.DISABLED)
    bench.write(events=(opened,))
    assert bench.store.events("A", T0 + 10, T0 + 20) == [opened]
    bench.write(events=(closed, moment))
    bench.write(events=(later, ChannelEvent("B", T0, Reason.DISABLED)))
    ranges = {
        (T0 - 9, T0 - 1): [],
        (T0 - 9, T0): [closed],
        (T0 + 10, T0 + 49): [closed],
        (T0 + 10, T0 + 50): [closed, moment],
        (T0 + 100, T0 + 199): [closed],
        (T0 + 101, T0 + 199): [],
        (T0 + 101, T0 + 200): [later],
        (T0 + 10**12, EVER): [later],
    }
    assert {found: bench.store.events("A", *found) for found in ranges} == ranges


def test_metadata_of_a_time(bench: Bench) -> None:
    """Metadata are those told last at or before a time, all fields exact, absent ones absent."""
    first = ChannelMeta("A", T0, 6, 1, "ioc:5064", "mm", 3, (), -1.0, 1.0, -0.9, 0.9, -0.5, 0.5, -2.0, 2.0)
    second = ChannelMeta("A", T0 + 10, 3, 1, "ioc:5064", labels=("Off", 'O"n,'))
    bench.write(metas=(first,))
    bench.write(metas=(second,))
    assert bench.store.meta("A", T0 - 1) is None
    assert bench.store.meta("A", T0) == first
    assert bench.store.meta("A", T0 + 9) == first
    assert bench.store.meta("A", EVER) == second


def test_the_audit_of_a_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts come back as they were, in order of time, of the range asked for; one that is sent twice is there once."""
    odd = 'a "b" \\ \n,c=d é中'
    puts = [
        AuditRecord(T0 + 5, odd, odd, "10.0.0.3:4711", "ARCH:CH:a,b=c d:Desc", odd, odd, "done"),
        AuditRecord(T0, "ops", "console", "127.0.0.1:1", "ARCH:Add", "", "A:1\nA:2", "done"),
        AuditRecord(T0 + 5, "", "", "127.0.0.1:2", "ARCH:Apply", "", "1", "127.0.0.1 may not write"),
        AuditRecord(T0 + 9, "ops", "console", "127.0.0.1:1", "ARCH:CH:end\\:Rate", "1.0", "2.0", "done"),
    ]
    assert bench.store.audit(0, EVER) == []
    bench.write(audit=(puts[0], puts[1]))
    bench.write(Point("A", T0, 1.0), audit=(puts[1], *puts[2:]))
    assert bench.store.audit(0, EVER) == sorted(puts, key=lambda put: (put.time_ns, put.pv))
    assert bench.store.audit(T0, T0) == [puts[1]]
    assert bench.store.audit(T0 + 9, T0 + 20) == [puts[3]]
    assert bench.store.audit(T0 + 1, T0 + 4) == []
    assert list(bench.store.names()) == ["A"]
    for module in (store_module, embedded_queries, influx_queries):
        monkeypatch.setattr(module, "MAX_EVENTS", 3)
    with pytest.raises(QueryError, match="more than 3"):
        bench.store.audit(0, EVER)


def test_too_many_events(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer with more events than a store gives at once is an error, not a part of them."""
    for module in (store_module, embedded_queries, influx_queries):
        monkeypatch.setattr(module, "MAX_EVENTS", 5)
    bench.write(events=tuple(ChannelEvent("A", T0 + at, Reason.TYPE_CHANGED) for at in range(6)))
    assert len(bench.store.events("A", T0, T0 + 4)) == 5
    with pytest.raises(QueryError, match="A: more than 5 events in this range"):
        bench.store.events("A", T0, T0 + 5)


_HOSTILE = (
    st.lists(st.sampled_from([*"'\"\\;,=.*?!/-%${}[]()AO中é", "'OR'a'='a", '"--', "DROP", "/**/"]), min_size=1, max_size=6)
    .map("".join)
    .filter(lambda name: name != "other")
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_HOSTILE, min_size=1, max_size=4, unique=True))
def test_no_name_is_taken_for_a_query(bench: Bench, hostile: list[str]) -> None:
    """Whatever the names of channels are made of, each query answers for the very channel, and patterns match as they are meant."""
    begin = T0 + 100 * bench.batch_id
    times = {name: begin + at for at, name in enumerate(hostile)}
    bench.write(
        Point("other", T0, -1.0),
        *[Point(name, time_ns, 1.0) for name, time_ns in times.items()],
        alarms=tuple(Alarm(name, time_ns, 1, 4) for name, time_ns in times.items()),
    )
    known = set(bench.store.names())
    assert known >= {*hostile, "other"}
    for name, time_ns in times.items():
        last = bench.store.last_before(name, EVER)
        assert last is not None
        assert last.time.tolist() == [time_ns]
        assert bench.times(name, begin) == [time_ns]
        assert bench.alarms(name, begin) == [(time_ns, 1, 4)]
        assert bench.store.bins(name, begin, begin + 100, 1).count.tolist() == [1]
        assert set(bench.store.names(name)) == {one for one in known if fnmatch.fnmatchcase(one, name)}
    assert bench.times("other") == [T0]
