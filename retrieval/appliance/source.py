"""Samples of one channel out of the store, with what is told beside them: units, limits, labels, gaps."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import structlog

from archioc.core.errors import QueryError, StoreUnavailable
from archioc.core.events import GAPS, ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta
from archioc.db.alarm_columns import AlarmColumns
from archioc.db.bins import Bins, Within
from archioc.db.renamed_reader import settled
from archioc.db.sample_columns import SampleColumns
from archioc.db.store import Reader
from archioc.retrieval.appliance.payload import PayloadType
from archioc.retrieval.appliance.runs import Header, Run, element_type, is_numeric, runs_of
from archioc.retrieval.query_pool.budget import Budget

_log = structlog.get_logger()

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
MAX_TYPES = 20
"""Of so many changes of type in a range the newest are looked at."""

RENEWED = 2_000_000
"""Samples after which a query is begun anew."""

_LIMITS = {
    "LOPR": "display_low",
    "HOPR": "display_high",
    "LOLO": "alarm_low",
    "LOW": "warning_low",
    "HIGH": "warning_high",
    "HIHI": "alarm_high",
    "DRVL": "control_low",
    "DRVH": "control_high",
}
_STARTS = frozenset({Reason.ARCHIVER_STOP, Reason.ENGINE_RESTART})


@dataclass(frozen=True, slots=True)
class Range:
    """Both ends included, ns since 1970."""

    start_ns: int
    end_ns: int


class Source:
    """One channel of the store. latest: metadata are those of now, not those of the end of the range."""

    def __init__(self, reader: Reader, channel: str, budget: Budget, *, latest: bool = False) -> None:
        self._reader, self.channel, self._budget, self._latest = settled(reader), channel, budget, latest
        self._metas_by_time: dict[int, ChannelMeta | None] = {}

    def samples(self, span: Range) -> Iterator[SampleColumns]:
        """The last sample at or before the start, then all up to the end, in chunks, none of them empty.

        The store is asked for them at once, so that it works on the first while it is asked for what stands beside them.
        """
        asked = self._reader.samples(self.channel, span.start_ns, span.end_ns)
        return _from_start(span, self._budget.watch(self._stored(span, asked)))

    def _stored(self, span: Range, asked: Iterator[SampleColumns]) -> Iterator[SampleColumns]:
        """What the store has, after the last sample before.

        A store works on one query for so long only, so it is asked for the rest after RENEWED samples; likewise when it has
        cut off a client that takes its answer slowly.
        """
        start_ns, begun = span.start_ns, False
        while True:
            number = 0
            try:
                for chunk in asked:
                    if not len(chunk):
                        continue
                    yield chunk
                    start_ns, begun = max(start_ns, int(chunk.time[-1]) + 1), True
                    number += len(chunk)
                    if number >= RENEWED:
                        break
                else:
                    return
            except StoreUnavailable as error:
                if not number:
                    raise
                _log.info("query_resumed", channel=self.channel, why=str(error))
            asked = self._reader.samples(self.channel, start_ns, span.end_ns, with_previous=not begun)

    def before(self, span: Range) -> SampleColumns | None:
        """The last sample before a range; None too where one is exactly at its start."""
        found = self._reader.at(self.channel, span.start_ns)
        return None if found is None or int(found.time[0]) == span.start_ns else found

    def bins(self, start_ns: int, end_ns: int, count: int, *, times: bool, within: Within | None = None) -> Bins:
        """Statistics that the store makes (`archioc.db.store.Reader.bins`)."""
        self._budget.check()
        return self._reader.bins(self.channel, start_ns, end_ns, count, times=times, within=within)

    def alarms(self, span: Range) -> Iterator[AlarmColumns]:
        """The alarm state in force at the start, then each that was written up to the end, in chunks."""
        return self._budget.watch(self._reader.alarms(self.channel, span.start_ns, span.end_ns))

    def runs(self, span: Range) -> Iterator[Run]:
        """The same as runs under their headers; at least one, which may be empty."""
        return self.runs_of(self.samples(span), span)

    def runs_of(self, samples: Iterator[SampleColumns], span: Range) -> Iterator[Run]:
        """Samples of this channel in a range as runs; at least one, which may be empty."""
        events = self.events(span)
        metas = self.metas(span, events)
        number = _number_type(metas)
        gaps: _Gaps | None = None
        for chunk in filter(len, samples):
            gaps = gaps or _Gaps([*self._before_start(chunk, span), *events], min(span.start_ns, int(chunk.time[0]) + 1))
            meta = meta_of(metas, int(chunk.time[-1]))
            yield from runs_of(chunk, number, partial(self._header, meta), gaps.fields(chunk))
        if gaps is None:
            yield Run.empty(self.header(span))

    def _before_start(self, first: SampleColumns, span: Range) -> list[ChannelEvent]:
        """Gaps that ended between the sample in force at the start, where the answer has it, and the start."""
        in_force = int(first.time[0])
        if in_force >= span.start_ns:
            return []
        found = self.events(Range(in_force, span.start_ns - 1))
        return [event for event in found if event.end_ns is not None and event.end_ns < span.start_ns]

    def header(self, span: Range, kind: PayloadType | None = None, elements: int = 1) -> Header:
        """The header of a range, of the channel's own type or another."""
        meta = self.meta(span.end_ns)
        if kind is None and meta is not None:
            return self._header(meta, element_type(meta.dbr, meta.count), meta.count)
        return self._header(meta, PayloadType.SCALAR_DOUBLE if kind is None else kind, elements)

    def _header(self, meta: ChannelMeta | None, kind: PayloadType, elements: int) -> Header:
        return Header(self.channel, kind, elements, {} if meta is None else headers_of(meta))

    def meta(self, at_ns: int) -> ChannelMeta | None:
        """What was told of the channel last at a time, now if wanted or if there was nothing yet; asked for once."""
        if at_ns not in self._metas_by_time:
            found = None if self._latest else self._reader.meta(self.channel, at_ns)
            self._metas_by_time[at_ns] = found or self._reader.meta(self.channel, time.time_ns())
        return self._metas_by_time[at_ns]

    def metas(self, span: Range, events: list[ChannelEvent]) -> list[ChannelMeta]:
        """What was told of the channel over a range, oldest first."""
        changes = [event.time_ns for event in events if event.reason is Reason.TYPE_CHANGED][-MAX_TYPES:]
        found = [self.meta(at_ns) for at_ns in (*(at - 1 for at in changes), span.end_ns)]
        return [meta for meta in found if meta is not None]

    def events(self, span: Range) -> list[ChannelEvent]:
        """What happened in a range. A store that tells no more than so many events at once is asked for half the time."""
        try:
            return self._reader.events(self.channel, span.start_ns, span.end_ns)
        except QueryError:
            middle = (span.start_ns + span.end_ns) // 2
            if span.end_ns - span.start_ns < DAY_NS:
                raise
            self._budget.check()
        return self.events(Range(span.start_ns, middle)) + self.events(Range(middle + 1, span.end_ns))


