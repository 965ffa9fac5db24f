"""`archioc.Client` over HTTP: what a program gets of the archive."""

from __future__ import annotations

import errno
import math
import os
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

import archioc
from archioc.core.dbr import Dbr
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta, Kind, SampleFlag
from archioc.core.timestamp import SECOND, format_utc
from tests.archives.batches import Point
from tests.conftest import ServedStoreFactory
from tests.processes.served_store import ServedStore

START = 1_790_000_000 * SECOND + 123_456_789
"""2026-09-21T14:13:20.123456789Z."""
GAP = ChannelEvent("SR:CURRENT", START + 30 * SECOND, Reason.DISCONNECTED, START + 60 * SECOND)
META = ChannelMeta("SR:CURRENT", START, Dbr.DOUBLE, 1, "ioc:5064", units="mA", precision=2, alarm_high=250.0)


def at(second: float) -> str:
    """A time of the test."""
    return format_utc(START + round(second * SECOND))


def times(frame: pd.DataFrame) -> list[int]:
    """The index (ns since 1970 UTC)."""
    return pd.DatetimeIndex(frame.index).as_unit("ns").asi8.tolist()


@pytest.fixture
def ring(served_store: ServedStoreFactory) -> ServedStore:
    """A current with a gap, a shutter, and a message."""
    made = served_store()
    current = [Point("SR:CURRENT", START + n * SECOND, 200.0 - n, severity=int(n == 5) * 2, status=int(n == 5) * 3) for n in range(100)]
    current = [point for point in current if not 30 < (point.time_ns - START) // SECOND < 60]
    made.write(
        [
            *current,
            Point("SR:NAN", START, math.nan),
            Point("SR:NAN", START + SECOND, -math.inf),
            *(Point("SR:SHUTTER", START + n * 10 * SECOND, float(n % 2), kind=Kind.ENUM) for n in range(4)),
            Point("SR:MESSAGE", START + SECOND, blob="50 µm".encode(), kind=Kind.TEXT),
        ],
        [GAP],
        [META, ChannelMeta("SR:SHUTTER", START, Dbr.ENUM, 1, "ioc", labels=("closed", "open"))],
    )
    return made


@pytest.fixture
def client(ring: ServedStore) -> archioc.Client:
    """A client of it."""
    return archioc.Client(ring.http.url)


def test_samples(client: archioc.Client) -> None:
    """A frame has the sample before the start and all up to the end to the nanosecond, with alarms, and a row where a gap begins."""
    frame = client.samples("ca://SR:CURRENT.VAL", at(4.5), at(62))
    assert frame.index.dtype == "datetime64[ns, UTC]"
    assert times(frame) == [START + n * SECOND for n in [*range(4, 31), 30, 60, 61, 62]]
    assert frame.value.tolist()[:27] == [200.0 - n for n in range(4, 31)]
    assert frame.gap.tolist() == [""] * 27 + ["disconnected"] + [""] * 3
    gap = frame[frame.gap != ""]
    assert gap[["value", "severity", "status"]].isna().all(axis=None)
    alarm = frame[frame.severity >= archioc.Severity.MAJOR]
    assert (alarm.value.tolist(), alarm.status.tolist()) == ([195.0], [archioc.Status.HIHI])
    assert (frame.attrs["units"], frame.attrs["precision"], frame.attrs["alarm_high"], frame.attrs["alarm_low"]) == ("mA", 2, 250.0, None)


def test_what_is_no_plain_number(client: archioc.Client) -> None:
    """NaN and infinities come as they are, texts as texts, enums with their labels."""
    numbers = client.samples("SR:NAN", at(0), at(9))
    assert numbers.value.dtype == np.float64
    assert math.isnan(numbers.value.iloc[0])
    assert numbers.value.iloc[1] == -math.inf
    assert client.samples("SR:MESSAGE", at(0), at(9)).value.tolist() == ["50 µm"]
    assert client.samples("SR:SHUTTER", at(0), at(99)).label.tolist() == ["closed", "open"] * 2


def test_arrays_and_flags(ring: ServedStore, client: archioc.Client) -> None:
    """An array is a numpy array of its own type, one too large to keep a dict of statistics; flags are words."""
    elements = np.array([1, -2, 3], "<i4")
    ring.write(
        [
            Point("SR:WAVE", START, blob=elements.tobytes(), kind=Kind.ARRAY, dbr=Dbr.LONG, flags=SampleFlag.GENERATED, src_time=START - 5),
            Point("SR:NAMES", START, blob=b"one".ljust(40, b"\0") + b"two".ljust(40, b"\0"), kind=Kind.ARRAY, dbr=Dbr.STRING),
        ]
    )
    frame = client.samples("SR:WAVE", at(0), at(1))
    assert (frame.value.iloc[0].dtype, frame.value.iloc[0].tolist()) == (elements.dtype, elements.tolist())
    assert frame["flags"].tolist() == ["generated"]
    assert client.samples("SR:NAMES", at(0), at(1)).value.iloc[0].tolist() == ["one", "two"]


def test_bins(ring: ServedStore, client: archioc.Client) -> None:
    """Bins are those of the store, with the reason of a gap in each that it overlaps with."""
    frame = client.bins("SR:CURRENT", at(0), at(100), count=10)
    stored = ring.store.bins("SR:CURRENT", START, START + 100 * SECOND, 10)
    assert times(frame) == stored.start.tolist()
    for name in ("count", "min", "max", "mean", "std", "first", "last", "non_finite", "severity"):
        np.testing.assert_array_equal(frame[name], getattr(stored, name))
    assert frame.gap.tolist() == [""] * 3 + ["disconnected"] * 3 + [""] * 4


def test_aligned(client: archioc.Client) -> None:
    """Channels stand beside each other with the values in force, by change or in equal steps; a gap is NaN until the next sample."""
    frame = client.aligned(["SR:CURRENT", "SR:SHUTTER"], at(-1), at(40), step_s=10)
    assert times(frame) == [START + n * SECOND for n in (-1, 9, 19, 29, 39)]
    np.testing.assert_array_equal(frame["SR:CURRENT"], [np.nan, 191, 181, 171, np.nan])
    np.testing.assert_array_equal(frame["SR:SHUTTER"], [np.nan, 0, 1, 0, 1])
    changes = client.aligned(["SR:NAN", "SR:MESSAGE"], at(0), at(9))
    assert times(changes) == [START, START + SECOND]
    assert math.isnan(changes["SR:MESSAGE"].iloc[0])
    assert changes["SR:MESSAGE"].iloc[1] == "50 µm"
    late = client.aligned(["SR:CURRENT"], at(45.5), at(46))
    assert times(late) == [START + round(45.5 * SECOND)]
    assert late["SR:CURRENT"].isna().all()


def test_events_gaps_alarms_metadata(client: archioc.Client) -> None:
    """Gaps have an end, alarms each change, metadata what the IOC told; names are found by globs."""
    gaps = client.gaps("SR:CURRENT", at(0), at(99))
    assert times(gaps) == [GAP.time_ns]
    assert (gaps.reason.tolist(), gaps.end.tolist()) == (["disconnected"], [pd.Timestamp(START + 60 * SECOND, tz="UTC")])
    assert len(client.events("SR:CURRENT", at(0), at(99))) == 1
    assert client.gaps("SR:NAN", at(0), at(99)).empty
    assert client.alarms("SR:CURRENT", at(0), at(99)).columns.tolist() == ["severity", "status"]
    told = client.metadata("SR:SHUTTER")
    assert (told.type, told.labels, told.host) == ("ENUM", ("closed", "open"), "ioc")
    assert client.metadata("SR:MESSAGE") == archioc.Metadata("SR:MESSAGE")
    assert client.find("SR:[CM]*") == ["SR:CURRENT", "SR:MESSAGE"]
    assert client.find("nothing*") == []


def test_range_without_samples(client: archioc.Client) -> None:
    """Before the first sample a frame is empty, with the same columns and types."""
    empty, full = client.samples("SR:CURRENT", at(-9), at(-5)), client.samples("SR:CURRENT", at(0), at(5))
    assert empty.empty
    assert empty.columns.tolist() == full.columns.tolist()
    assert empty.value.dtype == full.value.dtype
    assert client.alarms("SR:CURRENT", at(-9), at(-5)).empty


def test_times(client: archioc.Client) -> None:
    """A time may be a datetime or a time stamp of pandas, which has nanoseconds; without a zone both are local."""
    exact = pd.Timestamp(START, tz="UTC")
    assert times(client.samples("SR:CURRENT", exact, exact)) == [START]
    plain = datetime(2026, 9, 21, 14, 13, 25, tzinfo=UTC)
    one = client.samples("SR:CURRENT", plain, plain)
    assert times(one) == [START + 4 * SECOND]
    local = plain.astimezone().replace(tzinfo=None)
    assert client.samples("SR:CURRENT", local, local).equals(one)
    assert client.samples("SR:CURRENT", pd.Timestamp(local), pd.Timestamp(local)).equals(one)


def test_errors(client: archioc.Client) -> None:
    """What is wrong is named: the channel, the time, the value."""
    with pytest.raises(archioc.UnknownChannel, match="SR:NONE: no such channel"):
        client.samples("SR:NONE")
    with pytest.raises(archioc.TimeFormatError, match="tomorrow"):
        client.samples("SR:CURRENT", "tomorrow")
    with pytest.raises(archioc.TimeFormatError, match="lies before the start"):
        client.samples("SR:CURRENT", at(5), at(4))
    with pytest.raises(archioc.UsageError, match="bins=0: a whole number"):
        client.bins("SR:CURRENT", at(0), at(5), count=0)
    with pytest.raises(archioc.UsageError, match="a list of names"):
        client.aligned("SR:CURRENT")
    with pytest.raises(archioc.UsageError, match="step_s 0"):
        client.aligned(["SR:CURRENT"], at(0), at(5), step_s=0)
    with pytest.raises(archioc.UsageError, match="url 'localhost'"):
        archioc.Client("localhost")


def test_server_that_is_not_there(ring: ServedStore) -> None:
    """Where nothing answers, or something else does, the error has the address."""
    with pytest.raises(archioc.ServerUnavailable, match=rf"http://127\.0\.0\.1:1: .*{os.strerror(errno.ECONNREFUSED)}"):
        archioc.Client("http://127.0.0.1:1").find()
    with pytest.raises(archioc.ServerUnavailable, match="/page: 404 "):
        archioc.Client(f"{ring.http.url}/page").find()


def test_import_is_light() -> None:
    """`import archioc` loads neither pandas nor numpy; what it does not have is an AttributeError."""
    code = "import archioc, sys; print('pandas' in sys.modules, 'numpy' in sys.modules, hasattr(archioc, 'Nothing'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["False", "False", "False"]
