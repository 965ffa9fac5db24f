"""All that is known about a channel around a moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from archioc.cli.explain.audit_trail import Put, puts_about
from archioc.cli.explain.live import LiveArchiver, read_live
from archioc.cli.explain.spooled import QuarantinedSamples, SpooledBatch, quarantined_samples, spooled_batches
from archioc.core.channel import SETTING_NAMES, ChannelSettings
from archioc.core.config.config import Config
from archioc.core.directories import Directories
from archioc.core.errors import QueryError, SettingError, StoreDenied, StoreUnavailable
from archioc.core.events import GAPS, ChannelEvent, Reason
from archioc.core.ownership import owner_of
from archioc.core.shard import Shard
from archioc.core.timestamp import SECOND
from archioc.db.sample_columns import SampleColumns
from archioc.db.store import Reader
from archioc.ioc.registry.archived import ArchivedChannel
from archioc.ioc.registry.content import read_content
from archioc.open_archive import open_reader

LOOK_AROUND_NS = 60 * SECOND
"""Events so long before the last sample and after the next one are looked at."""


SAME_NS = 1000
"""A sample so near to the moment is the one that was meant: tables show microseconds."""

RESUMED_NS = SECOND
"""What happens so shortly before a sample belongs to the hole before it."""

ENOUGH, SOME = 5, 100
"""Samples behind the moment from which, and at most of which, their spacing is taken."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the store has. before: the last sample with time <= t_ns, after: the first one later; one row each.

    spacing_ns: from sample to sample behind the moment, the median; 0 where there are not enough of them to tell.
    others: archivers beside this one that have told of the channel.
    error: why the store could not be asked, empty when it could.
    """

    before: SampleColumns | None = None
    after: SampleColumns | None = None
    events: tuple[ChannelEvent, ...] = ()
    spacing_ns: int = 0
    others: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a channel around `t_ns`. All times are ns since 1970 UTC.

    archived: None when it is not archived now; of another name where the channel was renamed.
    settings: those at the moment, as far as events tell; None where not archived.
    retention_s, commit_s: of the configuration; retention None for no limit. archiver: name of the one that is asked.
    owner: the shard to which the channel belongs, for people, where that is another one.
    """

    channel: str
    t_ns: int
    now_ns: int
    stored: Stored
    archived: ArchivedChannel | None
    settings: ChannelSettings | None
    live: LiveArchiver
    spooled: tuple[SpooledBatch, ...]
    quarantined: tuple[QuarantinedSamples, ...]
    puts: tuple[Put, ...]
    retention_s: float | None
    commit_s: float
    archiver: str
    owner: str = ""

    @property
    def hole(self) -> tuple[int, int]:
        """From the last sample before the moment to the next one, or now; ns."""
        before, after = self.stored.before, self.stored.after
        begin = int(before.time[0]) if before is not None else 0
        return begin, int(after.time[0]) if after is not None else max(self.now_ns, self.t_ns)

    @property
    def sample(self) -> SampleColumns | None:
        """The sample of the moment itself; None where there is none."""
        for sample in (self.stored.before, self.stored.after):
            if sample is not None and abs(int(sample.time[0]) - self.t_ns) <= SAME_NS:
                return sample
        return None

    @property
    def events(self) -> list[ChannelEvent]:
        """Of the store and of the spool, by time; one that was told open and again with its end once.

        Where others archive the channel too, a gap of this archiver alone is none.
        """
        found: dict[tuple[int, Reason, str], ChannelEvent] = {}
        spooled = [event for batch in self.spooled for event in batch.events if event.reason is not Reason.COLLECTING]
        if self.stored.others:
            spooled = [replace(event, archiver=self.archiver) for event in spooled if event.reason not in GAPS]
        for event in (*self.stored.events, *spooled):
            key = event.time_ns, event.reason, event.archiver
            if key not in found or found[key].end_ns is None:
                found[key] = event
        return sorted(found.values(), key=lambda event: event.time_ns)

    @property
    def own_events(self) -> list[ChannelEvent]:
        """Those that this archiver has told, or that are told of all."""
        return [event for event in self.events if event.archiver in ("", self.archiver)]


