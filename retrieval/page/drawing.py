"""What is drawn of a channel over a span: its samples where they are few, else statistics of equal bins, and why some are not there."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.events import GAPS, ChannelEvent, Reason
from archioc.db.bins import Bins
from archioc.db.sample_columns import SampleColumns, concatenate
from archioc.db.store import Reader
from archioc.retrieval.appliance.source import Range, Source

MAX_EVENTS = 500
"""Gaps and losses in one answer: the longest, and the last of those that are moments."""

MAX_TEXT = 100
"""Letters of a text sample in one answer."""

LOSSES = frozenset({Reason.LOST_OVERFLOW, Reason.LOST_SPOOL_FULL, Reason.LOST_QUOTA, Reason.REJECTED, Reason.BAD_TIME, Reason.TYPE_CHANGED})
"""Moments that are told; changes of settings are not."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """What holds from each time on, sorted by time; all columns have the same length.

    binned: whether the rows are bins. time: ns since 1970, int64. mean, min, max: float64, NaN where nothing is known (in a gap)
    or there is no number; of an array those of its elements. severity: the highest, uint8. text: of texts and enums.
    """

    binned: bool
    time: npt.NDArray[np.int64]
    mean: Floats
    min: Floats
    max: Floats
    severity: npt.NDArray[np.uint8]
    text: list[str | None]


@dataclass(frozen=True, slots=True)
class Told:
    """Gaps, and moments of loss, sorted by time. left_out: how many more there are in the span."""

    events: tuple[ChannelEvent, ...]
    left_out: int


def draw(source: Source, reader: Reader, span: Range, bins: int) -> tuple[Line, Told]:
    """What is drawn of a span that is not empty: samples where there are at most `bins`, else bins. Raises what the reader raises."""
    events = source.events(span)
    gaps = [event for event in events if event.reason in GAPS]
    few = _few_samples(source, span, bins)
    if few is None:
        found = source.bins(span.start_ns, span.end_ns, bins, times=False)
        line = line_of_bins(found, _value_at(reader, source.channel, span.start_ns), gaps)
    else:
        line = line_of_samples(few, gaps)
    return line, _told(events)


def _few_samples(source: Source, span: Range, most: int) -> list[SampleColumns] | None:
    """The samples of a span, with the last one before; None where there are more than `most` in it."""
    found: list[SampleColumns] = []
    number = 0
    with contextlib.closing(source.samples(span)) as chunks:  # type: ignore[type-var]
        for chunk in chunks:
            number += int((chunk.time > span.start_ns).sum())
            if number > most:
                return None
            found.append(chunk)
    return found


def line_of_samples(chunks: Sequence[SampleColumns], gaps: Sequence[ChannelEvent]) -> Line:
    """A row for each sample, and one without a number where a gap begins."""
    if not chunks:
        nothing = np.empty(0)
        return Line(False, nothing.astype(np.int64), nothing, nothing, nothing, nothing.astype(np.uint8), [])
    samples = concatenate(chunks)
    value, low, high = samples.value.copy(), samples.value.copy(), samples.value.copy()
    for at in (at for at, text in enumerate(samples.text) if text is None and np.isnan(value[at])):
        statistics = samples.statistics(at)
        if statistics is not None:
            value[at], low[at], high[at] = statistics.mean, statistics.min, statistics.max
    breaks = np.array([gap.time_ns for gap in gaps], np.int64)
    breaks = breaks[breaks > samples.time[0]]
    none = np.full(len(breaks), np.nan)
    time = np.concatenate([samples.time, breaks])
    order = np.argsort(time, kind="stable")
    texts = [text if text is None else text[:MAX_TEXT] for text in samples.text] + [None] * len(breaks)
    return Line(
        False,
        time[order],
        np.concatenate([value, none])[order],
        np.concatenate([low, none])[order],
        np.concatenate([high, none])[order],
        np.concatenate([samples.severity, np.zeros(len(breaks), np.uint8)])[order],
        [texts[at] for at in order.tolist()],
    )


def line_of_bins(bins: Bins, before: float, gaps: Sequence[ChannelEvent]) -> Line:
    """A row for each bin. One without a number has the last one before it, since a value holds until the next; in a gap it has none.

    before: what holds at the start, NaN where nothing does.
    """
    filled = bins.count > 0
    newest = np.maximum.accumulate(np.where(filled, np.arange(len(bins)), -1))
    held = np.where(newest < 0, before, bins.last[newest])
    held[_within(bins.start, gaps)] = np.nan
    mean, low, high = (np.where(filled, column, held) for column in (bins.mean, bins.min, bins.max))
    return Line(True, bins.start, mean, low, high, bins.severity, [None] * len(bins))


def _within(starts: npt.NDArray[np.int64], gaps: Sequence[ChannelEvent]) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(starts), bool)
    for gap in gaps:
        begin = np.searchsorted(starts, gap.time_ns)
        end = len(starts) if gap.end_ns is None else np.searchsorted(starts, gap.end_ns)
        found[begin:end] = True
    return found


def _value_at(reader: Reader, channel: str, at_ns: int) -> float:
    found = reader.at(channel, at_ns)
    return np.nan if found is None else float(found.value[0])


def _told(events: Sequence[ChannelEvent]) -> Told:
    shown = [event for event in events if event.reason in GAPS or event.reason in LOSSES]
    longest = sorted(shown, key=_length, reverse=True)[:MAX_EVENTS]
    return Told(tuple(sorted(longest, key=lambda event: event.time_ns)), len(shown) - len(longest))


def _length(event: ChannelEvent) -> tuple[float, int]:
    """Open gaps are longer than all others; moments have no length, of them the last come first."""
    if event.reason not in GAPS:
        return 0, event.time_ns
    return float("inf") if event.end_ns is None else event.end_ns - event.time_ns, event.time_ns