def _from_start(span: Range, found: Iterator[SampleColumns]) -> Iterator[SampleColumns]:
    """Without the sample before the range where one is exactly at its start."""
    previous: SampleColumns | None = None
    for chunk in found:
        if int(chunk.time[0]) < span.start_ns:
            previous = chunk
            continue
        if previous is not None and int(chunk.time[0]) > span.start_ns:
            yield previous
        previous = None
        yield chunk
    if previous is not None:
        yield previous


def headers_of(meta: ChannelMeta) -> dict[str, str]:
    """Headers as the protocol names them; what is not known or empty is left out."""
    found = {"EGU": meta.units} if meta.units else {}
    if meta.precision is not None:
        found["PREC"] = str(meta.precision)
    limits = {name: getattr(meta, attribute) for name, attribute in _LIMITS.items()}
    found |= {name: java_double(limit) for name, limit in limits.items() if limit is not None}
    return found | {f"ENUM_{at}": label for at, label in enumerate(meta.labels)}


def java_double(number: float) -> str:
    """A number as clients in Java read it."""
    if math.isnan(number):
        return "NaN"
    return repr(number) if math.isfinite(number) else ("Infinity" if number > 0 else "-Infinity")


def _number_type(metas: list[ChannelMeta]) -> PayloadType:
    """The type of numeric scalars. One for the whole range: clients take the first header of a year for all its samples."""
    kinds = {kind for meta in metas if is_numeric(kind := element_type(meta.dbr, 1))}
    return kinds.pop() if len(kinds) == 1 else PayloadType.SCALAR_DOUBLE


def meta_of(metas: list[ChannelMeta], time_ns: int) -> ChannelMeta | None:
    """The newest that was told by then, else the first."""
    return next((meta for meta in reversed(metas) if meta.time_ns <= time_ns), metas[0] if metas else None)


class _Gaps:
    """Gaps that ended at or after a time, each to be told with the first sample after it."""

    def __init__(self, events: list[ChannelEvent], since_ns: int) -> None:
        found = [(one.end_ns, one) for one in events if one.reason in GAPS and one.end_ns is not None]
        self._waiting = sorted((pair for pair in found if pair[0] >= since_ns), key=lambda pair: pair[0])
        self._at = 0

    def fields(self, chunk: SampleColumns) -> dict[int, dict[str, str]]:
        """Fields of the samples of the next chunk, by their place."""
        found: dict[int, dict[str, str]] = {}
        last = int(chunk.time[-1])
        while self._at < len(self._waiting) and self._waiting[self._at][0] <= last:
            end_ns, gap = self._waiting[self._at]
            self._at += 1
            place = int(np.searchsorted(chunk.time, end_ns))
            told = found.setdefault(place, {"cnxlostepsecs": str(gap.time_ns // SECOND_NS)})
            told["cnxregainedepsecs"] = str(end_ns // SECOND_NS)
            if gap.reason in _STARTS:
                told["startup"] = "true"
        return found
