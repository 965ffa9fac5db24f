"""What the store has of a channel in a range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from archioc.core.events import GAPS, ChannelEvent
from archioc.db.sample_columns import SampleColumns


@dataclass(frozen=True, slots=True)
class ChannelResult:
    """Samples in chunks (those before `start_ns` are the one in force at the start), and events, both sorted by time."""

    channel: str
    start_ns: int
    chunks: Iterator[SampleColumns]
    events: Sequence[ChannelEvent] = field(default=())

    def in_order(self, events: Sequence[ChannelEvent] | None = None) -> Iterator[SampleColumns | ChannelEvent]:
        """Samples and events by time, an event before the samples of the same time; events: None for all."""
        waiting = sorted(self.events if events is None else events, key=lambda event: event.time_ns)
        for chunk in self.chunks:
            begin = 0
            while waiting and waiting[0].time_ns <= chunk.time[-1]:
                at = int(np.searchsorted(chunk.time, waiting[0].time_ns))
                if at > begin:
                    yield chunk.select(np.arange(begin, at))
                    begin = at
                yield waiting.pop(0)
            yield chunk if begin == 0 else chunk.select(np.arange(begin, len(chunk)))
        yield from waiting

    @property
    def gaps(self) -> list[ChannelEvent]:
        """Those of the events that begin a gap."""
        return [event for event in self.events if event.reason in GAPS]
