"""InfluxDB away under a high rate: nothing lost while the spool is large enough, and exactly told what is lost when it is not."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence

import pytest

from archioc.core.events import Reason
from archioc.core.spool.batch import SampleFlag
from archioc.demo.updates import Update, Value
from tests.conftest import ArchiverFactory, CountingFactory, InfluxdFactory, RawWitnessFactory, SoftIocFactory
from tests.processes.influxd import Influxd
from tests.processes.raw_witness import stamps_of
from tests.processes.stored_counters import check_stored, in_influxdb
from tests.processes.waiting import wait_until
from tests.proof.counts import counts
from tests.records.counters import Counting, counter_database, counter_names

DATABASE = "epics"
BEHIND_S = 2.0
RATE_HZ = 10
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
    """Wait until the store has caught up, so that no more is dropped, and stop; what the other client saw, and until when it counts."""
    load.archiver.wait_for_empty_spool(timeout_s=120)
    until_ns = time.time_ns()
    load.archiver.wait_for_samples(load.names[0], until_ns, timeout_s=60)
    load.archiver.wait_for_empty_spool(timeout_s=120)
    load.watch.stop()
    assert load.archiver.stop() == 0
    return dict(load.watch.by_channel()), until_ns


Kept = tuple[int, Value, int, int]
"""An update as a store has it: time stamp (ns), value, severity, status."""


def _kept_as(update: Update) -> Kept:
    return update.time_ns, update.value, update.severity, update.status


def _updates_in(server: Influxd, names: Sequence[str]) -> dict[str, set[Kept]]:
    """What the store has of each channel, generated samples apart; read as a whole, which costs a tenth of `archioc get`."""
    stored = in_influxdb(server.url, DATABASE, names)
    found: dict[str, set[Kept]] = {name: set() for name in names}
    for row, time_ns, value, severity, status, _ in stored[stored["flags"] & SampleFlag.GENERATED == 0].tolist():
        found[names[row]].add((time_ns, value, severity, status))
    return found


def _lost(updates: Sequence[Update], kept: set[Kept]) -> int:
    """How many counts from the first to the last that the other client saw are not stored; those that are have stamp and alarm of it.

    An IOC may merge counts that it sends to one client, so that this has not seen each.
    """
    counts_kept = {value for _, value, _, _ in kept}
    strange = [one for one in updates if one.value in counts_kept and _kept_as(one) not in kept]
    assert not strange, strange[0]
    first, last = (int(float(str(one.value))) for one in (updates[0], updates[-1]))
    return sum(float(count) not in counts_kept for count in range(first, last + 1))


def test_nothing_is_lost_and_live_data_come_first(
    archiver: ArchiverFactory, softioc: SoftIocFactory, raw_witness: RawWitnessFactory, own_influxd: InfluxdFactory, prefix: str
) -> None:
    """After an outage the backlog drains while live samples are in the store within 2 s, and every value is there."""
    number, seconds = counts().fast_counters, counts().fast_away_s
    names = counter_names(prefix, number)
    ioc, server = softioc(counter_database(names)), own_influxd()
    made = archiver(names, [ioc.port], {"influxdb": {"url": server.url, "bucket": DATABASE}})
    made.start(connected=number)
    made.wait_for_samples(names[-1], 0)
    witness = raw_witness(names, [ioc.port], int(number * RATE_HZ * (4 * seconds + 600)))
    server.stop()
    time.sleep(seconds)
    enough = 5 * seconds * number
    wait_until(lambda: made.overview().conservation.pending >= enough, 90 + seconds, f"{enough:.0f} samples are pending", 0.2)
    pending = made.overview().conservation.pending
    server.start()
    fresh = Freshness(server, names[-1])
    made.wait_for_empty_spool(timeout_s=120 + 2 * seconds)
    wait_until(lambda: len(fresh.ages) >= 20, 60, "live samples have been seen in the store", 0.1)
    ages = sorted(fresh.stop())
    print(f"backlog of {pending} samples; age of the newest: median {ages[len(ages) // 2]:.2f} s, longest {ages[-1]:.2f} s")
    # a machine that stands still for a moment is behind for as long
    assert ages[len(ages) // 2] < BEHIND_S
    assert ages[len(ages) * 9 // 10] < 3 * BEHIND_S
    until_ns = time.time_ns()
    assert witness.stop() == 0
    made.wait_for_samples(names[-1], until_ns)
    made.wait_for_empty_spool()
    assert made.stop() == 0
    stored = in_influxdb(server.url, DATABASE, names)
    assert made.check_balance().total.stored == len(stored)
    updates = witness.updates()
    assert len(updates) > 0.9 * number * RATE_HZ * seconds
    check_stored(updates[stamps_of(updates) < until_ns], stored[stored["flags"] == 0], number)


def test_a_spool_too_small_says_exactly_what_is_lost(own_influxd: InfluxdFactory, counting: CountingFactory) -> None:
    """With a spool too small for the outage, counters and events tell of each channel as many samples as are missing in the store."""
    server = own_influxd()
    store = {"influxdb": {"url": server.url, "bucket": DATABASE}}
    load = counting(counts().fast_counters, store, more={"spool": {"max_bytes": SMALL_SPOOL}})
    load.archiver.wait_for_samples(load.names[0], time.time_ns())  # what came before the other client is not in the spool any more
    load.archiver.wait_for_empty_spool()
    server.stop()
    wait_until(lambda: load.archiver.overview().conservation.dropped > 0, 120, "the first batch is dropped", 0.2)
    time.sleep(counts().fast_away_s / 3)
    server.start()
    seen, until_ns = _finish(load)
    kept = _updates_in(server, load.names)
    channels = load.archiver.status().channels
    counted = {name: [one for one in updates if one.time_ns < until_ns] for name, updates in seen.items()}
    lost = Counter({name: _lost(updates, kept[name]) for name, updates in counted.items()})
    events = server.query(f"SELECT sum(count) AS told FROM event WHERE code = '{int(Reason.LOST_SPOOL_FULL)}' GROUP BY pv", DATABASE)
    told = Counter({str(one["pv"]): int(str(one["told"])) for one in events})
    dropped = Counter({name: channels[name].dropped for name in load.names})
    print(f"{lost.total()} samples lost of {sum(map(len, seen.values()))}")
    assert lost.total() > 0
    assert told == dropped
    assert dropped == lost
    assert all(counted.balanced for counted in channels.values())
