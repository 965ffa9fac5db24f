"""`archioc get`: stored samples as a table, CSV, JSON or Parquet."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from archioc.cli.get.aligned import aligned_rows
from archioc.cli.get.binned import aligned_bin_header, aligned_bin_rows, bin_header, bin_rows, statistics_of
from archioc.cli.output.channel_result import ChannelResult
from archioc.cli.output.columns_table import Row, write_rows
from archioc.cli.output.output_file import whole_file
from archioc.cli.output.parquet import BIN_COLUMNS, SAMPLE_COLUMNS, ParquetWriter, parquet_table
from archioc.cli.output.sample_writers import CsvWriter, JsonLinesWriter, JsonWriter, SampleWriter, TableWriter
from archioc.cli.selection import Span, expand, open_archive
from archioc.core.errors import UsageError
from archioc.db.store import Reader

_BIN_LINES = 10_000
"""Lines of bins that go to a Parquet file at once."""


@dataclass(frozen=True, slots=True)
class GetOptions:
    """What was asked for, as it was written. form: table, csv, json, jsonl or parquet. bins: None for the samples themselves.

    as_stored: under the names that the store has, whatever was renamed. safe: texts of csv are no formulas of a spreadsheet.
    at: the values in force at this time, in place of `last` and `end`.
    """

    channels: tuple[str, ...]
    start: str
    end: str
    form: str
    bins: int | None = None
    stat: str | None = None
    last: bool = False
    align: bool = False
    gaps: bool = False
    output: Path | None = None
    as_stored: bool = False
    safe: bool = False
    at: str | None = None

    @property
    def in_force(self) -> str | None:
        """The time of which the values in force are asked for, None where all samples of a span are."""
        return self.at if self.at is not None else self.end if self.last else None

    def check(self) -> None:
        """Raises UsageError for what does not go together."""
        if self.at is not None and (self.last or self.bins is not None or self.align):
            raise UsageError("--at: goes with none of --last, --bins and --align")
        if self.last and (self.bins is not None or self.align):
            raise UsageError("--last: goes with neither --bins nor --align")
        if self.stat is not None and self.bins is None:
            raise UsageError("--stat: needs --bins")
        if self.gaps and (self.align or self.bins is not None or self.form in {"table", "json"}):
            raise UsageError("--gaps: is for the samples themselves as csv, jsonl or parquet; the other forms show gaps anyway")
        if self.safe and self.form != "csv":
            raise UsageError("--safe: is for --format csv; other forms have no formulas")
        if self.form == "parquet" and self.output is None:
            raise UsageError("--format parquet: needs --output FILE")
        if self.form == "parquet" and self.align:
            raise UsageError("--align: has no Parquet form; leave --align out, or take csv")


def get_samples(config: Path, wanted: GetOptions) -> None:
    """Write what is wanted. Raises UsageError, UnknownChannel, TimeFormatError, ConfigError, StoreError, OutputError."""
    wanted.check()
    statistics = statistics_of(wanted.stat)
    moment = wanted.in_force
    span = Span.parse(wanted.start, wanted.end) if moment is None else Span.parse(moment, moment)
    with open_archive(config, as_stored=wanted.as_stored) as reader:
        names = expand(reader, wanted.channels)
        if wanted.bins is not None:
            _write_bins(reader, names, span, wanted, statistics, wanted.bins)
        elif wanted.align:
            with _text_output(wanted.output) as out:
                write_rows(("time_ns", *names), aligned_rows(reader, names, span), wanted.form, out, safe=wanted.safe)
        else:
            _write_samples(_found(reader, names, span, last=moment is not None), wanted)


def _found(reader: Reader, names: Iterable[str], span: Span, *, last: bool) -> Iterator[ChannelResult]:
    for name in names:
        if last:
            newest = reader.at(name, span.end_ns)
            chunks = iter([] if newest is None else [newest])
            yield ChannelResult(name, 0, chunks, reader.events(name, span.end_ns, span.end_ns))
        else:
            chunks = reader.samples(name, span.start_ns, span.end_ns)
            yield ChannelResult(name, span.start_ns, chunks, reader.events(name, span.start_ns, span.end_ns))


def _write_samples(found: Iterable[ChannelResult], wanted: GetOptions) -> None:
    if wanted.form == "parquet":
        assert wanted.output is not None
        with whole_file(wanted.output) as place, parquet_table(place, SAMPLE_COLUMNS) as table:
            _write_all(ParquetWriter(table, gaps=wanted.gaps), found)
        return
    with _text_output(wanted.output) as out:
        _write_all(_text_writer(wanted, out), found)


def _write_all(writer: SampleWriter, found: Iterable[ChannelResult]) -> None:
    for one in found:
        writer.write(one)
    writer.finish()


def _text_writer(wanted: GetOptions, out: IO[str]) -> SampleWriter:
    match wanted.form:
        case "csv":
            return CsvWriter(out, gaps=wanted.gaps, safe=wanted.safe)
        case "json":
            return JsonWriter(out)
        case "jsonl":
            return JsonLinesWriter(out, gaps=wanted.gaps)
        case _:
            return TableWriter(out)


def _write_bins(reader: Reader, names: Sequence[str], span: Span, wanted: GetOptions, statistics: Sequence[str], count: int) -> None:
    header, rows = bin_header(statistics), bin_rows(reader, names, span, count, statistics)
    if wanted.form == "parquet":
        assert wanted.output is not None
        _write_bin_file(wanted.output, header, rows, statistics)
        return
    if wanted.align:
        header, rows = aligned_bin_header(names, statistics), aligned_bin_rows(reader, names, span, count, statistics)
    with _text_output(wanted.output) as out:
        write_rows(header, rows, wanted.form, out, safe=wanted.safe)


def _write_bin_file(output: Path, header: Sequence[str], rows: Iterator[Row], statistics: Sequence[str]) -> None:
    columns = BIN_COLUMNS | dict.fromkeys(statistics, "double")
    with whole_file(output) as place, parquet_table(place, columns) as table:
        while lines := [row for _, row in zip(range(_BIN_LINES), rows, strict=False)]:
            made = {name: np.array(column, object) for name, column in zip(header, zip(*lines, strict=True), strict=True)}
            times = made["time_ns"].astype(np.int64)
            numbers = {name: np.array([np.nan if one is None else float(one) for one in made[name]]) for name in statistics}
            filled = {name: made[name] for name in ("gap",) if any(one is not None for one in made[name])}
            table.add(
                {"channel": made["channel"], "time": times.astype("M8[ns]"), "time_ns": times}
                | {"count": made["count"].astype(np.int64)}
                | filled
                | numbers
            )


@contextmanager
def _text_output(path: Path | None) -> Iterator[IO[str]]:
    """Standard output, or a file that is there whole or not at all."""
    if path is None:
        yield sys.stdout
        return
    with whole_file(path) as place, place.open("w", encoding="utf-8", newline="") as out:
        yield out
