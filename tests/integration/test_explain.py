"""`archioc explain` on a running archiver: gaps, losses and filters are provoked, and the cause that it tells is the true one."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from archioc.core.timestamp import SECOND, format_utc
from tests.conftest import ArchiverFactory, CaClientFactory, SoftIocFactory
from tests.counters import counter_database, counter_names
from tests.processes.archiver import Archiver, StoreBlock
from tests.processes.archiver_answers import Event
from tests.processes.ca_client import CaClient
from tests.processes.soft_ioc import SoftIoc
from tests.processes.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

BEFORE = 'record(ao, "{prefix}TYPE") {{ field(VAL, 3) field(PINI, YES) field(DTYP, "Soft Channel") }}\n'
AFTER = 'record(stringout, "{prefix}TYPE") {{ field(VAL, "three") field(PINI, YES) }}\n'
OTHERS = """
record(waveform, "{prefix}LONG") {{ field(FTVL, DOUBLE) field(NELM, 8) field(PINI, YES) }}
record(ao, "{prefix}UNSET") {{ field(VAL, 7) }}
record(ao, "{prefix}QUIET") {{ field(VAL, 7) field(PINI, YES) }}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """An archiver of counters at 10 Hz and of single records. alone: the IOC of the records whose names end with TYPE."""

    archiver: Archiver
    client: CaClient
    alone: SoftIoc
    names: list[str]
    prefix: str

    def explain(self, channel: str, time_ns: int) -> dict[str, Any]:
        """What the command says, as JSON."""
        done = self.archiver.command("explain", channel, format_utc(time_ns), "-c", str(self.archiver.config), "--format", "json")
        assert done.status == 0, done.err
        found: dict[str, Any] = json.loads(done.out)
        return found

    def cause(self, channel: str, time_ns: int) -> str:
        return str(self.explain(channel, time_ns)["cause"])

    def words(self, channel: str, time_ns: int) -> list[str]:
        return [str(cause["cause"]) for cause in self.explain(channel, time_ns)["causes"]]

    def put(self, channel: str, field: str, value: object) -> None:
        self.client.put(f"{self.archiver.prefix}CH:{channel}:{field}", value)

    def wait_for_state(self, channel: str, state: str) -> None:
        self.client.wait_for_value(f"{self.archiver.prefix}CH:{channel}:State", state, 20)

    def wait_for_event(self, channel: str, reason: str, *, closed: bool = False) -> Event:
        """The last event with this reason, once the store has it."""

        def found() -> list[Event]:
            return [event for event in self.archiver.history(channel).gaps(reason) if event.end_ns is not None or not closed]

        wait_until(found, 20, f"{channel} has an event {reason}", 0.2)
        return found()[-1]

    def between_samples(self, channel: str, since_ns: int, apart_s: float) -> int:
        """The middle of the first hole so long between two samples after a time, once the store has it."""

        def holes() -> list[int]:
            times = [sample.time_ns for sample in self.archiver.history(channel).samples if sample.time_ns >= since_ns]
            return [(a + b) // 2 for a, b in zip(times, times[1:], strict=False) if b - a > apart_s * SECOND]

        wait_until(holes, 20, f"{channel} has a hole of {apart_s} s", 0.2)
        return holes()[0]


@pytest.fixture
def site(archiver: ArchiverFactory, softioc: SoftIocFactory, ca_client: CaClientFactory, prefix: str, store: StoreBlock) -> Site:
    names = counter_names(prefix, 6)
    ioc, alone = softioc(counter_database(names) + OTHERS.format(prefix=prefix)), softioc(BEFORE.format(prefix=prefix))
    records = [{"pv": f"{prefix}LONG", "max_elements": 4, "large_arrays": "refuse"}, f"{prefix}UNSET", f"{prefix}QUIET", f"{prefix}TYPE"]
    made = archiver([*names[:4], *records], [ioc.port, alone.port], store)
    content = yaml.safe_load(made.config.read_text())
    made.config.write_text(yaml.safe_dump(content | {"groups": {"vacuum": {"channels": [names[4]]}}}, sort_keys=False))
    made.start(connected=9)
    for name in (*names[:5], f"{prefix}QUIET", f"{prefix}TYPE"):
        made.wait_for_samples(name, 0)
    return Site(made, ca_client([made.port, ioc.port, alone.port]), alone, names, prefix)


def test_gaps(site: Site) -> None:
    """For each kind of gap the reason is told while it is open and when it is over; before adding, after removal and for others too."""
    archiver, client, (off, _, _, removed, grouped, added) = site.archiver, site.client, site.names
    cut, group = f"{site.prefix}TYPE", f"{archiver.prefix}GRP:vacuum:Enable"
    begun = time.time_ns()
    site.put(off, "Enable", 0)
    client.put(group, 0)
    site.alone.kill()
    for channel, state in ((off, "Disabled"), (grouped, "GroupOff"), (cut, "Disconnected")):
        site.wait_for_state(channel, state)
    gaps = {off: "disabled", grouped: "group_off", cut: "disconnected"}
    moments = {channel: site.wait_for_event(channel, reason).time_ns + SECOND // 100 for channel, reason in gaps.items()}
    assert {channel: site.cause(channel, at) for channel, at in moments.items()} == gaps
    site.put(off, "Enable", 1)
    client.put(group, 1)
    site.alone.restart()
    for channel in gaps:
        site.wait_for_state(channel, "Archiving")
    killed = archiver.kill_child("engine")
    archiver.wait_for_successor("engine", killed)
    archiver.wait_connected(9)
    restart = site.wait_for_event(off, "engine_restart", closed=True)
    assert restart.end_ns is not None
    for channel, reason in gaps.items():
        site.wait_for_event(channel, reason, closed=True)
        found = site.explain(channel, moments[channel])
        assert (found["cause"], found["certain"]) == (reason, True)
        assert found["causes"][0]["end_ns"] > moments[channel]
    assert site.cause(off, (restart.time_ns + restart.end_ns) // 2) == "engine_restart"
    client.put(archiver.prefix + "Add", added)
    archiver.wait_for_samples(added, 0)
    assert site.cause(added, begun) == "not_yet_added"
    client.put(archiver.prefix + "Remove", removed)
    wait_until(lambda: archiver.history(removed).samples[-1].time_ns < time.time_ns() - 2 * SECOND, 10, "its last sample is old", 0.2)
    assert site.cause(removed, time.time_ns() - SECOND // 10) == "removed"
    assert site.cause(f"{site.prefix}NOPE", begun) == "not_archived"
    assert site.cause(off, time.time_ns() + 60 * SECOND) == "future"
    assert archiver.stop() == 0
    assert site.cause(off, time.time_ns() - SECOND // 100) == "archiver_stop"


def test_filters_and_losses(site: Site) -> None:
    """What dead band, rate, scan and quota leave out is told as such, and so are refusals, unusable stamps, changes of type and settings."""
    archiver, (band, rate, scan, quota) = site.archiver, site.names[:4]
    begun = time.time_ns()
    site.put(band, "Deadband", 9)
    site.put(rate, "Rate", 1)
    site.put(scan, "Rate", 0.5)
    site.put(scan, "Mode", "Scan")
    site.put(quota, "Quota", 1)
    (site.archiver.config.parent.parent / "ioc1" / "ioc.db").write_text(AFTER.format(prefix=site.prefix))
    site.alone.restart()
    settled = begun + 2 * SECOND
    assert site.cause(band, site.between_samples(band, settled, 0.5)) == "dead_band"
    assert site.cause(rate, site.between_samples(rate, settled, 0.5)) == "rate_limit"
    assert site.cause(scan, site.between_samples(scan, settled, 1.0)) == "rate_limit"
    changed = site.wait_for_event(rate, "settings_changed")
    assert changed.text in str(site.explain(rate, changed.time_ns)["causes"])
    told = site.wait_for_event(f"{site.prefix}TYPE", "type_changed")
    assert "type_changed" in site.words(f"{site.prefix}TYPE", told.time_ns - SECOND // 1000)
    refused = site.wait_for_event(f"{site.prefix}LONG", "rejected")
    assert site.cause(f"{site.prefix}LONG", refused.time_ns + SECOND) == "rejected"
    unset = site.wait_for_event(f"{site.prefix}UNSET", "bad_time")
    assert "bad_time" in site.words(f"{site.prefix}UNSET", unset.time_ns)
    assert site.cause(f"{site.prefix}QUIET", begun) == "no_update"
    lost = site.wait_for_event(quota, "lost_quota")
    assert site.cause(quota, lost.time_ns - SECOND // 100) == "lost_quota"
    at = archiver.history(site.names[4]).samples[-1].time_ns
    assert site.cause(site.names[4], at) == "stored"
