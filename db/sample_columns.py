"""Samples of one channel as columns, as every query answers them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from archioc.core.array_statistics import ArrayStatistics
from archioc.core.spool.batch import encode_text

Array = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True, eq=False)
class SampleColumns:
    """Samples of one channel, sorted by time, no time twice; all columns have the same length.

    time: ns since 1970 UTC, int64.
    value: number or enum index, float64; NaN for text and arrays (and for a number that is NaN).
    severity, status: as `archioc.core.dbr` numbers them, uint8.
    flags: `archioc.core.spool.batch.SampleFlag`, uint8.
    src_time: the IOC's own stamp where `flags` says that it differs (ns), else 0; int64.
    text: the text of a text sample, the label of an enum where it was written, else None.
    arrays: the elements of an array sample (little endian), else None; None too where only statistics were kept.
    reduced: number and statistics of the elements of an array of which no more was kept, else None; all None when not given.
    """

    time: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    severity: npt.NDArray[np.uint8]
    status: npt.NDArray[np.uint8]
    flags: npt.NDArray[np.uint8]
    src_time: npt.NDArray[np.int64]
    text: list[str | None]
    arrays: list[Array | None]
    reduced: list[ArrayStatistics | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.reduced:
            self.reduced.extend([None] * len(self.time))

    def __len__(self) -> int:
        return len(self.time)

    @property
    def has_texts(self) -> bool:
        """Whether any sample has a text or label."""
        return self.text.count(None) < len(self.text)

    @property
    def array_places(self) -> list[int]:
        """Places of array samples, found among those whose value is NaN, so that numbers are not looked at one by one."""
        places = np.flatnonzero(np.isnan(self.value)).tolist()
        return [at for at in places if self.arrays[at] is not None or self.reduced[at] is not None]

    def statistics(self, at: int) -> ArrayStatistics | None:
        """Number and statistics of the elements of the sample at a place; None where it is no array."""
        array = self.arrays[at]
        return self.reduced[at] if array is None else ArrayStatistics.of(array)

    def text_bytes(self, at: int) -> bytes | None:
        """The text or label at a place as the IOC sent it, to the byte."""
        text = self.text[at]
        return None if text is None else encode_text(text, int(self.flags[at]))

    def select(self, index: npt.NDArray[np.intp]) -> SampleColumns:
        """The samples at some places, in that order."""
        places = index.tolist()
        return SampleColumns(
            self.time[index],
            self.value[index],
            self.severity[index],
            self.status[index],
            self.flags[index],
            self.src_time[index],
            [self.text[at] for at in places],
            [self.arrays[at] for at in places],
            [self.reduced[at] for at in places],
        )


def concatenate(chunks: Sequence[SampleColumns]) -> SampleColumns:
    """Several (at least one) behind each other."""
    return SampleColumns(
        np.concatenate([chunk.time for chunk in chunks]),
        np.concatenate([chunk.value for chunk in chunks]),
        np.concatenate([chunk.severity for chunk in chunks]),
        np.concatenate([chunk.status for chunk in chunks]),
        np.concatenate([chunk.flags for chunk in chunks]),
        np.concatenate([chunk.src_time for chunk in chunks]),
        [text for chunk in chunks for text in chunk.text],
        [array for chunk in chunks for array in chunk.arrays],
        [reduced for chunk in chunks for reduced in chunk.reduced],
    )


def newest_of_each_time(columns: SampleColumns) -> SampleColumns:
    """Sorted by time; of samples with the same time only the one that stands last."""
    if len(columns) < 2 or bool((columns.time[1:] > columns.time[:-1]).all()):
        return columns
    order = np.argsort(columns.time, kind="stable")
    time = columns.time[order]
    return columns.select(order[np.append(time[1:] != time[:-1], True)])


def merge_by_time(streams: Sequence[Iterator[SampleColumns]]) -> Iterator[SampleColumns]:
    """Several streams, each sorted by time, as one that is."""
    heads: list[SampleColumns | None] = [_next_filled(stream) for stream in streams]
    while True:
        present = [head for head in heads if head is not None]
        if len(present) < 2:
            break
        # All up to here is known: each stream that may still bring something goes beyond it.
        upto = min(int(head.time[-1]) for head in present)
        ready = []
        for which, head in enumerate(heads):
            if head is None:
                continue
            split = int(np.searchsorted(head.time, upto, side="right"))
            ready.append(head.select(np.arange(split)))
            heads[which] = head.select(np.arange(split, len(head))) if split < len(head) else _next_filled(streams[which])
        yield newest_of_each_time(concatenate(ready))
    for head, stream in zip(heads, streams, strict=True):
        if head is not None:
            yield head
            yield from stream


def _next_filled(stream: Iterator[SampleColumns]) -> SampleColumns | None:
    return next((chunk for chunk in stream if len(chunk)), None)
