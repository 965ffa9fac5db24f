"""Where a trace ends: the markers that the CSS archive engine writes among its samples, made here of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.events import ChannelEvent, Reason
from archioc.retrieval.archive_access.encoding import marker_object

MARKERS = {
    Reason.DISCONNECTED: "Disconnected",
    Reason.NO_VALUE: "Disconnected",
    Reason.DISABLED: "Archive_Disabled",
    Reason.GROUP_OFF: "Archive_Disabled",
    Reason.ARCHIVER_STOP: "Archive_Off",
    Reason.ENGINE_RESTART: "Archive_Off",
    Reason.LOST_OVERFLOW: "Write_Error",
    Reason.LOST_SPOOL_FULL: "Write_Error",
    Reason.LOST_QUOTA: "Write_Error",
    Reason.REJECTED: "Write_Error",
    Reason.STORE_DAMAGED: "Write_Error",
    Reason.STORE_LOST: "Write_Error",
    Reason.DELETED: "Write_Error",
}
"""By the reason of an event. Also what is beyond a quota was lost: nobody chose which samples, as with a dead band."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Objects of samples and their times (ns since 1970), ascending."""

    time: npt.NDArray[np.int64]
    objects: list[bytes]


def with_markers(blocks: Iterable[Block], events: Iterable[ChannelEvent]) -> Iterator[list[bytes]]:
    """The objects of all blocks with a marker where a gap begins; of markers with the same time the first."""
    words: dict[int, str] = {}
    for event in sorted(events, key=lambda event: event.time_ns):
        if event.reason in MARKERS and not event.archiver:  # what one of several archivers lost the others may have
            words.setdefault(event.time_ns, MARKERS[event.reason])
    waiting = np.array(list(words), np.int64)
    before = -1
    for block in filter(lambda block: len(block.time), blocks):
        due = int(np.searchsorted(waiting, block.time[-1]))
        places = np.searchsorted(block.time, waiting[:due], side="right")
        yield [*_merged(block, places.tolist(), waiting[:due].tolist(), words, before)]
        waiting, before = waiting[due:], int(block.time[-1])
    yield [_marker(time_ns, words, before) for time_ns in waiting.tolist()]


def _merged(block: Block, places: list[int], times: list[int], words: dict[int, str], before: int) -> Iterator[bytes]:
    begin = 0
    for place, time_ns in zip(places, times, strict=True):
        yield from block.objects[begin:place]
        yield _marker(time_ns, words, int(block.time[place - 1]) if place else before)
        begin = place
    yield from block.objects[begin:]


def _marker(time_ns: int, words: dict[int, str], before: int) -> bytes:
    """before: the time of the sample before, after which the marker stands."""
    return marker_object(time_ns + (time_ns == before), words[time_ns])
