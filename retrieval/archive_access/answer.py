"""What is answered for a channel and a range: samples as they are, or so many bins at most."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from itertools import chain, pairwise

import numpy as np

from archioc.core.dbr import Dbr
from archioc.core.spool.batch import ChannelMeta
from archioc.db.sample_columns import SampleColumns, concatenate
from archioc.retrieval.appliance.source import Range, Source, meta_of
from archioc.retrieval.archive_access.encoding import bin_objects, numbers_of, sample_objects
from archioc.retrieval.archive_access.markers import Block, with_markers

PIECE = 10_000
"""Samples in a piece of an answer."""

HELD_BYTES = 16_000_000
"""Bytes of texts and arrays that are held to see whether bins are needed at all."""

_NUMBERS = frozenset({Dbr.SHORT, Dbr.CHAR, Dbr.LONG, Dbr.FLOAT, Dbr.DOUBLE})


def answer(source: Source, span: Range, count: int | None) -> Generator[bytes, None, None]:
    """The answer in pieces: a JSON array. count: bins, about as many samples as the client can use; None for all samples."""
    events = source.events(span)
    metas = source.metas(span, events)
    blocks = _samples(source.samples(span), metas) if count is None else _few(source, span, count, metas)
    opening = b"["
    for objects in with_markers(blocks, events):
        if objects:
            yield opening + b",\n".join(objects)
            opening = b",\n"
    yield b"[]\n" if opening == b"[" else b"]\n"


def _samples(chunks: Iterable[SampleColumns], metas: list[ChannelMeta]) -> Iterator[Block]:
    changes = np.array([meta.time_ns for meta in metas[1:]], np.int64)
    for chunk in chunks:
        cuts = [*np.searchsorted(chunk.time, changes).tolist(), *range(0, len(chunk), PIECE), len(chunk)]
        places = sorted(set(cuts))
        for begin, end in pairwise(places):
            part = chunk.select(np.arange(begin, end))
            yield Block(part.time, sample_objects(part, meta_of(metas, int(part.time[0]))))


def _few(source: Source, span: Range, count: int, metas: list[ChannelMeta]) -> Iterator[Block]:
    """All samples where they are no more than `count`; else the extremes in each bin, or of what are no numbers one sample a bin."""
    with closing(_closable(source.samples(span))) as chunks:
        first: list[SampleColumns] = []
        number = held = 0
        for chunk in chunks:
            first.append(chunk)
            number += len(chunk)
            held += _size(chunk)
            if number > count or held > HELD_BYTES:
                break
        else:
            yield from _samples(first, metas)
            return
        if not (all(meta.dbr in _NUMBERS and meta.count == 1 for meta in metas) and all(numbers_of(chunk).all() for chunk in first)):
            yield from _samples(_thinned(chain(first, chunks), span, count), metas)
            return
    yield from _bins(source, span, count, metas)


def _bins(source: Source, span: Range, count: int, metas: list[ChannelMeta]) -> Iterator[Block]:
    previous = source.before(span)
    if previous is not None:
        yield from _samples([previous], metas)
    bins = source.bins(span.start_ns, span.end_ns + 1, count, times=True)
    bins = bins.select((bins.count > 0) | (bins.non_finite > 0))
    time = np.where(bins.count > 0, bins.first_time, bins.start)
    yield Block(time, bin_objects(bins, meta_of(metas, span.end_ns)))


def _thinned(chunks: Iterable[SampleColumns], span: Range, count: int) -> Iterator[SampleColumns]:
    """Of each bin the first of the samples with its highest severity."""
    width_ns = -(-(span.end_ns - span.start_ns + 1) // count)
    held: SampleColumns | None = None
    for chunk in chunks:
        found = chunk if held is None else concatenate([held, chunk])
        index = (found.time - span.start_ns) // width_ns
        order = np.lexsort((-found.severity.astype(np.int16), index))
        picked = order[np.append(True, index[order][1:] != index[order][:-1])]
        if len(picked) > 1:
            yield found.select(picked[:-1])
        held = found.select(picked[-1:])
    if held is not None:
        yield held


def _size(chunk: SampleColumns) -> int:
    return sum(len(text) for text in chunk.text if text) + sum(array.nbytes for array in chunk.arrays if array is not None)


def _closable(chunks: Iterator[SampleColumns]) -> Generator[SampleColumns, None, None]:
    yield from chunks
