"""What every store must do, shown on the embedded store and on a real InfluxDB."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from archioc.core.batch import ChannelMeta, Kind, SampleFlag, decode_text
from archioc.core.config_store import InfluxStore
from archioc.core.config_store import Store as StoreSettings
from archioc.core.dbr import ELEMENT_DTYPE, Dbr
from archioc.core.encoding import Encoder, encoder_for
from archioc.core.events import ChannelEvent, Reason
from db.day_files import DAY_NS
from db.embedded import EmbeddedStore
from db.influx import InfluxDatabase
from db.sample_columns import SampleColumns, concatenate
from db.store import CHUNK, Store
from tests.batches import T0, Point, make_batch, spool_file

EVER = 2**63 - 1

ODD_NAMES = ["a'b", 'q"q', "c,d", "e=f", "back\\slash", "end\\", "µ:中", "x' OR pv = 'y", "SR:BPM{1}[2].DESC$", "%s;DROP", "#n"]


@dataclass
class Bench:
    """A store and the encoder for it."""

    store: Store
    encoder: Encoder
    batch_id: int = 0

    def write(self, *points: Point, events: tuple[ChannelEvent, ...] = (), metas: tuple[ChannelMeta, ...] = ()) -> None:
        """Write one batch, which must be taken whole."""
        self.batch_id += 1
        outcome = self.store.write(spool_file(self.encoder, make_batch(points, events, metas), self.batch_id))
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


@pytest.fixture(params=["embedded", "influxdb"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    store: Store
    if request.param == "embedded":
        store = EmbeddedStore(tmp_path / "store")
        encoder = encoder_for(StoreSettings.model_validate({}))
    else:
        database = request.getfixturevalue("influx_database")
        settings = InfluxStore(url=database.url, bucket=database.name)
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
    """Texts, also empty, quoted, of several lines or not UTF-8, and labels of enums come back as text."""
    signs = [b"a,-0,b", b"[-0]", b'",-0,"']
    raw = [*signs, b"", b"plain", b'q"u\\o"te\\', b"two\nlines\r\n", "µ中 ,=".encode(), b"latin \xe9", b" ", b"'; DROP"]
    bench.write(*[Point("T", T0 + at, blob=text, kind=Kind.TEXT) for at, text in enumerate(raw)])
    bench.write(Point("E", T0, 1.0, b"On", Kind.ENUM), Point("E", T0 + 1, 0.0, None, Kind.ENUM, severity=2))
    found, enum = bench.read("T"), bench.read("E")
    assert found is not None
    assert enum is not None
    assert found.text == [decode_text(text) for text in raw]
    assert all(math.isnan(value) for value in found.value.tolist())
    assert (enum.value.tolist(), enum.text, enum.severity.tolist()) == ([1.0, 0.0], ["On", None], [0, 2])


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


def test_long_answers_come_in_chunks(bench: Bench) -> None:
    """Many samples come in several chunks that together are complete and in order."""
    n = 2 * CHUNK + 7
    step = 10_000_000
    bench.write(*[Point("A", T0 + at * step, float(at)) for at in range(n)])
    chunks = list(bench.store.samples("A", 0, EVER, with_previous=False))
    assert len(chunks) > 1
    assert max(len(chunk) for chunk in chunks) <= CHUNK
    found = concatenate(chunks)
    assert np.array_equal(found.time, T0 + np.arange(n) * step)
    assert np.array_equal(found.value, np.arange(n, dtype=np.float64))
