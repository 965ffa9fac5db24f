"""Channels that were renamed, read as one channel each.

A store has what was collected under the name of that time. Here the names of a channel become one history: up to its last sample
under the earlier name that one, then the next.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from archioc.core.aliases import Alias, Aliases, Tenure, tenures
from archioc.core.audit import AuditRecord
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta
from archioc.db.alarm_columns import AlarmColumns
from archioc.db.bins import Bins, Grid, Within
from archioc.db.sample_columns import SampleColumns
from archioc.db.store import Reader, bounded, glob_filter

LATE_NS = 60_000_000_000
"""How long after a renaming samples may come under the earlier name: those under way, and those whose IOC's clock is ahead."""

_FIRST, _LAST = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the history of a channel. Times in ns, both ends of a range belong to it.

    name: under which it is stored. first_ns, last_ns: of its samples.
    alarm_first_ns, alarm_last_ns: of its alarm states, which repeat also where no sample comes.
    told_ns: up to here what the store tells of the name (events, metadata) is about this channel.
    """

    name: str
    first_ns: int
    last_ns: int
    alarm_first_ns: int
    alarm_last_ns: int
    told_ns: int


class RenamedReader:
    """A reader for which a renamed channel has one name: the present one, or an earlier one that still stands for it.

    aliases: what the registry knows; asked for each query. Besides what a reader raises, any method may raise RegistryError.
    """

    def __init__(self, reader: Reader, aliases: Callable[[], Sequence[Alias]]) -> None:
        self._reader, self._aliases = reader, aliases

    def settled(self) -> RenamedReader:
        """The same, for which nothing is renamed any more, so that all parts of one answer are of the same history."""
        known = self._aliases()
        return RenamedReader(self._reader, lambda: known)

    def samples(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[SampleColumns]:
        """Samples with start <= time <= end in chunks, after the last one before if wanted."""
        pieces = self._pieces(channel)
        if pieces[-1].first_ns == _FIRST:
            return self._reader.samples(pieces[-1].name, start_ns, end_ns, with_previous=with_previous)
        return self._samples(pieces, start_ns, end_ns, with_previous)

    def _samples(self, pieces: Sequence[_Piece], start_ns: int, end_ns: int, with_previous: bool) -> Iterator[SampleColumns]:
        if with_previous and (previous := self._in_force(pieces, start_ns - 1)) is not None:
            yield previous
        for piece in pieces:
            first, last = max(start_ns, piece.first_ns), min(end_ns, piece.last_ns)
            if first <= last:
                yield from self._reader.samples(piece.name, first, last, with_previous=False)

    def last_before(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The last sample with time < `t_ns`."""
        return self._in_force(self._pieces(channel), t_ns - 1)

    def at(self, channel: str, t_ns: int) -> SampleColumns | None:
        """The sample in force at a time."""
        return self._in_force(self._pieces(channel), t_ns)

    def bins(self, channel: str, start_ns: int, end_ns: int, count: int, *, times: bool = True, within: Within | None = None) -> Bins:
        """Statistics of the numbers with start <= time < end in bins; one that holds samples under two names is of both."""
        grid = Grid.of(start_ns, end_ns, count)
        begin_ns, upto_ns = grid.part(within)
        found = Bins.empty(grid.starts)
        for piece in self._pieces(channel):
            part = max(begin_ns, piece.first_ns), min(upto_ns, piece.last_ns + 1)
            if part[0] < part[1]:
                found.add(self._reader.bins(piece.name, start_ns, end_ns, count, times=times, within=part))
        return found

    def alarms(self, channel: str, start_ns: int, end_ns: int, *, with_previous: bool = True) -> Iterator[AlarmColumns]:
        """Alarm states with start <= time <= end in chunks, after the one in force at the start if wanted."""
        pieces = self._pieces(channel)
        if pieces[-1].alarm_first_ns == _FIRST:
            yield from self._reader.alarms(pieces[-1].name, start_ns, end_ns, with_previous=with_previous)
            return
        if with_previous and (previous := self._alarm_before(pieces, start_ns)) is not None:
            yield previous
        for piece in pieces:
            first, last = max(start_ns, piece.alarm_first_ns), min(end_ns, piece.alarm_last_ns)
            if first <= last:
                yield from self._reader.alarms(piece.name, first, last, with_previous=False)

    def names(self, pattern: str = "*") -> Iterator[str]:
        """Channels that have samples or alarm states, by their present names; an earlier name where the glob matches nothing else."""
        known = Aliases(self._aliases())
        if not len(known):
            yield from self._reader.names(pattern)
            return
        matches = glob_filter(pattern)
        stored = list(self._reader.names())
        present = {known.current(name) for name in stored}
        found = sorted(filter(matches, present))
        yield from found or sorted(name for current in present for name in known.olds(current) if matches(name))

    def events(self, channel: str, start_ns: int, end_ns: int) -> list[ChannelEvent]:
        """Moments in the range and gaps that overlap with it."""
        pieces = self._pieces(channel)
        found = [
            dataclasses.replace(event, channel=channel)
            for piece in pieces
            for event in self._reader.events(piece.name, start_ns, end_ns)
            if piece.first_ns <= event.time_ns <= piece.told_ns and (event.reason is not Reason.REMOVED or piece is pieces[-1])
        ]
        return bounded(channel, sorted(found, key=lambda event: (event.time_ns, event.reason)))

    def archivers(self, channel: str) -> list[str]:
        """The archivers that have told of a channel, under whichever of its names, sorted."""
        return sorted({name for piece in self._pieces(channel) for name in self._reader.archivers(piece.name)})

    def meta(self, channel: str, at_ns: int) -> ChannelMeta | None:
        """What the IOC told last at or before a time."""
        for piece in reversed(self._pieces(channel)):
            found = self._reader.meta(piece.name, min(at_ns, piece.told_ns))
            if found is not None and found.time_ns >= piece.first_ns:
                return dataclasses.replace(found, channel=channel)
        return None

    def audit(self, start_ns: int, end_ns: int) -> list[AuditRecord]:
        """Puts by clients with start <= time <= end; their PVs are called as they were then."""
        return self._reader.audit(start_ns, end_ns)

    def close(self) -> None:
        """Let go of files and connections."""
        self._reader.close()

    def _pieces(self, channel: str) -> list[_Piece]:
        """The history of a channel, the earliest part first; they do not overlap."""
        found: list[_Piece] = []
        first = alarm_first = _FIRST
        for tenure in tenures(self._aliases(), channel):
            if tenure.after_ns is not None:
                first, alarm_first = max(first, tenure.after_ns + 1), max(alarm_first, tenure.after_ns + 1)
            last, alarm_last, told = self._end(tenure, first)
            found.append(_Piece(tenure.name, first, last, alarm_first, alarm_last, told))
            first, alarm_first = max(first, last + 1), max(alarm_first, alarm_last + 1)
        return found

    def _end(self, tenure: Tenure, first_ns: int) -> tuple[int, int, int]:
        """Up to when samples, alarm states, and what else is told under a name belong to its channel.

        The last sample under the earlier name decides, not the moment of renaming: stamps are those of IOCs, whose clocks differ.
        """
        if tenure.alias is None:
            return _LAST, _LAST, _LAST
        until_ns = tenure.alias.until_ns
        told = until_ns if tenure.alias.ended_ns is not None else until_ns + LATE_NS
        sample = self._reader.at(tenure.name, told)
        last = first_ns - 1 if sample is None else max(int(sample.time[0]), first_ns - 1)
        return last, max(last, until_ns), told

    def _in_force(self, pieces: Sequence[_Piece], t_ns: int) -> SampleColumns | None:
        for piece in reversed(pieces):
            if piece.first_ns <= t_ns:
                found = self._reader.at(piece.name, min(t_ns, piece.last_ns))
                if found is not None and found.time[0] >= piece.first_ns:
                    return found
        return None

    def _alarm_before(self, pieces: Sequence[_Piece], start_ns: int) -> AlarmColumns | None:
        for piece in reversed(pieces):
            end = min(start_ns, piece.alarm_last_ns + 1)
            if piece.alarm_first_ns < end:
                # Only the one before: a range that ends before it begins has nothing else.
                found = next(self._reader.alarms(piece.name, end, end - 1), None)
                if found is not None and len(found) and found.time[0] >= piece.alarm_first_ns:
                    return found
        return None


def settled(reader: Reader) -> Reader:
    """A reader for one answer: `RenamedReader.settled` of one that follows renamings, any other itself."""
    return reader.settled() if isinstance(reader, RenamedReader) else reader
