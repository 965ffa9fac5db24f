"""Channels beside each other: a line for each time at which one of them changes, with the values in force."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from archioc.cli.output.columns_table import Row
from archioc.cli.output.sample_text import plain_value
from archioc.cli.selection import Span
from archioc.cli.windows import Windows
from archioc.core.events import GAPS, ChannelEvent
from archioc.db.store import Reader

_SAMPLE, _GAP = 0, 1
"""At one time the sample comes first: it was received before the gap began."""

Change = tuple[int, int, int, object]
"""Time (ns), _SAMPLE or _GAP, number of the channel, value."""


def aligned_rows(reader: Reader, channels: Sequence[str], span: Span) -> Iterator[Row]:
    """Lines of time (ns) and a value for each channel: None before its first sample and in its gaps.

    The first line is that of the start. Memory holds one part of the range (`Windows`) of all channels.
    """
    held: list[object] = [None] * len(channels)
    gaps = [_gaps(reader, channel, span) for channel in channels]
    windows, first = Windows(span), True
    while (window := windows.pop()) is not None:
        changes = [change for at, channel in enumerate(channels) for change in _changes(reader, channel, at, window, gaps[at], first=first)]
        changes.sort(key=itemgetter(0, 1, 2))
        for time_ns, together in groupby(changes, key=itemgetter(0)):
            for _, _, at, value in together:
                held[at] = value
            yield (time_ns, *held)
        windows.saw(len(changes))
        first = False


def _gaps(reader: Reader, channel: str, span: Span) -> list[ChannelEvent]:
    events = reader.events(channel, span.start_ns, span.end_ns)
    return [event for event in events if event.reason in GAPS and event.end_ns != event.time_ns]


def _changes(reader: Reader, channel: str, at: int, window: Span, gaps: Sequence[ChannelEvent], *, first: bool) -> Iterator[Change]:
    """Samples and begins of gaps in a part of the range; in the first part what held at its start."""
    for chunk in reader.samples(channel, window.start_ns, window.end_ns, with_previous=first):
        for number, time_ns in enumerate(chunk.time.tolist()):
            yield max(time_ns, window.start_ns), _SAMPLE, at, plain_value(chunk, number)
    for gap in gaps:
        if window.start_ns <= gap.time_ns <= window.end_ns or (first and gap.time_ns < window.start_ns):
            yield max(gap.time_ns, window.start_ns), _GAP, at, None
