"""What a person can raise or widen: limits on channels, which wait, and write windows, of which the quarantine keeps what they refuse."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from archioc.core.config.store import InfluxStore
from archioc.core.errors import StoreDenied
from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.table import ChannelTable, StoreState
from archioc.db.delivery.delivery_counters import DeliveryCounters
from archioc.db.delivery.loop import Delivery
from archioc.db.delivery.store_status import StoreStatus
from archioc.db.influx.store import InfluxDatabase
from tests.archives.batches import Point, make_batch, spool_file
from tests.conftest import InfluxdFactory
from tests.integration.influx_answers.line_files import DAY_S, Double, Opened, a_file, one_sample
from tests.processes.influx_double import told

S = 10**9

LIMITS_OF_1X = ["INFLUXDB_DATA_MAX_VALUES_PER_TAG", "INFLUXDB_DATA_MAX_SERIES_PER_DATABASE"]


def deliver(delivery: Delivery) -> None:
    while delivery.step():
        pass


@pytest.mark.parametrize("limit", LIMITS_OF_1X)
def test_a_limit_on_channels_waits_until_it_is_raised(
    own_influxd: InfluxdFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str
) -> None:
    """What a limit of the server refuses is neither rejected nor in the quarantine: the store is Denied, and goes on once it is raised."""
    monkeypatch.setenv(limit, "10")
    server = own_influxd()
    store = InfluxDatabase(InfluxStore(url=server.url, bucket="epics"))
    spool, table = SpoolDirectory(tmp_path / "spool"), ChannelTable(tmp_path)
    spool.create()
    table.create(100)
    store.prepare()
    encoder = LineEncoder(store.destination)
    assert not store.write(spool_file(encoder, make_batch([Point(f"PV{at}", 10**18, 0.0) for at in range(10)]))).rejected.any()
    points = [Point(f"PV{at}", time.time_ns() + at, float(at)) for at in range(60)]
    spool.publish(spool.prepare(spool_file(encoder, make_batch(points), 1)))
    delivery = Delivery(spool, store, DeliveryCounters(table.delivery), StoreStatus(table.delivery))
    head = table.delivery.head
    for _ in range(2):
        with pytest.raises(StoreDenied, match="limit exceeded") as caught:
            deliver(delivery)
        delivery._failed(caught.value)
    assert (int(head["store_state"][0]), int(head["rejected"][0])) == (StoreState.DENIED, 0)
    assert not list((spool.root / "quarantine").iterdir())
    monkeypatch.setenv(limit, "0")
    server.stop()
    server.start()
    deliver(delivery)
    assert (int(head["stored"][0]), int(head["rejected"][0])) == (60, 0)
    assert server.query("SELECT count(value) FROM sample", "epics")[0]["count"] == 70
    store.close()
    table.close()


@pytest.mark.parametrize(
    "words",
    [
        'partial write: max-values-per-tag limit exceeded (10/10): measurement="sample" tag="pv" value="A" dropped=1',
        "partial write: max-series-per-database limit exceeded: (50) dropped=60",
        "Update to schema would exceed number of columns per table limit of 500 columns",
        "Adding a new table would exceed limit of 2000 tables",
    ],
)
def test_words_of_limits(double: Double, opened: Opened, words: str) -> None:
    """Each of these limits can be raised."""
    server = double("1.8.10")
    store = opened(server)
    server.scripted = [told(400, {"error": words})]
    with pytest.raises(StoreDenied, match="limit"):
        store.write(one_sample())
    assert not store.write(one_sample()).rejected.any()


def test_a_text_with_the_words_of_a_limit(double: Double, opened: Opened) -> None:
    """A line that is refused for itself is refused, whatever texts of an IOC the server repeats."""
    server = double("1.8.10")
    store = opened(server)
    text = b'max-series-per-database limit exceeded value=nan", value=nan'
    outcome = store.write(a_file([Point("A", time.time_ns() + at, float(at)) for at in range(5)], {b"value=3.0": b'text="' + text}))
    assert (outcome.rejected.tolist(), len(outcome.refusals)) == ([1], 1)


@pytest.mark.parametrize("retention_s", [None, 30 * DAY_S])
@pytest.mark.parametrize("old", [1, 40, 200])
def test_a_write_window(double: Double, opened: Opened, retention_s: float | None, old: int) -> None:
    """What is outside the write window of 1.13 goes to the quarantine with advice; it is not beyond the retention. The event is stored."""
    server = double("1.13.2", retention_s=retention_s)
    server.past_s, server.future_s = 30.0, 600.0
    store = opened(server)
    assert "refuses samples older than 30 s" in store.warning
    now = time.time_ns()
    points = [Point(f"PV{at % 4}", now - (60 * S if at < old else 0) + at, float(at)) for at in range(200)]
    file = a_file(points, committed_ns=now - 60 * S)
    outcome = store.write(file)
    assert (int(outcome.rejected.sum()), int(outcome.kept.sum()), len(server.lines)) == (old, old, 200 - old)
    assert sum(one.content.count(b"sample,") for one in outcome.refusals) == old
    assert "PAST LIMIT" in outcome.remark
    assert "quarantine retry" in outcome.remark
    assert "retention of the store" not in outcome.remark
    assert len(server.writes) <= 6
    store.write_events(outcome.events)
    told_of = [line for line in server.lines if line.startswith(b"event,")]
    assert len(told_of) == min(old, 4)
    assert all(b"outside the write window" in line for line in told_of)
    server.past_s = 3600.0
    again = a_file(points, committed_ns=now - 60 * S)
    assert not opened(server).write(again).rejected.any()


def test_a_stamp_ahead_of_the_window(double: Double, opened: Opened) -> None:
    """Stamps ahead of the window are kept as well, and no more than these."""
    server = double("1.13.2")
    server.past_s, server.future_s = 30.0, 600.0
    now = time.time_ns()
    shifts = {3: 3600, 5: -60, 6: 7200}
    outcome = opened(server).write(a_file([Point(f"PV{at}", now + shifts.get(at, 0) * S, float(at)) for at in range(10)]))
    assert outcome.kept.nonzero()[0].tolist() == [3, 5, 6]
    assert len(server.lines) == 7


def test_retention_and_window_are_told_apart(double: Double, opened: Opened) -> None:
    """Beside a window what is beyond the retention counts as such, and is not kept."""
    server = double("1.13.2", retention_s=DAY_S)
    server.past_s = 30.0
    now = time.time_ns()
    ages = {1: 2 * DAY_S, 2: 3600, 3: 5 * DAY_S}
    outcome = opened(server).write(a_file([Point(f"PV{at}", now - ages.get(at, 0) * S, float(at)) for at in range(5)]))
    assert outcome.rejected.nonzero()[0].tolist() == [1, 2, 3]
    assert outcome.kept.nonzero()[0].tolist() == [2]
    assert "beyond the retention" in outcome.remark
    assert "PAST LIMIT" in outcome.remark


def test_events_that_the_server_would_not_take(double: Double, opened: Opened) -> None:
    """An event whose time is refused is written with the time of now, and names the time of its batch."""
    server = double("1.13.2")
    server.past_s = 30.0
    store = opened(server)
    outcome = store.write(a_file([Point("A", time.time_ns() - 100 * S, 1.0)]))
    event = outcome.events[0].__class__("A", time.time_ns() - 100 * S, outcome.events[0].reason, count=3, text="why")
    store.write_events([event])
    (line,) = [line for line in server.lines if b"count=3i" in line]
    assert b"why (batch of 2" in line
