"""A store that keeps what it is given, and fails or refuses on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import orjson

from archioc.core.errors import StoreDenied, StoreUnavailable
from archioc.core.events import ChannelEvent
from archioc.core.spool.encoding.columns import decode_columns
from archioc.core.spool.spool import SpoolFile
from archioc.db.store import Refusal, WriteOutcome, rows_of_samples

Told = dict[tuple[str, int], int]
"""Samples lost by channel and time of the event."""


class Mood(Enum):
    """How the store answers."""

    WELL = 0
    UNAVAILABLE = 1
    DENIED = 2
    REFUSES_SOME = 3
    """The first sample of each batch, for good."""
    FAILS_AFTERWARDS = 4
    """It stores the batch, and its answer gets lost."""


def told_by(file: SpoolFile) -> Told:
    """What the events in a batch tell of dropped samples."""
    return {(event.channel, event.time_ns): event.count for event in decode_columns(file.payload).events}


def values_in(file: SpoolFile) -> list[int]:
    """The numbers that a batch carries."""
    return [int(value) for value in decode_columns(file.payload).samples["value"]]


@dataclass
class ModelStore:
    """values: numbers of all samples stored. told: what its events say. batches: ids of what it was given."""

    destination: str
    mood: Mood = Mood.WELL
    values: set[int] = field(default_factory=set)
    told: Told = field(default_factory=dict)
    batches: set[int] = field(default_factory=set)
    lanes: int = 2
    while_writing: Callable[[], None] = lambda: None

    def prepare(self) -> None:
        """It is there."""

    def write(self, file: SpoolFile) -> WriteOutcome:
        assert file.destination == self.destination, "given to the wrong store"
        self.while_writing()
        if self.mood is Mood.UNAVAILABLE:
            raise StoreUnavailable("503")
        if self.mood is Mood.DENIED:
            raise StoreDenied("401")
        values, rejected = values_in(file), np.zeros(len(file.counts), np.int64)
        refused = values[:1] if self.mood is Mood.REFUSES_SOME else []
        if refused:
            rejected[rows_of_samples(file)[0]] = 1
        self.values |= set(values) - set(refused)
        self.told |= told_by(file)
        self.batches.add(file.batch_id)
        if self.mood is Mood.FAILS_AFTERWARDS:
            raise StoreUnavailable("connection reset")
        return WriteOutcome(rejected, rejected, (Refusal(orjson.dumps(refused), "400"),) if refused else ())

    def write_events(self, events: Sequence[ChannelEvent]) -> None:
        self.told |= {(event.channel, event.time_ns): event.count for event in events}

    @property
    def warning(self) -> str:
        return ""
