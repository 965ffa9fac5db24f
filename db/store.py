"""What a store can do; `archioc.db.embedded.store` and `archioc.db.influx.store` are the two that there are."""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from archioc.core.audit import AuditRecord
from archioc.core.errors import QueryError
from archioc.core.events import GAPS, ChannelEvent
from archioc.core.spool.batch import ChannelMeta
from archioc.core.spool.spool import SpoolFile
from archioc.db.alarm_columns import AlarmColumns
from archioc.db.bins import Bins, Within
from archioc.db.erasure import Erasure
from archioc.db.sample_columns import SampleColumns

CHUNK = 50_000
"""How many samples a query answers at a time, at most."""

CHUNK_BYTES = 4_000_000
"""How many bytes of texts and array elements a query answers at a time, at most; a larger sample comes alone."""

QUERY_S = 120.0
"""Longest that a store may work on one query (s); the time that a client takes for the answer is not counted."""

MAX_EVENTS = 100_000
"""How many events a query answers; more are an error."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Part of a payload that the store will never take, and what it said about it."""

    content: bytes
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class WriteOutcome:
    """What became of a spool file that the store has answered for.

    rejected: samples refused for good, one number for each entry of the file's counts; int64.
    kept: how many of these are in `refusals`; those beyond the retention are not. Same shape.
    refusals: what was refused, for the quarantine, in the order of the payload.
    events: what tells of the rejected samples, for `Store.write_events`; one for each channel.
    remark: why samples were rejected, for people; empty when none were.
    """

    rejected: npt.NDArray[np.int64]
    kept: npt.NDArray[np.int64]
    refusals: tuple[Refusal, ...] = field(default=())
    events: tuple[ChannelEvent, ...] = field(default=())
    remark: str = ""

    @classmethod
    def all_stored(cls, file: SpoolFile) -> Self:
        """Nothing was refused."""
        nothing = np.zeros(len(file.counts), np.int64)
        return cls(nothing, nothing)


@dataclass(frozen=True, slots=True)
class Lacking:
    """What a store does not have of samples that it has acknowledged.

    expected: how many were looked for. missing: how many of each channel are not there. start_ns, end_ns: first and last of all looked for.
    """

    expected: int
    missing: dict[str, int]
    start_ns: int
    end_ns: int

    @property
    def samples(self) -> int:
        """How many are missing."""
        return sum(self.missing.values())


