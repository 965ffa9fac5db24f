"""Steering a running archiver by Channel Access: settings, adding, removing, refused commands."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise

import pytest

from archioc.core.config_file import load_config
from archioc.reading import open_reader
from tests.conftest import ArchiverFactory, CaClientFactory, CaWatchFactory, SoftIocFactory
from tests.counters import check_no_loss, counter_database, counter_names, missing
from tests.processes.archiver import Archiver, StoreBlock
from tests.processes.archiver_answers import History
from tests.processes.ca_client import CaClient
from tests.processes.ca_watch import CaWatch
from tests.processes.waiting import wait_until

EFFECT_S = 2.0
"""A put has its effect on what is stored within this time."""

SECOND_NS = 1_000_000_000
DRAIN_NS = SECOND_NS // 10
"""An update that has come so shortly before a channel is switched on may be taken with those that come after."""

pytestmark = pytest.mark.timeout(120)


@dataclass(frozen=True, slots=True)
class Steered:
    """An archiver with its client. names: four counters, of which the first two are archived from the start."""

    archiver: Archiver
    client: CaClient
    watch: CaWatch
    names: list[str]

    def pv(self, channel: str, field: str) -> str:
        return f"{self.archiver.prefix}CH:{channel}:{field}"

    def put(self, channel: str, field: str, value: object) -> int:
        """Put to a setting of a channel; when (ns) it began."""
        begun = time.time_ns()
        self.client.put(self.pv(channel, field), value)
        return begun

    def command(self, name: str, text: str) -> None:
        self.client.put(self.archiver.prefix + name, text)


@pytest.fixture
def steered(
    archiver: ArchiverFactory,
    softioc: SoftIocFactory,
    ca_client: CaClientFactory,
    ca_watch: CaWatchFactory,
    prefix: str,
    store: StoreBlock,
) -> Steered:
    names = counter_names(prefix, 4)
    ioc = softioc(counter_database(names))
    made = archiver(names[:2], [ioc.port], store)
    made.start(connected=2)
    watch = ca_watch(names, [ioc.port])
    watch.wait_for(1, names[-1])
    return Steered(made, ca_client([made.port, ioc.port]), watch, names)


def stored_between(archiver: Archiver, channel: str, begin_ns: int, end_ns: int) -> int:
    """How many updates stamped from begin to end (ns) are stored; waits until the store has all of that time."""
    wait_until(lambda: time.time_ns() > end_ns, 20, "the time to look at has passed")
    wait_until(lambda: archiver.overview().conservation.pending <= archiver.overview().channels, 10, "all is stored")
    return sum(begin_ns <= sample.time_ns < end_ns for sample in archiver.history(channel).true)


def test_rate_and_enable(steered: Steered) -> None:
    """Within 2 s Rate 1 brings a channel down to one sample a second and Enable 0 stops another; Rate 0 and Enable 1 undo it.

    The channel that was off resumes with a generated sample and has one closed gap `disabled`; nothing else is missing.
    """
    archiver, (slow, off) = steered.archiver, steered.names[:2]
    begun_ns = steered.put(slow, "Rate", 1)
    off_ns = steered.put(off, "Enable", 0)
    steered.client.wait_for_value(steered.pv(off, "State"), "Disabled", EFFECT_S)
    assert steered.client.get(steered.pv(off, "Connected")) == 1
    effect_ns = off_ns + int(EFFECT_S * SECOND_NS)
    assert 1 <= stored_between(archiver, slow, effect_ns, effect_ns + 2 * SECOND_NS) <= 3
    assert stored_between(archiver, off, effect_ns, effect_ns + 2 * SECOND_NS) == 0
    undone_ns = steered.put(slow, "Rate", 0)
    on_ns = steered.put(off, "Enable", 1)
    until_ns = on_ns + int((EFFECT_S + 1) * SECOND_NS)
    assert stored_between(archiver, slow, until_ns - SECOND_NS, until_ns) >= 9
    assert archiver.stop() == 0
    rest = archiver.check_conservation()
    assert rest.status.channels[slow].filtered > 20
    history = rest.histories[off]
    [gap] = history.gaps("disabled")
    assert gap.end_ns is not None
    assert off_ns <= gap.time_ns <= off_ns + EFFECT_S * SECOND_NS
    assert on_ns - DRAIN_NS <= gap.end_ns <= on_ns + EFFECT_S * SECOND_NS
    assert [sample.time_ns for sample in history.samples if sample.generated and sample.time_ns >= off_ns] == [gap.end_ns]
    seen = steered.watch.by_channel()
    check_no_loss({off: seen[off]}, {off: history}, until_ns, "disabled")
    at_full_rate = [update for update in seen[slow] if not begun_ns <= update.time_ns < undone_ns + EFFECT_S * SECOND_NS]
    assert not missing(at_full_rate, rest.histories[slow], until_ns)


def test_add_and_remove(steered: Steered) -> None:
    """An added channel has its first sample in the store within 2 s; Remove ends it and disconnects its PVs at a client.

    Of an Add with a wrong line nothing is done, and Result names the line, the channel and the rule.
    """
    archiver, client, (old, _, new, bad) = steered.archiver, steered.client, steered.names
    steered.command("Add", f"{new} rate=5\n{bad} rate=-1\n")
    assert client.get(archiver.prefix + "ResultCode") == 2
    result = client.get_text(archiver.prefix + "Result")
    assert result.startswith(f"line 2: {bad}: rate=-1")
    assert result.endswith(": must lie between 0 and 100000 Hz; nothing was changed")
    assert not client.connected(steered.pv(new, "State"))
    assert sorted(archiver.status().channels) == steered.names[:2]
    reader = open_reader(load_config(archiver.config))
    begun = time.monotonic()
    steered.command("Add", f"{new} rate=5")
    wait_until(lambda: new in reader.names(new), 10, "the first sample is stored")
    took = time.monotonic() - begun
    reader.close()
    assert took < EFFECT_S
    assert client.get_text(archiver.prefix + "Result") == "added 1 channel"
    assert archiver.history(new).samples
    since = time.time_ns()
    assert 8 <= stored_between(archiver, new, since, since + 2 * SECOND_NS) <= 11
    client.wait_for_value(steered.pv(new, "State"), "Archiving")
    steered.command("Remove", new)
    removed_ns = time.time_ns()
    wait_until(lambda: not client.connected(steered.pv(new, "State")), 5, "the PVs of the removed channel disconnect")
    archiver.wait_for_samples(old, removed_ns + 2 * SECOND_NS)
    assert not [sample for sample in archiver.history(new).samples if sample.time_ns > removed_ns + EFFECT_S * SECOND_NS]
    assert archiver.stop() == 0
    rest = archiver.check_conservation()
    assert sorted(rest.status.channels) == steered.names[:2]
    assert sorted(rest.histories) == steered.names[:3]


def test_deadbands(steered: Steered) -> None:
    """Within 2 s of a put only counts that differ by more than Deadband, or DeadbandPct of the last stored one, are stored; 0 undoes it."""
    archiver, (absolute, relative) = steered.archiver, steered.names[:2]
    begun_ns = steered.put(absolute, "Deadband", 9)
    steered.put(relative, "DeadbandPct", 20)
    begin_ns, end_ns = begun_ns + int(EFFECT_S * SECOND_NS), begun_ns + int((EFFECT_S + 5) * SECOND_NS)
    assert 4 <= stored_between(archiver, absolute, begin_ns, end_ns) <= 6
    undone_ns = steered.put(absolute, "Deadband", 0)
    until_ns = undone_ns + int((EFFECT_S + 1) * SECOND_NS)
    assert stored_between(archiver, absolute, until_ns - SECOND_NS, until_ns) >= 9
    assert archiver.stop() == 0
    rest = archiver.check_conservation()
    assert rest.status.channels[absolute].filtered > 30
    tens = counts_between(rest.histories[absolute], begin_ns, end_ns)
    assert {after - before for before, after in pairwise(tens)} == {10}
    fifths = counts_between(rest.histories[relative], begin_ns, until_ns)
    assert len(fifths) > 1
    assert all(after > before * 1.2 >= after - 1 for before, after in pairwise(fifths))


def test_max_interval(steered: Steered) -> None:
    """Within 2 s of a put a value that a dead band holds back is generated every MaxInterval, with the IOC's stamp."""
    archiver, name = steered.archiver, steered.names[0]
    steered.put(name, "Deadband", 1e9)
    begin_ns = steered.put(name, "MaxInterval", 0.5) + int(EFFECT_S * SECOND_NS)
    assert stored_between(archiver, name, begin_ns, begin_ns + 3 * SECOND_NS) == 0
    assert archiver.stop() == 0
    history = archiver.check_conservation().histories[name]
    again = [sample for sample in history.samples if begin_ns <= sample.time_ns < begin_ns + 3 * SECOND_NS]
    assert 4 <= len(again) <= 6
    assert all(sample.generated for sample in again)
    assert all(0.5 * SECOND_NS <= after.time_ns - before.time_ns < SECOND_NS for before, after in pairwise(again))
    seen = {update.time_ns: update.value for update in steered.watch.by_channel()[name]}
    assert all(seen[sample.src_time_ns] == sample.value for sample in again)


def test_mask(steered: Steered) -> None:
    """Within 2 s of a put Mask Value stores the updates that the record's archive dead band (ADEL) keeps back, and Mask Log does not."""
    archiver, name = steered.archiver, steered.names[0]
    steered.client.put(f"{name}.ADEL", 1e9)
    for mask, least, most in (("Value", 18, 21), ("Log", 0, 0)):
        begin_ns = steered.put(name, "Mask", mask) + int(EFFECT_S * SECOND_NS)
        assert least <= stored_between(archiver, name, begin_ns, begin_ns + 2 * SECOND_NS) <= most
    assert archiver.stop() == 0
    assert not archiver.check_conservation().histories[name].gaps("disconnected")


def counts_between(history: History, begin_ns: int, end_ns: int) -> list[float]:
    """The counts stored as updates stamped from begin to end (ns)."""
    return [sample.value for sample in history.true if begin_ns <= sample.time_ns < end_ns and isinstance(sample.value, float | int)]
