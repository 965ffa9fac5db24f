"""`archioc.Client` against a running archiver with every type of record."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import archioc
from archioc.core.config.file import load_config
from archioc.db.sample_columns import SampleColumns, concatenate
from archioc.open_archive import open_reader
from tests.archives.archive_of_types import start_archive_of_types
from tests.conftest import ArchiverFactory, CaClientFactory, SoftIocFactory
from tests.processes.archiver import StoreBlock
from tests.processes.http_client import http_of
from tests.processes.waiting import wait_until

HTTP = {"http": {"enabled": True, "port": 0}}
EVER = "1971-01-01T00:00:00Z"
DAY_NS = 86_400 * 10**9


def plain(value: object) -> object:
    """What can be compared: arrays as lists, all NaN alike."""
    if isinstance(value, np.ndarray):
        return [plain(one) for one in value.tolist()]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def stored_value(samples: SampleColumns, at: int) -> object:
    """The value of one sample, as `plain` has it."""
    array, text = samples.arrays[at], samples.text[at]
    if array is not None:
        return plain(array)
    return text if text is not None and math.isnan(samples.value[at]) else plain(float(samples.value[at]))


def samples_of(frame: pd.DataFrame) -> list[tuple[object, ...]]:
    """Time, value, severity and status of the rows that are samples."""
    rows = frame[frame.gap == ""]
    columns = (pd.DatetimeIndex(rows.index).asi8.tolist(), map(plain, rows.value), rows.severity.tolist(), rows.status.tolist())
    return list(zip(*columns, strict=True))


@pytest.mark.proof
@pytest.mark.timeout(400)
@pytest.mark.parametrize("store", [{"embedded": {}}], ids=["embedded"])
def test_every_type(store: StoreBlock, archiver: ArchiverFactory, softioc: SoftIocFactory, ca_client: CaClientFactory, prefix: str) -> None:
    """Frames have the samples of the store, to the bit and the nanosecond; bins, alarms, gaps and metadata are those of the store too."""
    site = start_archive_of_types(archiver, softioc, prefix, store, HTTP)
    site.put_all(ca_client([site.ioc.port]))
    made, names = site.archiver, site.names
    client = archioc.Client(http_of(made.directories).url)
    reader = open_reader(load_config(made.config))
    assert set(names) <= set(client.find(f"{prefix}*"))
    for name in names:
        stored = concatenate(list(reader.samples(name, 0, 2**62)))
        columns = (stored.time.tolist(), stored.severity.tolist(), stored.status.tolist())
        expected = [(time, stored_value(stored, at), *alarm) for at, (time, *alarm) in enumerate(zip(*columns, strict=True))]
        assert samples_of(client.samples(name, EVER)) == expected, name
        alarms = client.alarms(name, EVER)
        states = [state for part in reader.alarms(name, 0, 2**62) for state in part.severity.tolist()]
        assert alarms.severity.tolist() == states, name
        newest = pd.Timestamp(int(stored.time.max()), tz="UTC")
        bins = client.bins(name, newest - pd.Timedelta("1D"), newest, count=24)
        in_store = reader.bins(name, newest.value - DAY_NS, newest.value, 24)
        np.testing.assert_array_equal(bins["count"], in_store.count, name)
        np.testing.assert_array_equal(bins["max"], in_store.max, name)
        told = reader.meta(name, 2**62)
        assert told is not None
        metadata = client.metadata(name)
        assert (metadata.units, metadata.precision, metadata.labels, metadata.alarm_high) == (
            *(told.units, told.precision, tuple(told.labels)),
            told.alarm_high,
        )
    assert client.samples(f"{prefix}MBBI", EVER).label.dropna().isin(["Idle", "Ramp up", "Trip"]).all()
    site.ioc.stop()
    wait_until(lambda: len(client.gaps(f"{prefix}AI")), 90, "the gap is in the store")
    frame = client.samples(f"{prefix}AI")
    assert (frame.gap.iloc[-1], math.isnan(frame.value.iloc[-1])) == ("disconnected", True)
    assert client.gaps(f"{prefix}AI").end.isna().all()
    reader.close()
