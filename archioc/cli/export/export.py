"""`archioc export`: the samples of long ranges into a file, part by part."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from archioc.cli.output.channel_result import ChannelResult
from archioc.cli.output.output_file import whole_file
from archioc.cli.output.parquet import SAMPLE_COLUMNS, ParquetWriter, parquet_table
from archioc.cli.output.sample_writers import CsvWriter, JsonLinesWriter, SampleWriter
from archioc.cli.selection import Span, expand, open_archive
from archioc.cli.windows import Windows
from archioc.core.errors import UsageError
from archioc.core.events import GAPS
from archioc.db.sample_columns import SampleColumns
from archioc.db.store import Reader

_BY_SUFFIX = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}


def export_samples(config: Path, wanted: Sequence[str], start: str, end: str, form: str, output: Path, *, gaps: bool, force: bool) -> None:
    """Write the samples with start <= time <= end of the channels wanted.

    Raises UsageError, UnknownChannel, TimeFormatError, ConfigError, StoreError, OutputError; then there is no file.
    """
    form = _BY_SUFFIX.get(output.suffix.lower(), "") if form == "auto" else form
    if not form:
        raise UsageError(f"{output}: its suffix tells no format; there are {', '.join(_BY_SUFFIX)}, or take --format")
    span = Span.parse(start, end)
    with open_archive(config) as reader, whole_file(output, replace=force) as place:
        names = expand(reader, wanted)
        with _writer(place, form, gaps=gaps) as writer, _progress() as progress:
            written = sum(_export(reader, name, span, writer, progress) for name in _with_bar(names, progress))
            writer.finish()
    sys.stdout.write(f"{output}: {written} samples of {len(names)} channels\n")


@contextmanager
def _writer(place: Path, form: str, *, gaps: bool) -> Iterator[SampleWriter]:
    with ExitStack() as stack:
        if form == "parquet":
            yield ParquetWriter(stack.enter_context(parquet_table(place, SAMPLE_COLUMNS)), gaps=gaps)
            return
        out = stack.enter_context(place.open("w", encoding="utf-8", newline=""))
        yield CsvWriter(out, gaps=gaps) if form == "csv" else JsonLinesWriter(out, gaps=gaps)


def _progress() -> Progress:
    """On a terminal a bar on standard error; otherwise nothing."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _with_bar(names: Sequence[str], progress: Progress) -> Iterable[str]:
    task = progress.add_task("", total=len(names))
    for number, name in enumerate(names):
        progress.update(task, completed=number, description=name)
        yield name


def _export(reader: Reader, channel: str, span: Span, writer: SampleWriter, progress: Progress) -> int:
    """One channel; how many samples that were."""
    windows, written = Windows(span), 0
    task = progress.task_ids[0]
    before = progress.tasks[0].completed
    while (window := windows.pop()) is not None:
        counted = _Counted(reader.samples(channel, window.start_ns, window.end_ns, with_previous=False))
        events = [event for event in reader.events(channel, window.start_ns, window.end_ns) if event.reason in GAPS]
        here = [event for event in events if event.time_ns >= window.start_ns]
        writer.write(ChannelResult(channel, window.start_ns, iter(counted), here))
        windows.saw(counted.samples)
        written += counted.samples
        progress.update(task, completed=before + windows.done)
    return written


class _Counted:
    """Chunks as they pass, and how many samples there were in them."""

    def __init__(self, chunks: Iterable[SampleColumns]) -> None:
        self._chunks = chunks
        self.samples = 0

    def __iter__(self) -> Iterator[SampleColumns]:
        for chunk in self._chunks:
            self.samples += len(chunk)
            yield chunk
