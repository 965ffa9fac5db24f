"""The page over much data, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest

from archioc.core.config.store import InfluxStore
from archioc.core.config.store import Store as StoreSettings
from archioc.core.spool.encoding import encoder_for
from archioc.core.timestamp import SECOND, format_utc
from archioc.db.influx.store import InfluxDatabase
from tests.archives.batches import Point, make_batch, spool_file
from tests.conftest import ServedStoreFactory
from tests.processes.chromium import Chromium
from tests.processes.influxd import InfluxDatabase as Database

START = 1_790_000_000 * SECOND
YEAR = 365 * 86_400 * SECOND
NUMBER = 200_000
"""Samples of the year, one in 158 s."""
SPIKE = NUMBER // 3


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chromium]:
    """A browser with an empty page."""
    made = Chromium(tmp_path)
    yield made
    made.close()


@pytest.mark.proof
@pytest.mark.timeout(400)
def test_dense_year_of_influxdb(influx_database: Database, served_store: ServedStoreFactory, browser: Chromium) -> None:
    """A year of dense samples in InfluxDB is drawn in bins, of which each column of pixels has one; a spike of one sample is seen."""
    settings = InfluxStore.model_validate({"url": influx_database.url, "bucket": influx_database.name})
    store = InfluxDatabase(settings)
    store.prepare()
    encoder = encoder_for(StoreSettings(influxdb=settings))
    value = np.sin(np.arange(NUMBER) / 3000)
    value[SPIKE] = 50.0
    points = [Point("SR:YEAR", START - YEAR + at * (YEAR // NUMBER), one) for at, one in enumerate(value.tolist())]
    for batch in range(0, NUMBER, 50_000):
        store.write(spool_file(encoder, make_batch(points[batch : batch + 50_000]), batch + 1))
    made = served_store(reader=store)
    span = {"from": format_utc(START - YEAR), "to": format_utc(START)}
    browser.open(f"{made.http.url}/?{urlencode({'pv': 'SR:YEAR', **span})}")
    browser.wait("document.getElementById('plot')?.dataset.shown ?? ''")
    summary = browser.value("document.getElementById('summary').innerText")
    assert re.search(r"SR:YEAR: \d+ bins, from -1 to 50\b", summary), summary
    assert browser.value("Math.max(...document.getElementById('plot').data.find(trace => trace.name === 'band').y)") == 50.0
    assert browser.faults == []
    store.close()