def gather(config: Config, channel: str, t_ns: int, now_ns: int) -> Evidence:
    """Look everywhere. Raises RegistryError, SpoolError; a store that cannot be asked is part of the evidence."""
    directories = Directories(config.archiver.state_dir)
    archived: ArchivedChannel | None = None
    puts: tuple[Put, ...] = ()
    if directories.registry.exists():
        archived = read_content(directories.registry).find(channel)
        puts = tuple(puts_about(directories.registry, channel))
    name = archived.name if archived else channel
    stored = _ask_store(config, channel, t_ns, now_ns)
    since = int(stored.before.time[0]) if stored.before is not None else t_ns
    evidence = Evidence(
        channel,
        t_ns,
        now_ns,
        stored,
        archived,
        None,
        read_live(directories, archived.row if archived else None, archived.generation if archived else 0),
        tuple(spooled_batches(directories.spool, name, since)),
        tuple(quarantined_samples(directories.spool, name)),
        puts,
        _retention(config),
        config.spool.commit_interval,
        config.archiver.name,
        _other_owner(config.own_shard, name),
    )
    if archived is None:
        return evidence
    return replace(evidence, settings=settings_at(archived.settings, evidence.own_events, t_ns))


def _other_owner(shard: Shard, channel: str) -> str:
    owner = owner_of(channel, shard.count)
    return "" if owner == shard.index else shard.describe(owner)


def _retention(config: Config) -> float | None:
    store = config.store.influxdb or config.store.embedded
    return store.retention if store is not None else None


def _ask_store(config: Config, channel: str, t_ns: int, now_ns: int) -> Stored:
    try:
        reader = open_reader(config)
        try:
            found = _read_store(reader, channel, t_ns, now_ns)
            others = set(reader.archivers(channel)) - {config.archiver.name}
            return replace(found, others=tuple(sorted(others)))
        finally:
            reader.close()
    except (StoreUnavailable, StoreDenied) as error:
        return Stored(error=str(error))


def _read_store(reader: Reader, channel: str, t_ns: int, now_ns: int) -> Stored:
    before = reader.at(channel, t_ns)
    after, spacing = None, 0
    chunks = reader.samples(channel, t_ns + 1, max(now_ns, t_ns) + LOOK_AROUND_NS, with_previous=False)
    for chunk in chunks:
        after = chunk.select(np.array([0]))
        if len(chunk) > ENOUGH:
            spacing = int(np.median(np.diff(chunk.time[:SOME])))
        break
    low = (int(before.time[0]) if before is not None else t_ns) - LOOK_AROUND_NS
    try:
        events = reader.events(channel, low, now_ns + LOOK_AROUND_NS)
    except QueryError:  # too many: those around the moment will do
        events = reader.events(channel, low, t_ns + LOOK_AROUND_NS)
    return Stored(before, after, tuple(events), spacing)


def settings_at(now: ChannelSettings, events: Iterable[ChannelEvent], t_ns: int) -> ChannelSettings:
    """The settings at a time: those of now, with the changes undone of which later events `settings_changed` tell."""
    undone: dict[str, object] = {}
    for event in sorted(events, key=lambda event: event.time_ns, reverse=True):
        if event.reason is Reason.SETTINGS_CHANGED and event.time_ns > t_ns:
            undone |= {name: old for name, (old, _) in changed_settings(event.text).items() if name in SETTING_NAMES}
    try:
        return now.with_changes(undone)
    except SettingError:  # a text of another version: better those of now than none
        return now


def changed_settings(text: str) -> dict[str, tuple[str, str]]:
    """Old and new value by setting, from the text of an event `settings_changed`: `rate 0 -> 10, mode monitor -> scan`."""
    found = {}
    for part in text.split(", "):
        name, _, values = part.partition(" ")
        old, arrow, new = values.partition(" -> ")
        if arrow:
            found[name] = old, new
    return found
