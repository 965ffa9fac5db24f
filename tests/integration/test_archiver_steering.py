"""Steering a running archiver by Channel Access: settings, adding, removing, refused commands.

What is stored is looked at from the moment on at which the engine tells to have taken a put up, and in spans that are counted in
updates of the IOC: a machine that stands still for a while changes neither.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import pytest

from archioc.core.config.file import load_config
from archioc.core.events import ChannelEvent, Reason
from archioc.db.store import Reader
from archioc.demo.updates import Update
from archioc.open_archive import open_reader
from tests.conftest import ArchiverFactory, CaClientFactory, CaWatchFactory, SoftIocFactory
from tests.processes.archiver import FAR_NS, Archiver, StoreBlock
from tests.processes.archiver_answers import History, Stored
from tests.processes.ca_client import CaClient
from tests.processes.ca_watch import CaWatch
from tests.processes.waiting import PATIENCE_S, wait_until
from tests.records.counters import TRANSIT_NS, counter_database, counter_names, missing

EFFECT_S = 2.0
"""A put has its effect on what is stored within this time; more than half of several do while the machine has other work as well."""

SECOND_NS = 1_000_000_000
DRAIN_NS = SECOND_NS // 10
"""An update that has come so shortly before a channel is switched on may be taken with those that come after."""


@dataclass(frozen=True, slots=True)
class Steered:
    """An archiver with its client. names: six counters at 10 Hz, of which the first two are archived from the start.

    watch: of all of them, with the mask `log`. ioc_port: where the counters are.
    """

    archiver: Archiver
    client: CaClient
    watch: CaWatch
    names: list[str]
    ioc_port: int

    def pv(self, channel: str, field: str) -> str:
        return f"{self.archiver.prefix}CH:{channel}:{field}"

    def put(self, channel: str, field: str, value: object) -> int:
        """Put to a setting of a channel; when (ns) it began."""
        begun = time.time_ns()
        self.client.put(self.pv(channel, field), value)
        return begun

    def put_taken_up(self, channel: str, field: str, value: object) -> int:
        """Put to a setting of a channel, and wait until the store tells of it; when (ns) the engine has taken it up."""
        return self.wait_for_event(channel, Reason.SETTINGS_CHANGED, self.put(channel, field, value)).time_ns

    def command(self, name: str, text: str) -> None:
        self.client.put(self.archiver.prefix + name, text)

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        reader = open_reader(load_config(self.archiver.config))
        yield reader
        reader.close()

    def wait_for_event(self, channel: str, reason: Reason, since_ns: int, *, closed: bool = False) -> ChannelEvent:
        """The first event with this reason that began since then, once the store has it."""

        def found() -> list[ChannelEvent]:
            told = [event for event in reader.events(channel, 0, FAR_NS) if event.reason is reason and event.time_ns >= since_ns]
            return [event for event in told if event.end_ns is not None or not closed]

        with self.reader() as reader:
            wait_until(found, PATIENCE_S, f"{channel} has an event {reason.word}", 0.1)
            return found()[0]

    def times(self, channel: str, since_ns: int) -> list[int]:
        """Of the stored samples of a channel since then."""
        with self.reader() as reader:
            return [time_ns for chunk in reader.samples(channel, since_ns, FAR_NS, with_previous=False) for time_ns in chunk.time.tolist()]

    def wait_for_silence(self, channel: str, watch: CaWatch) -> None:
        """Wait until nothing of a channel is stored although the IOC goes on: the newest update is far beyond the newest sample."""

        def is_over() -> bool:
            return watch.by_channel()[channel][-1].time_ns > self.times(channel, 0)[-1] + EFFECT_S * SECOND_NS

        wait_until(is_over, PATIENCE_S, f"nothing of {channel} is stored", 0.2)


@pytest.fixture
def steered(
    archiver: ArchiverFactory,
    softioc: SoftIocFactory,
    ca_client: CaClientFactory,
    ca_watch: CaWatchFactory,
    prefix: str,
    store: StoreBlock,
) -> Steered:
    names = counter_names(prefix, 6)
    ioc = softioc(counter_database(names))
    made = archiver(names[:2], [ioc.port], store)
    made.start(connected=2)
    for name in names[:2]:
        made.wait_for_samples(name, 0)
    watch = ca_watch(names, [ioc.port])
    watch.wait_for(1, names[-1])
    return Steered(made, ca_client([made.port, ioc.port]), watch, names, ioc.port)


def updates_since(watch: CaWatch, channel: str, begin_ns: int, count: int) -> list[Update]:
    """The first updates of a channel that are stamped since then, so many of them, once they have come."""
    wait_until(lambda: sum(one.time_ns >= begin_ns for one in watch.by_channel()[channel]) >= count, PATIENCE_S, f"{count} updates", 0.1)
    return [one for one in watch.by_channel()[channel] if one.time_ns >= begin_ns][:count]


def stored_of(steered: Steered, channel: str, updates: list[Update]) -> list[Stored]:
    """What is stored of updates that follow each other, but the last of them; waits until the store has all of that time."""
    end_ns = updates[-1].time_ns
    wait_until(lambda: time.time_ns() > end_ns + SECOND_NS, PATIENCE_S, "what a rate limit withholds is let go")
    with_all = next(name for name in steered.names[:2] if name != channel)
    steered.archiver.wait_for_samples(with_all, time.time_ns())
    return between(steered.archiver.history(channel), updates[0].time_ns, end_ns)


def between(history: History, begin_ns: int, end_ns: int) -> list[Stored]:
    """What is stored as updates stamped from begin to end (ns)."""
    return [sample for sample in history.true if begin_ns <= sample.time_ns < end_ns]


def counts(samples: list[Stored]) -> list[float]:
    return [sample.value for sample in samples if isinstance(sample.value, float | int)]


def most_at(rate: float, updates: list[Update]) -> float:
    """How many samples a rate limit (Hz) may let pass of these updates."""
    return rate * (updates[-1].time_ns - updates[0].time_ns) / SECOND_NS + 2


@pytest.mark.parametrize("store", ["influxdb"], indirect=True)
def test_puts_act_soon(steered: Steered) -> None:
    """Most of several puts to settings are taken up within 2 s, and most channels that are added have a sample in the store by then."""
    archiver, (channel, _, *more) = steered.archiver, steered.names
    took = []
    for rate in (1, 2, 3, 4, 5):
        begun_ns = steered.put(channel, "Rate", rate)
        took.append((steered.wait_for_event(channel, Reason.SETTINGS_CHANGED, begun_ns).time_ns - begun_ns) / SECOND_NS)
    assert statistics.median(took) < EFFECT_S, took
    took.clear()
    with steered.reader() as reader:
        for name in more[:3]:
            begun = time.monotonic()
            steered.command("Add", name)
            wait_until(lambda name=name: name in reader.names(name), PATIENCE_S, "the first sample is stored")  # type: ignore[misc]
            took.append(time.monotonic() - begun)
    assert statistics.median(took) < EFFECT_S, took
    assert archiver.stop() == 0
    archiver.check_conservation()


def test_rate_and_enable(steered: Steered) -> None:
    """Rate 1 brings a channel down to one sample a second and Enable 0 stops another; Rate 0 and Enable 1 undo it.

    The channel that was off resumes with a generated sample and has one closed gap `disabled`; nothing else is missing.
    """
    archiver, (slow, off) = steered.archiver, steered.names[:2]
    archiver.wait_for_samples(off, time.time_ns())
    off_ns = steered.put(off, "Enable", 0)
    steered.client.wait_for_value(steered.pv(off, "State"), "Disabled")
    assert steered.client.get(steered.pv(off, "Connected")) == 1
    begun_ns = time.time_ns()
    limited_ns = steered.put_taken_up(slow, "Rate", 1)
    limited = updates_since(steered.watch, slow, limited_ns, 30)
    undone_ns = steered.put_taken_up(slow, "Rate", 0)
    on_ns = steered.put(off, "Enable", 1)
    gap = steered.wait_for_event(off, Reason.DISABLED, 0, closed=True)
    shown_ns = time.time_ns()
    until_ns = updates_since(steered.watch, slow, shown_ns, 10)[-1].time_ns
    for name in (slow, off):
        archiver.wait_for_samples(name, until_ns)
    assert archiver.stop() == 0
    rest = archiver.check_conservation()
    assert 1 <= len(between(rest.histories[slow], limited[0].time_ns, limited[-1].time_ns)) <= most_at(1, limited)
    assert rest.status.channels[slow].filtered > 20
    history = rest.histories[off]
    [told] = history.gaps("disabled")
    assert (told.time_ns, told.end_ns) == (gap.time_ns, gap.end_ns)
    assert told.end_ns is not None
    assert off_ns <= told.time_ns <= begun_ns
    assert on_ns - DRAIN_NS <= told.end_ns <= shown_ns
    assert not between(history, told.time_ns + 1, on_ns - DRAIN_NS)
    assert [sample.time_ns for sample in history.samples if sample.generated and sample.time_ns >= off_ns] == [told.end_ns]
    seen = steered.watch.by_channel()
    while_on = [update for update in seen[off] if not off_ns - TRANSIT_NS <= update.time_ns <= told.end_ns]
    assert not missing(while_on, history, until_ns)
    at_full_rate = [update for update in seen[slow] if not begun_ns - TRANSIT_NS <= update.time_ns < undone_ns]
    assert not missing(at_full_rate, rest.histories[slow], until_ns)


def test_add_and_remove(steered: Steered) -> None:
    """An added channel is archived with its settings; Remove ends it, and its PVs say so at a client.

    Of an Add with a wrong line nothing is done, and Result names the line, the channel and the rule.
    """
    archiver, client, (_, _, new, bad, *_) = steered.archiver, steered.client, steered.names
    steered.command("Add", f"{new} rate=5\n{bad} rate=-1\n")
    assert client.get(archiver.prefix + "ResultCode") == 2
    result = client.get_text(archiver.prefix + "Result")
    assert result.startswith(f"line 2: {bad}: rate=-1")
    assert result.endswith(": must lie between 0 and 100000 Hz; nothing was changed")
    assert not client.connected(steered.pv(new, "State"))
    assert sorted(archiver.status().channels) == steered.names[:2]
    steered.command("Add", f"{new} rate=5")
    assert client.get_text(archiver.prefix + "Result") == "added 1 channel"
    archiver.wait_for_samples(new, 0)
    updates = updates_since(steered.watch, new, time.time_ns(), 30)
    assert 3 <= len(stored_of(steered, new, updates)) <= most_at(5, updates)
    client.wait_for_value(steered.pv(new, "State"), "Archiving")
    steered.command("Remove", new)
    client.wait_for_value(steered.pv(new, "State"), "Removed")
    steered.wait_for_silence(new, steered.watch)
    assert archiver.stop() == 0
    rest = archiver.check_conservation()
    assert sorted(rest.status.channels) == steered.names[:2]
    assert sorted(rest.histories) == steered.names[:3]


def test_deadbands(steered: Steered) -> None:
    """Only counts that differ by more than Deadband, or DeadbandPct of the last stored one, are stored; 0 undoes it."""
    archiver, (absolute, relative) = steered.archiver, steered.names[:2]
    relative_ns = steered.put_taken_up(relative, "DeadbandPct", 20)
    absolute_ns = steered.put_taken_up(absolute, "Deadband", 9)
    updates = updates_since(steered.watch, absolute, absolute_ns, 51)
    wait_until(lambda: len(steered.times(relative, relative_ns)) > 2, PATIENCE_S, "some counts pass the relative dead band", 0.2)
    undone_ns = steered.put_taken_up(absolute, "Deadband", 0)
    until_ns = updates_since(steered.watch, absolute, undone_ns, 10)[-1].time_ns
    archiver.wait_for_samples(absolute, until_ns)
    assert archiver.stop() == 0
    rest = archiver.check_conservation()
    assert rest.status.channels[absolute].filtered > 30
    tens = counts(between(rest.histories[absolute], updates[0].time_ns, updates[-1].time_ns))
    assert 4 <= len(tens) <= 6
    assert {after - before for before, after in pairwise(tens)} == {10}
    fifths = counts(between(rest.histories[relative], relative_ns, until_ns))
    assert len(fifths) > 1
    assert all(after > before * 1.2 >= after - 1 for before, after in pairwise(fifths))
    at_full_rate = [update for update in steered.watch.by_channel()[absolute] if update.time_ns >= undone_ns]
    assert not missing(at_full_rate, rest.histories[absolute], until_ns)


def test_max_interval(steered: Steered) -> None:
    """A value that a dead band holds back is generated every MaxInterval, with the IOC's stamp."""
    archiver, name = steered.archiver, steered.names[0]
    steered.put_taken_up(name, "Deadband", 1e9)
    begin_ns = steered.put_taken_up(name, "MaxInterval", 0.5)
    wait_until(lambda: len(steered.times(name, begin_ns)) > 5, PATIENCE_S, "values are generated", 0.2)
    assert archiver.stop() == 0
    history = archiver.check_conservation().histories[name]
    again = [sample for sample in history.samples if sample.time_ns >= begin_ns]
    assert all(sample.generated for sample in again)
    apart = [after.time_ns - before.time_ns for before, after in pairwise(again)]
    assert min(apart) >= 0.5 * SECOND_NS
    assert statistics.median(apart) < SECOND_NS
    seen = {update.time_ns: update.value for update in steered.watch.by_channel()[name]}
    assert all(seen[sample.src_time_ns] == sample.value for sample in again)


def test_mask(steered: Steered, ca_watch: CaWatchFactory) -> None:
    """Mask Value stores the updates that the record's archive dead band (ADEL) keeps back, and Mask Log does not."""
    archiver, name = steered.archiver, steered.names[0]
    steered.client.put(f"{name}.ADEL", 1e9)
    values = ca_watch([name], [steered.ioc_port], mask="value")
    values.wait_for(1, name)
    steered.wait_for_silence(name, values)
    value_ns = steered.put_taken_up(name, "Mask", "Value")
    archiver.wait_for_samples(name, value_ns)
    updates = updates_since(values, name, time.time_ns(), 20)
    archiver.wait_for_samples(name, updates[-1].time_ns)
    steered.put_taken_up(name, "Mask", "Log")
    steered.wait_for_silence(name, values)
    assert archiver.stop() == 0
    history = archiver.check_conservation().histories[name]
    assert not missing(updates, history, FAR_NS)
    assert not history.gaps("disconnected")
