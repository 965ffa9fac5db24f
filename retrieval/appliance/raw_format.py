"""`getData.raw`: chunks of protobuf lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from archioc.retrieval.appliance import protobuf_lines as wire
from archioc.retrieval.appliance.number_lines import number_lines
from archioc.retrieval.appliance.runs import Header, Run
from archioc.retrieval.appliance.series import SECOND_NS, Series, year_start, years_of

Chunk = tuple[str, int, int]
"""Channel, type and year: what all samples under one header line have in common."""


def raw_pieces(found: Iterable[Series]) -> Iterator[bytes]:
    """The answer in pieces. A header line begins each chunk, an empty line stands between two; all lines end with a newline."""
    before: Chunk | None = None
    for series in found:
        for run in series.runs:
            for year, part in _by_year(run, series.year):
                chunk = part.header.channel, int(part.header.kind), year
                lines = _lines(part, year)
                if chunk != before:
                    lines = (b"" if before is None else b"\n") + _header(part.header, year) + lines
                before = chunk
                yield lines


def _by_year(run: Run, otherwise: int) -> Iterator[tuple[int, Run]]:
    if not len(run):
        yield otherwise, run
        return
    first, last = years_of(run.time[[0, -1]]).tolist()
    if first == last:
        yield first, run
        return
    years = years_of(run.time)
    begins = np.flatnonzero(np.append(True, years[1:] != years[:-1])).tolist()
    for begin, end in zip(begins, [*begins[1:], len(run)], strict=True):
        yield int(years[begin]), run.part(begin, end)


def _header(header: Header, year: int) -> bytes:
    return wire.header_line(header.kind, header.channel, year, header.elements, header.headers)


def _lines(run: Run, year: int) -> bytes:
    if not isinstance(run.values, np.ndarray):
        return b"".join(_line(run, at, year) for at in range(len(run)))
    pieces: list[bytes] = []
    begin = 0
    for at in sorted(run.fields):
        pieces += [number_lines(run.part(begin, at), year_start(year)), _line(run, at, year)]
        begin = at + 1
    pieces.append(number_lines(run.part(begin, len(run)), year_start(year)))
    return b"".join(pieces)


def _line(run: Run, at: int, year: int) -> bytes:
    second, nano = divmod(int(run.time[at]), SECOND_NS)
    value = wire.value_field(run.header.kind, run.values[at])
    return wire.sample_line(second - year_start(year), nano, value, int(run.severity[at]), int(run.status[at]), run.fields.get(at, {}))