class Reader(Protocol):
    """Queries. Times are ns since 1970 UTC; a channel that the store does not know has no samples.

    Any method may raise QueryError, StoreUnavailable or StoreDenied.
    """

    def samples(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[SampleColumns]:
        """Samples with start <= time <= end, in chunks, sorted by time.

        with_previous: the last sample before `start_ns`, if there is one, comes first.
        """
        ...

    def last_before(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The last sample with time < `t_ns` (one row), None when there is none."""
        ...

    def at(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The sample in force at a time: the last with time <= `t_ns` (one row), None when there is none."""
        ...

    def bins(self, channel: str, start_ns: int, end_ns: int, count: int, *, times: bool = True, within: Within | None = None) -> Bins:
        """Statistics of the numbers with start <= time < end in `count` bins of equal width (`archioc.db.bins.Grid.of`), empty ones too.

        within: samples that count, where not all in the bins do: a client's range that begins or ends within a bin.
        times: whether `first_time` and `last_time` are wanted, which cost an InfluxDB as much as all the rest.
        Raises QueryError for an empty range and for a count outside 1 to `archioc.db.bins.MAX_BINS`.
        """
        ...

    def alarms(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[AlarmColumns]:
        """Alarm states with start <= time <= end, in chunks, sorted by time.

        with_previous: the state in force at `start_ns`, if one is known, comes first.
        """
        ...

    def names(self, pattern: str = "*") -> Iterator[str]:
        """Channels that have samples or alarm states and whose name matches the glob (`*`, `?`, `[...]`; case matters), sorted."""
        ...

    def events(self, channel: str, start_ns: int, end_ns: int) -> list[ChannelEvent]:
        """Moments with start <= time <= end and gaps that overlap with that range, sorted by time.

        An event that was written open and again with its end is one event. Where several archivers have told of the channel, only
        what they all missed is a gap, and moments have the name of the one that tells them (`archioc.db.several_archivers`).
        Raises QueryError for more than MAX_EVENTS.
        """
        ...

    def archivers(self, channel: str) -> list[str]:
        """The archivers that have told of a channel, sorted; none where the store is that of one archiver alone."""
        ...

    def meta(self, channel: str, at_ns: int) -> ChannelMeta | None:
        """What the IOC told last at or before a time; None when nothing is known of then."""
        ...

    def audit(self, start_ns: int, end_ns: int) -> list[AuditRecord]:
        """Puts by clients with start <= time <= end, sorted by time. Raises QueryError for more than MAX_EVENTS."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


@runtime_checkable
class OfFiles(Protocol):
    """What a store of files of our own can do besides."""

    def faults(self, *, deep: bool) -> Iterator[list[str]]:
        """Look at each file, and say what is wrong with it: a list for each, mostly empty. deep: all that is in it is read.

        Those that were set aside as damaged are faults too.
        """
        ...

    def copy_files(self, target: Path) -> Iterator[str]:
        """Copy each file into a directory, while it is in use, and name it. Raises StoreUnavailable."""
        ...


class Writer(Protocol):
    """What delivery needs of a store."""

    @property
    def destination(self) -> str:
        """Which spool files this store takes (`archioc.core.spool.encoding.destination_of`)."""
        ...

    @property
    def lanes(self) -> int:
        """How many files it is best given at once: `write` is called by so many threads. Known after `prepare`."""
        ...

    def prepare(self) -> None:
        """Make sure that the store is there and ready for writes. Raises StoreUnavailable or StoreDenied."""
        ...

    def write(self, file: SpoolFile) -> WriteOutcome:
        """Store a file; returns only when it is durable. Writing the same file again changes nothing.

        Raises StoreUnavailable or StoreDenied; then nothing is known of the file's samples.
        """
        ...

    def write_events(self, events: Sequence[ChannelEvent]) -> None:
        """Store events that the db process has to tell itself. Raises StoreUnavailable or StoreDenied.

        An event with the channel, time and reason of one that is there replaces it.
        """
        ...

    @property
    def warning(self) -> str:
        """What a person should know although the store takes samples; empty when all is well."""
        ...


@runtime_checkable
class Erasing(Protocol):
    """What a store can do for a person who wants stored samples deleted."""

    def erase(self, erasure: Erasure, order: AuditRecord | None) -> Iterator[int]:
        """Delete what lies in a span, part by part; the number of samples in each. order: for the audit; None: only count.

        The order, and the gap that is left, are stored first. Raises StoreUnavailable, StoreDenied, QueryError.
        """
        ...


class Store(Reader, Writer, Erasing, Protocol):
    """A place where samples are kept for good, and read again."""

    @property
    def damaged(self) -> int:
        """How many files of ours were set aside as damaged; 0 where the store is somebody else's."""
        ...

    def interrupt(self) -> None:
        """End queries that run, as far as that can be done, and refuse others: `close` follows."""
        ...


def glob_filter(pattern: str) -> Callable[[str], object]:
    """What tells whether a name matches a glob."""
    return re.compile(fnmatch.translate(pattern)).match


def concerns(event: ChannelEvent, start_ns: int, end_ns: int) -> bool:
    """Whether an event belongs to a range: it lies in it, or it is a gap that overlaps with it."""
    if event.time_ns > end_ns:
        return False
    if event.time_ns >= start_ns:
        return True
    return event.reason in GAPS and (event.end_ns is None or event.end_ns >= start_ns)


Told = TypeVar("Told", ChannelEvent, AuditRecord)


def bounded(what: str, events: Iterable[Told]) -> list[Told]:
    """Events of a channel, or the audit, as a list. Raises QueryError when there are more than MAX_EVENTS."""
    found = list(itertools.islice(events, MAX_EVENTS + 1))
    if len(found) > MAX_EVENTS:
        raise QueryError(f"{what}: more than {MAX_EVENTS} events in this range; ask for a shorter one")
    return found


def rows_of_samples(file: SpoolFile) -> npt.NDArray[np.intp]:
    """For each sample of a payload, in its order, the entry of the file's counts that it belongs to."""
    by_row = np.argsort(file.counts["row"], kind="stable")
    return np.repeat(by_row, file.counts["samples"][by_row])
