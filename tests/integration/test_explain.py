"""`archioc explain` on a running archiver: gaps, losses and filters are provoked, and the cause that it tells is the true one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from archioc.cli.main import app
from archioc.core.config.file import load_config
from archioc.core.events import ChannelEvent, Reason
from archioc.core.timestamp import SECOND, format_utc
from archioc.db.store import Reader
from archioc.open_archive import open_reader
from tests.conftest import ArchiverFactory, CaClientFactory, SoftIocFactory
from tests.processes.archiver import FAR_NS, Archiver, StoreBlock
from tests.processes.ca_client import CaClient
from tests.processes.soft_ioc import SoftIoc
from tests.processes.waiting import PATIENCE_S, wait_until
from tests.records.counters import counter_database, counter_names

BEFORE = 'record(ao, "{prefix}TYPE") {{ field(VAL, 3) field(PINI, YES) field(DTYP, "Soft Channel") }}\n'
AFTER = 'record(stringout, "{prefix}TYPE") {{ field(VAL, "three") field(PINI, YES) }}\n'
OTHERS = """
record(waveform, "{prefix}LONG") {{ field(FTVL, DOUBLE) field(NELM, 8) field(INP, [1, 2, 3, 4, 5, 6]) field(PINI, YES) }}
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
        """What the command says, as JSON; run in this process, which saves its start."""
        done = CliRunner().invoke(app, ["explain", channel, format_utc(time_ns), "-c", str(self.archiver.config), "--format", "json"])
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def cause(self, channel: str, time_ns: int) -> str:
        return str(self.explain(channel, time_ns)["cause"])

    def words(self, channel: str, time_ns: int) -> list[str]:
        return [str(cause["cause"]) for cause in self.explain(channel, time_ns)["causes"]]

    def put(self, channel: str, field: str, value: object) -> None:
        self.client.put(f"{self.archiver.prefix}CH:{channel}:{field}", value)

    def wait_for_state(self, channel: str, state: str) -> None:
        self.client.wait_for_value(f"{self.archiver.prefix}CH:{channel}:State", state)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        reader = open_reader(load_config(self.archiver.config))
        yield reader
        reader.close()

    def wait_for_change(self, channel: str, setting: str) -> ChannelEvent:
        """The last event that tells of a change of this setting, once the store has it."""
        return self.wait_for_event(channel, Reason.SETTINGS_CHANGED, text=f"{setting} ")

    def wait_for_event(self, channel: str, reason: Reason, *, closed: bool = False, text: str = "") -> ChannelEvent:
        """The last event with this reason and text, once the store has it."""

        def found() -> list[ChannelEvent]:
            events = reader.events(channel, 0, FAR_NS)
            return [event for event in events if event.reason is reason and text in event.text and (event.end_ns is not None or not closed)]

        with self.reader() as reader:
            wait_until(found, PATIENCE_S, f"{channel} has an event {reason.word}", 0.1)
            return found()[-1]

    def times(self, channel: str, since_ns: int) -> list[int]:
        """Of the samples of a channel since then."""
        with self.reader() as reader:
            return [time_ns for chunk in reader.samples(channel, since_ns, FAR_NS, with_previous=False) for time_ns in chunk.time.tolist()]

    def between_samples(self, channel: str, since_ns: int, apart_s: float) -> int:
        """The middle of the first hole so long between two samples after a time, once the store has it."""

        def holes() -> list[int]:
            return [(a + b) // 2 for a, b in pairwise(self.times(channel, since_ns)) if b - a > apart_s * SECOND]

        wait_until(holes, PATIENCE_S, f"{channel} has a hole of {apart_s} s", 0.1)
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


@pytest.mark.parametrize("store", ["embedded"], indirect=True)
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
    gaps = {off: Reason.DISABLED, grouped: Reason.GROUP_OFF, cut: Reason.DISCONNECTED}
    moments = {channel: site.wait_for_event(channel, reason).time_ns + SECOND // 100 for channel, reason in gaps.items()}
    assert {channel: site.cause(channel, at) for channel, at in moments.items()} == {one: reason.word for one, reason in gaps.items()}
    site.put(off, "Enable", 1)
    client.put(group, 1)
    site.alone.restart()
    for channel in gaps:
        site.wait_for_state(channel, "Archiving")
    killed = archiver.kill_child("engine")
    archiver.wait_for_successor("engine", killed)
    archiver.wait_connected(9)
    restart = site.wait_for_event(off, Reason.ENGINE_RESTART, closed=True)
    assert restart.end_ns is not None
    for channel, reason in gaps.items():
        site.wait_for_event(channel, reason, closed=True)
        found = site.explain(channel, moments[channel])
        assert (found["cause"], found["certain"]) == (reason.word, True)
        assert found["causes"][0]["end_ns"] > moments[channel]
    assert site.cause(off, (restart.time_ns + restart.end_ns) // 2) == "engine_restart"
    client.put(archiver.prefix + "Add", added)
    archiver.wait_for_samples(added, 0)
    assert site.cause(added, begun) == "not_yet_added"
    client.put(archiver.prefix + "Remove", removed)
    wait_until(lambda: site.times(removed, begun)[-1] < time.time_ns() - 2 * SECOND, PATIENCE_S, "its last sample is old", 0.2)
    assert site.cause(removed, time.time_ns() - SECOND // 10) == "removed"
    assert site.cause(f"{site.prefix}NOPE", begun) == "not_archived"
    assert site.cause(off, time.time_ns() + 60 * SECOND) == "future"
    assert archiver.stop() == 0
    assert site.cause(off, time.time_ns() - SECOND // 100) == "archiver_stop"


@pytest.mark.parametrize("store", ["influxdb"], indirect=True)
def test_filters_and_losses(site: Site) -> None:
    """What dead band, rate, scan and quota leave out is told as such, and so are refusals, unusable stamps, other types and settings."""
    band, rate, scan, quota = site.names[:4]
    begun = time.time_ns()
    site.put(band, "Deadband", 9)
    site.put(rate, "Rate", 1)
    site.put(scan, "Rate", 0.5)
    site.put(scan, "Mode", "Scan")
    site.put(quota, "Quota", 1)
    (site.archiver.config.parent.parent / "ioc1" / "ioc.db").write_text(AFTER.format(prefix=site.prefix))
    site.alone.restart()
    changed = {name: site.wait_for_event(name, Reason.SETTINGS_CHANGED) for name in (band, rate, quota)}
    settled = max(site.wait_for_change(scan, "mode").time_ns, *(event.time_ns for event in changed.values()))
    assert site.cause(band, site.between_samples(band, settled, 0.5)) == "dead_band"
    assert site.cause(rate, site.between_samples(rate, settled, 0.5)) == "rate_limit"
    assert site.cause(scan, site.between_samples(scan, settled, 1.0)) == "rate_limit"
    assert changed[rate].text in str(site.explain(rate, changed[rate].time_ns)["causes"])
    told = site.wait_for_event(f"{site.prefix}TYPE", Reason.TYPE_CHANGED)
    assert "type_changed" in site.words(f"{site.prefix}TYPE", told.time_ns - SECOND // 1000)
    refused = site.wait_for_event(f"{site.prefix}LONG", Reason.REJECTED)
    assert site.cause(f"{site.prefix}LONG", refused.time_ns + SECOND) == "rejected"
    unset = site.wait_for_event(f"{site.prefix}UNSET", Reason.BAD_TIME)
    assert "bad_time" in site.words(f"{site.prefix}UNSET", unset.time_ns)
    assert site.cause(f"{site.prefix}QUIET", begun) == "no_update"
    lost = site.wait_for_event(quota, Reason.LOST_QUOTA)
    assert site.cause(quota, lost.time_ns - SECOND // 100) == "lost_quota"
    at = site.times(site.names[4], begun)[-1]
    assert site.cause(site.names[4], at) == "stored"
