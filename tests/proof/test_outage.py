"""InfluxDB away under a high rate: nothing lost while the spool is large enough, and exactly told what is lost when it is not."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence

import pytest

from archioc.demo.updates import Update
from tests.conftest import CountingFactory, InfluxdFactory
from tests.counters import Counting, check_no_loss, missing
from tests.processes.influxd import Influxd
from tests.processes.waiting import wait_until
from tests.proof.counts import counts

DATABASE = "epics"
BEHIND_S = 2.0
SMALL_SPOOL = 1_000_000

pytestmark = [pytest.mark.proof, pytest.mark.timeout(900)]


class Freshness:
    """How old the newest stored sample of a channel is, asked again and again in a thread, from when it has been fresh once."""

    def __init__(self, server: Influxd, channel: str) -> None:
        self._server, self._channel = server, channel
        self._stop = threading.Event()
        self.ages: list[float] = []
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> list[float]:
        """End it; the ages (s)."""
        self._stop.set()
        self._thread.join(30)
        return self.ages

    def _watch(self) -> None:
        query = f"SELECT last(value) FROM sample WHERE pv = '{self._channel}'"
        while not self._stop.wait(0.1):
            newest = max((int(str(row["time"])) for row in self._server.query(query, DATABASE)), default=0)
            age = (time.time_ns() - newest) / 1e9
            if self.ages or age < BEHIND_S:
                self.ages.append(age)


def _finish(load: Counting) -> tuple[dict[str, Sequence[Update]], int]:
    """Wait until all there is is stored, and stop; what the other client saw, and until when it counts."""
    until_ns = time.time_ns()
    load.archiver.wait_for_samples(load.names[0], until_ns, timeout_s=60)
    load.archiver.wait_for_empty_spool(timeout_s=120)
    load.watch.stop()
    assert load.archiver.stop() == 0
    return dict(load.watch.by_channel()), until_ns


def test_nothing_is_lost_and_live_data_come_first(own_influxd: InfluxdFactory, counting: CountingFactory) -> None:
    """After an outage the backlog drains while live samples are in the store within 2 s, and every value is there."""
    server = own_influxd()
    load = counting(counts().fast_counters, {"influxdb": {"url": server.url, "bucket": DATABASE}})
    server.stop()
    time.sleep(counts().fast_away_s)
    server.start()
    pending = load.archiver.overview().conservation.pending
    assert pending >= 5 * counts().fast_away_s * counts().fast_counters
    fresh = Freshness(server, load.names[-1])
    load.archiver.wait_for_empty_spool(timeout_s=60 + 2 * counts().fast_away_s)
    ages = sorted(fresh.stop())
    print(f"backlog of {pending} samples; age of the newest: median {ages[len(ages) // 2]:.2f} s, longest {ages[-1]:.2f} s")
    assert ages[-1] < BEHIND_S
    seen, until_ns = _finish(load)
    check_no_loss(seen, load.archiver.check_conservation().histories, until_ns)


def test_a_spool_too_small_says_exactly_what_is_lost(own_influxd: InfluxdFactory, counting: CountingFactory) -> None:
    """With a spool too small for the outage, counters and events tell of each channel as many samples as are missing in the store."""
    server = own_influxd()
    store = {"influxdb": {"url": server.url, "bucket": DATABASE}}
    load = counting(counts().fast_counters, store, more={"spool": {"max_bytes": SMALL_SPOOL}})
    server.stop()
    wait_until(lambda: load.archiver.overview().conservation.dropped > 0, 120, "the first batch is dropped", 0.2)
    time.sleep(counts().fast_away_s / 3)
    server.start()
    seen, until_ns = _finish(load)
    histories = load.archiver.get_all()
    channels = load.archiver.status().channels
    lost = Counter({name: len(missing(updates, histories[name], until_ns)) for name, updates in seen.items()})
    told = Counter({name: sum(event.count for event in histories[name].gaps("lost_spool_full")) for name in load.names})
    dropped = Counter({name: channels[name].dropped for name in load.names})
    print(f"{lost.total()} samples lost of {sum(map(len, seen.values()))}")
    assert lost.total() > 0
    assert told == dropped
    assert dropped == lost
    assert all(counted.balanced for counted in channels.values())
