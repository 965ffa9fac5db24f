"""What every store must do, shown on the embedded store and on real InfluxDB servers."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.audit import AuditRecord
from archioc.core.batch import ChannelMeta, Kind, SampleFlag, decode_text
from archioc.core.config_store import InfluxStore
from archioc.core.config_store import Store as StoreSettings
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.encoding import Encoder, encoder_for
from archioc.core.errors import QueryError
from archioc.core.events import ChannelEvent, Reason
from db import embedded_queries, influx_queries
from db import store as store_module
from db.bins import MAX_BINS, Bins, Grid, bins_of
from db.day_files import DAY_NS
from db.embedded import EmbeddedStore
from db.influx import InfluxDatabase
from db.sample_columns import SampleColumns, concatenate
from db.store import CHUNK, CHUNK_BYTES, Store
from tests.batches import T0, Alarm, Point, make_batch, spool_file
from tests.processes.influxd import InfluxDatabase as Database

EVER = 2**63 - 1

ODD_NAMES = ["a'b", 'q"q', "c,d", "e=f", "back\\slash", "end\\", "µ:中", "x' OR pv = 'y", "SR:BPM{1}[2].DESC$", "%s;DROP", "#n"]


@dataclass
class Bench:
    """A store and the encoder for it."""

    store: Store
    encoder: Encoder
    batch_id: int = 0

    def write(
        self,
        *points: Point,
        events: tuple[ChannelEvent, ...] = (),
        metas: tuple[ChannelMeta, ...] = (),
        alarms: tuple[Alarm, ...] = (),
        audit: tuple[AuditRecord, ...] = (),
    ) -> None:
        """Write one batch, which must be taken whole."""
        self.batch_id += 1
        batch = replace(make_batch(points, events, metas, alarms=alarms), audit=audit)
        outcome = self.store.write(spool_file(self.encoder, batch, self.batch_id))
        assert (outcome.rejected.sum(), outcome.refusals) == (0, ())

    def read(self, channel: str, start_ns: int = 0, end_ns: int = EVER, *, with_previous: bool = False) -> SampleColumns | None:
        """All chunks as one; None when there are none."""
        chunks = list(self.store.samples(channel, start_ns, end_ns, with_previous=with_previous))
        assert all(len(chunk) for chunk in chunks)
        return concatenate(chunks) if chunks else None

    def times(self, channel: str, start_ns: int = 0, end_ns: int = EVER, *, with_previous: bool = False) -> list[int]:
        """Times of the samples."""
        found = self.read(channel, start_ns, end_ns, with_previous=with_previous)
        return found.time.tolist() if found else []

    def alarms(self, channel: str, start_ns: int = 0, end_ns: int = EVER, *, with_previous: bool = False) -> list[tuple[int, int, int]]:
        """Time, severity and status of the alarm states."""
        chunks = list(self.store.alarms(channel, start_ns, end_ns, with_previous=with_previous))
        assert all(len(chunk) for chunk in chunks)
        return [
            state for chunk in chunks for state in zip(chunk.time.tolist(), chunk.severity.tolist(), chunk.status.tolist(), strict=True)
        ]


@pytest.fixture(params=["embedded", "influxdb", pytest.param("influxdb-2", marks=pytest.mark.proof)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    store: Store
    if request.param == "embedded":
        store = EmbeddedStore(tmp_path / "store")
        encoder = encoder_for(StoreSettings.model_validate({}))
    else:
        database: Database = request.getfixturevalue("influx_database" if request.param == "influxdb" else "influx_bucket")
        settings = InfluxStore.model_validate(database.settings)
        store = InfluxDatabase(settings)
        encoder = encoder_for(StoreSettings(influxdb=settings))
    store.prepare()
    assert store.destination == encoder.destination
    yield Bench(store, encoder)
    store.close()


def test_numbers_come_back_exactly(bench: Bench) -> None:
    """Every float64, its time to the nanosecond, alarms, flags and source time are read as they were written."""
    huge = [-1e308, 1.7976931348623157e308, 2.0**53 + 2, 1e22]
    values = [0.1, 5.0, -0.0, 0.0, 5e-324, *huge, 123456789.12345679, math.nan, math.inf, -math.inf]
    flags = SampleFlag.GENERATED | SampleFlag.RESTAMPED
    written = [
        Point("A", T0 + at, value, severity=at % 4, status=at * 2, flags=flags if at % 3 == 0 else 0, src_time=T0 - 1 if at % 3 == 0 else 0)
        for at, value in enumerate(values)
    ]
    bench.write(*written)
    found = bench.read("A")
    assert found is not None
    assert found.time.tolist() == [point.time_ns for point in written]
    assert [repr(value) for value in found.value.tolist()] == [repr(value) for value in values]
    for column in ("severity", "status", "flags", "src_time"):
        assert getattr(found, column).tolist() == [getattr(point, column) for point in written], column
    assert found.text == [None] * len(values)
    assert found.arrays == [None] * len(values)


def test_texts_and_labels(bench: Bench) -> None:
    """Texts, also empty, quoted, of several lines or not UTF-8, and labels of enums come back as text, and to the byte."""
    signs = [b"a,-0,b", b"[-0]", b'",-0,"']
    raw = [*signs, b"", b"plain", b'q"u\\o"te\\', b"two\nlines\r\n", "µ中 ,=".encode(), b"latin \xe9", b" ", b"'; DROP", b"],["]
    raw += ["latin é".encode(), bytes(range(1, 256)), "\ufffd\u2028\U0010ffff".encode(), b"\xed\xa0\x80"]
    bench.write(*[Point("T", T0 + at, blob=text, kind=Kind.TEXT) for at, text in enumerate(raw)])
    bench.write(
        Point("E", T0, 1.0, b"On", Kind.ENUM),
        Point("E", T0 + 1, 0.0, None, Kind.ENUM, severity=2),
        Point("E", T0 + 2, 2.0, b"\xe9\xff", Kind.ENUM),
    )
    found, enum = bench.read("T"), bench.read("E")
    assert found is not None
    assert enum is not None
    assert found.text == [decode_text(text) for text in raw]
    assert [found.text_bytes(at) for at in range(len(raw))] == raw
    assert all(math.isnan(value) for value in found.value.tolist())
    assert (enum.value.tolist(), enum.text, enum.severity.tolist()) == ([1.0, 0.0, 2.0], ["On", None, "éÿ"], [0, 2, 0])
    assert [enum.text_bytes(at) for at in range(3)] == [b"On", None, b"\xe9\xff"]


@pytest.mark.parametrize("dbr", Dbr)
def test_arrays(bench: Bench, dbr: Dbr) -> None:
    """Arrays of every type come back element for element, also empty ones, with alarm and flags."""
    dtype = ELEMENT_DTYPE[dbr]
    elements = np.array(["a", "bc", ""], dtype) if dbr is Dbr.STRING else np.array([1, 0, 7], dtype)
    written = [elements, elements[:0], elements[:1]]
    bench.write(
        *[
            Point("W", T0 + at, blob=array.tobytes(), kind=Kind.ARRAY, dbr=dbr, severity=at, flags=at, src_time=at)
            for at, array in enumerate(written)
        ]
    )
    found = bench.read("W")
    assert found is not None
    assert (found.severity.tolist(), found.flags.tolist(), found.src_time.tolist()) == ([0, 1, 2], [0, 1, 2], [0, 1, 2])
    for array, wanted in zip(found.arrays, written, strict=True):
        assert array is not None
        assert (array.dtype, array.tolist()) == (dtype, wanted.tolist())
    assert [found.statistics(at) for at in range(3)] == [ArrayStatistics.of(array) for array in written]


def test_long_texts_and_arrays(bench: Bench) -> None:
    """Texts and arrays far longer than a field of the store may be come back to the byte, among short ones."""
    rng = np.random.default_rng(1)
    texts = [b"short", rng.integers(1, 256, 200_000, np.uint8).tobytes(), ("é中" * 40_000).encode(), b'\\"\n' * 30_000, b"", b"x" * 65_532]
    arrays = [np.arange(size, dtype=np.float64) for size in (1, 6_143, 6_144, 200_000, 0, 3)]
    bench.write(
        *[Point("A", T0 + 2 * at, blob=text, kind=Kind.TEXT) for at, text in enumerate(texts)],
        *[Point("A", T0 + 2 * at + 1, blob=array.tobytes(), kind=Kind.ARRAY) for at, array in enumerate(arrays)],
    )
    found = bench.read("A")
    assert found is not None
    assert [found.text_bytes(at) for at in range(0, 12, 2)] == texts
    assert [None if array is None else array.tobytes() for array in found.arrays[1::2]] == [array.tobytes() for array in arrays]
    last = bench.store.at("A", T0 + 2)
    assert last is not None
    assert last.text_bytes(0) == texts[1]


def test_arrays_of_which_only_statistics_are_kept(bench: Bench) -> None:
    """Number and statistics of an array without its elements come back; what is not finite as NaN."""
    kept = [ArrayStatistics(2_000_000, -1.5, 1e300, 0.1, 2.5), ArrayStatistics(7, math.nan, math.inf, math.nan, math.nan)]
    whole = np.arange(3.0)
    flags = SampleFlag.STATISTICS | SampleFlag.GENERATED
    bench.write(
        Point("A", T0, blob=kept[0].pack(), kind=Kind.ARRAY, flags=flags, src_time=5, severity=2),
        Point("A", T0 + 1, blob=whole.tobytes(), kind=Kind.ARRAY),
        Point("A", T0 + 2, blob=kept[1].pack(), kind=Kind.ARRAY, flags=SampleFlag.STATISTICS),
        Point("B", T0, blob=kept[0].pack(), kind=Kind.ARRAY, flags=SampleFlag.STATISTICS),
    )
    found, alone = bench.read("A"), bench.read("B")
    assert found is not None
    assert alone is not None
    assert [array is None for array in found.arrays] == [True, False, True]
    assert [found.statistics(at) for at in range(3)] == [
        kept[0],
        ArrayStatistics.of(whole),
        ArrayStatistics(7, math.nan, math.nan, math.nan, math.nan),
    ]
    assert (found.flags.tolist(), found.src_time.tolist(), found.severity.tolist()) == ([flags, 0, 4], [5, 0, 0], [2, 0, 0])
    assert alone.statistics(0) == kept[0]
    assert math.isnan(found.value[0])


def test_a_channel_that_changes_its_kind(bench: Bench) -> None:
    """Numbers, arrays and texts of one channel come as one sequence in time."""
    array = np.arange(2.0).tobytes()
    bench.write(Point("A", T0, 1.0), Point("A", T0 + 1, blob=array, kind=Kind.ARRAY), Point("A", T0 + 2, blob=b"x", kind=Kind.TEXT))
    bench.write(Point("A", T0 + 3, blob=array, kind=Kind.ARRAY), Point("A", T0 + 4, 2.0))
    found = bench.read("A")
    assert found is not None
    assert found.time.tolist() == [T0, T0 + 1, T0 + 2, T0 + 3, T0 + 4]
    assert [one is not None for one in found.arrays] == [False, True, False, True, False]
    assert found.text == [None, None, "x", None, None]


def test_ranges_are_inclusive_and_know_what_came_before(bench: Bench) -> None:
    """Both ends belong to a range; the sample before it comes first when it is wanted."""
    bench.write(*[Point("A", T0 + at, float(at)) for at in range(5)])
    assert bench.times("A", T0 + 1, T0 + 3) == [T0 + 1, T0 + 2, T0 + 3]
    assert bench.times("A", T0 + 1, T0 + 3, with_previous=True) == [T0, T0 + 1, T0 + 2, T0 + 3]
    assert bench.times("A", T0, T0, with_previous=True) == [T0]
    assert bench.times("A", T0 + 10, T0 + 20, with_previous=True) == [T0 + 4]
    assert bench.times("A", T0 + 10, T0 + 20) == []
    assert bench.times("A", T0 + 3, T0 + 1) == []
    last = bench.store.last_before("A", T0 + 3)
    assert last is not None
    assert (last.time.tolist(), last.value.tolist()) == ([T0 + 2], [2.0])
    assert bench.store.last_before("A", T0) is None


def test_the_value_in_force(bench: Bench) -> None:
    """At each moment the sample in force is the last one up to then, that of the very moment included, of whatever kind."""
    array = np.arange(2.0).tobytes()
    bench.write(Point("A", T0, math.nan), Point("A", T0 + 10, blob=b"x", kind=Kind.TEXT), Point("A", T0 + 20, blob=array, kind=Kind.ARRAY))
    bench.write(Point("A", T0 + DAY_NS, 4.0, severity=1))
    later = T0 + DAY_NS
    wanted = {T0 - 1: None, T0: T0, T0 + 9: T0, T0 + 10: T0 + 10, T0 + 19: T0 + 10, T0 + 25: T0 + 20, later: later, EVER: later}
    found = {asked: bench.store.at("A", asked) for asked in wanted}
    assert {asked: None if one is None else one.time.tolist() for asked, one in found.items()} == {
        asked: None if one is None else [one] for asked, one in wanted.items()
    }
    last = found[EVER]
    assert last is not None
    assert (last.value.tolist(), last.severity.tolist()) == ([4.0], [1])
    assert bench.store.at("B", EVER) is None


def _in_bins(points: list[Point], start: int, end: int, count: int) -> Bins:
    """Bins by numpy from the samples that were written."""
    within = sorted((point for point in points if start <= point.time_ns < end), key=lambda point: point.time_ns)
    n = len(within)
    columns = SampleColumns(
        np.array([point.time_ns for point in within], np.int64),
        np.array([point.value for point in within], np.float64),
        np.array([point.severity for point in within], np.uint8),
        np.zeros(n, np.uint8),
        np.zeros(n, np.uint8),
        np.zeros(n, np.int64),
        ["" if point.kind is Kind.TEXT else None for point in within],
        [None] * n,
    )
    return bins_of(Grid.of(start, end, count), [columns] if n else [])


def assert_same_bins(found: Bins, wanted: Bins) -> None:
    for one in fields(Bins):
        exact = one.name not in {"mean", "std"}
        relative, absolute = (0.0, 0.0) if exact else (1e-12, 1e-9)
        np.testing.assert_allclose(getattr(found, one.name), getattr(wanted, one.name), relative, absolute, err_msg=one.name)


def test_statistics_in_bins(bench: Bench) -> None:
    """Count, extremes, mean, deviation, first and last with their times and severity are those of the samples of each bin."""
    rng = np.random.default_rng(7)
    times = T0 // DAY_NS * DAY_NS + np.sort(rng.choice(3 * DAY_NS // 1000, 4000, replace=False)) * 1000
    points = [
        Point("A", int(time), float(value), severity=int(severity))
        for time, value, severity in zip(times, rng.normal(1e6, 1.0, 4000), rng.choice(4, 4000, p=[0.97, 0.01, 0.01, 0.01]), strict=True)
    ]
    points[100:110] = [replace(point, value=[math.nan, math.inf, -math.inf][at % 3]) for at, point in enumerate(points[100:110])]
    points[200:205] = [replace(point, value=math.nan, kind=Kind.TEXT, blob=b"t", severity=3) for point in points[200:205]]
    array = np.arange(3.0).tobytes()
    bench.write(*points[:2000], Point("A", points[50].time_ns + 1, blob=array, kind=Kind.ARRAY), Point("B", points[0].time_ns, 9.0))
    bench.write(*points[2000:])
    first, last = points[0].time_ns, points[-1].time_ns
    day = T0 // DAY_NS * DAY_NS
    for start, end, count in (
        (day, day + 3 * DAY_NS, 100),
        (first, last, 7),
        (first, last + 1, 1),
        (first + 12345, last - 54321, 1000),
        (day - DAY_NS, day + 9 * DAY_NS, 13),
        (points[105].time_ns, points[105].time_ns + 1, 5),
        (points[150].time_ns, points[250].time_ns, 3),
        (points[202].time_ns, points[203].time_ns, 2),
        (last + 1, last + 10, 3),
    ):
        wanted = _in_bins(points, start, end, count)
        assert_same_bins(bench.store.bins("A", start, end, count), wanted)
        timeless = bench.store.bins("A", start, end, count, times=False)
        assert_same_bins(replace(timeless, first_time=wanted.first_time, last_time=wanted.last_time), wanted)
    for wrong in ((5, 5, 1), (0, 5, 0), (0, 5, MAX_BINS + 1)):
        with pytest.raises(QueryError, match=r"the end after it|from 1 to"):
            bench.store.bins("A", *wrong)
    assert bench.store.bins("nobody", first, last, 3).count.tolist() == [0, 0, 0]


def test_bins_of_samples_written_twice(bench: Bench) -> None:
    """A sample that was replaced by a later one with its time is not counted, and none is counted twice."""
    bench.write(Point("A", T0, 1.0), Point("A", T0 + 1, 2.0))
    bench.write(Point("A", T0, 5.0), Point("A", T0 + 2, 3.0))
    found = bench.store.bins("A", T0, T0 + 4, 1)
    assert (found.count.tolist(), found.max.tolist(), found.first.tolist(), found.mean.tolist()) == ([3], [5.0], [5.0], [10 / 3])


def test_bins_of_huge_numbers(bench: Bench) -> None:
    """Numbers whose sum is beyond float64 do not keep the other columns from being answered."""
    bench.write(Point("A", T0, 1e308), Point("A", T0 + 1, 1.5e308), Point("A", T0 + 2, 1.0))
    found = bench.store.bins("A", T0, T0 + 3, 1)
    assert (found.count.tolist(), found.min.tolist(), found.max.tolist(), found.last.tolist()) == ([3], [1.0], [1.5e308], [1.0])
    assert not np.isfinite(found.mean[0])


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


def test_samples_of_several_days(bench: Bench) -> None:
    """A range over midnight and over days without samples is read in order, and the last sample is found days back."""
    day = T0 // DAY_NS * DAY_NS
    times = [day - 40 * DAY_NS, day - 1, day, day + 5 * DAY_NS]
    bench.write(*[Point("A", time_ns, 1.0) for time_ns in times])
    assert bench.times("A") == times
    assert bench.times("A", day - 1, day) == [day - 1, day]
    assert bench.times("A", day + 1, day + 6 * DAY_NS, with_previous=True) == times[2:]
    assert bench.times("A", day - 20 * DAY_NS, day - 10 * DAY_NS, with_previous=True) == times[:1]


def test_a_batch_sent_twice_is_stored_once(bench: Bench) -> None:
    """Writing the same file again adds nothing, also when other files came between."""
    first = [Point("A", T0 + at * DAY_NS, float(at)) for at in range(3)]
    bench.write(*first)
    bench.write(Point("A", T0 + 1, 9.0))
    bench.batch_id = 0
    bench.write(*first)
    assert bench.times("A") == [T0, T0 + 1, T0 + DAY_NS, T0 + 2 * DAY_NS]


def test_the_last_of_two_samples_with_one_time_counts(bench: Bench) -> None:
    """A sample written again under the same time replaces the earlier one."""
    bench.write(Point("A", T0, 1.0), Point("A", T0, 2.0))
    bench.write(Point("B", T0, 1.0))
    bench.write(Point("B", T0, 2.0))
    for channel in "AB":
        found = bench.read(channel)
        assert found is not None
        assert (found.time.tolist(), found.value.tolist()) == ([T0], [2.0])


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


def test_long_answers_come_in_chunks(bench: Bench) -> None:
    """Many samples, also within a minute, come in chunks of a bounded size that together are complete and in order.

    So they do when the later ones were stored first, and when only the last chunk has a text.
    """
    n = 2 * CHUNK + 7
    step = 100_000
    points = [Point("A", T0 + at * step, float(at)) for at in range(n)]
    points[-3] = Point("A", T0 + (n - 3) * step, blob=b"late", kind=Kind.TEXT)
    bench.write(*points[n // 2 :])
    bench.write(*points[: n // 2])
    chunks = list(bench.store.samples("A", 0, EVER, with_previous=False))
    assert len(chunks) > 1
    assert max(len(chunk) for chunk in chunks) <= CHUNK
    found = concatenate(chunks)
    assert np.array_equal(found.time, T0 + np.arange(n) * step)
    assert np.array_equal(np.flatnonzero(np.isnan(found.value)), [n - 3])
    assert np.array_equal(np.delete(found.value, n - 3), np.delete(np.arange(n, dtype=np.float64), n - 3))
    assert (found.text.count(None), found.text[n - 3]) == (n - 1, "late")


def test_large_samples_come_a_few_at_a_time(bench: Bench) -> None:
    """Chunks of large arrays and texts, however close in time, hold a bounded number of bytes."""
    size, n = CHUNK_BYTES // 8 // 3, 10
    array = np.arange(size, dtype=np.float64).tobytes()
    text = b"x" * (CHUNK_BYTES // 3)
    for at in range(n):
        bench.write(Point("A", T0 + at, blob=array, kind=Kind.ARRAY), Point("T", T0 + at, blob=text, kind=Kind.TEXT))
    arrays, texts = (list(bench.store.samples(name, 0, EVER, with_previous=False)) for name in "AT")
    assert sum(len(chunk) for chunk in arrays) == sum(len(chunk) for chunk in texts) == n
    assert max(sum(one.nbytes for one in chunk.arrays if one is not None) for chunk in arrays) <= CHUNK_BYTES
    assert max(sum(len(one or "") for one in chunk.text) for chunk in texts) <= CHUNK_BYTES


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
