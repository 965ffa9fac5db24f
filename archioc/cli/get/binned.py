"""Statistics of channels in bins of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from archioc.cli.output.columns_table import Row
from archioc.cli.output.sample_text import exact
from archioc.cli.selection import Span
from archioc.core.errors import UsageError
from archioc.core.events import GAPS, ChannelEvent
from archioc.db.bins import Bins
from archioc.db.store import Reader

STATISTICS = ("min", "max", "mean", "std", "first", "last", "non_finite", "severity")
"""What can be asked for; the names are those of `archioc.db.bins.Bins`."""

DEFAULT_STATISTICS = ("mean", "min", "max")


def statistics_of(written: str | None) -> tuple[str, ...]:
    """The statistics in a list with commas. Raises UsageError."""
    if written is None:
        return DEFAULT_STATISTICS
    names = tuple(name.strip() for name in written.split(","))
    for name in names:
        if name not in STATISTICS:
            raise UsageError(f"--stat {name}: there are {', '.join(STATISTICS)}")
    return names


def bin_header(statistics: Sequence[str]) -> tuple[str, ...]:
    """Columns of `bin_rows`. `gap` is the reason where a gap lies in the bin or over it."""
    return ("channel", "time_ns", "count", "gap", *statistics)


def bin_rows(reader: Reader, channels: Iterable[str], span: Span, count: int, statistics: Sequence[str]) -> Iterator[Row]:
    """A line for each channel and bin, empty ones too; the time is the begin of the bin."""
    for channel in channels:
        found, gaps = _bins(reader, channel, span, count)
        for at, gap in enumerate(gaps):
            yield (channel, int(found.start[at]), int(found.count[at]), gap, *_values(found, at, statistics))


def aligned_bin_header(channels: Sequence[str], statistics: Sequence[str]) -> tuple[str, ...]:
    """Columns of `aligned_bin_rows`: CHANNEL where there is one statistic, otherwise CHANNEL:STATISTIC."""
    return ("time_ns", *(f"{channel}:{name}" if len(statistics) > 1 else channel for channel in channels for name in statistics))


def aligned_bin_rows(reader: Reader, channels: Iterable[str], span: Span, count: int, statistics: Sequence[str]) -> Iterator[Row]:
    """A line for each bin, the statistics of the channels beside each other."""
    all_bins = [reader.bins(channel, span.start_ns, span.end_ns, count, times=False) for channel in channels]
    for at, start in enumerate(all_bins[0].start.tolist()):
        yield (start, *(value for found in all_bins for value in _values(found, at, statistics)))


def _bins(reader: Reader, channel: str, span: Span, count: int) -> tuple[Bins, list[str | None]]:
    found = reader.bins(channel, span.start_ns, span.end_ns, count, times=False)
    return found, gaps_in(found.start.tolist(), span.end_ns, reader.events(channel, span.start_ns, span.end_ns))


def gaps_in(starts: Sequence[int], end_ns: int, events: Iterable[ChannelEvent]) -> list[str | None]:
    """For each bin the reason of the last gap that overlaps with it."""
    gaps = [event for event in events if event.reason in GAPS]
    found: list[str | None] = []
    for begin, end in zip(starts, [*starts[1:], end_ns], strict=True):
        here = [gap.reason.word for gap in gaps if gap.time_ns < end and (gap.end_ns is None or gap.end_ns > begin)]
        found.append(here[-1] if here else None)
    return found


def _values(found: Bins, at: int, statistics: Sequence[str]) -> Iterator[object]:
    """None where there is no number in the bin; how many are not finite and the severity are told of every bin."""
    for name in statistics:
        value = getattr(found, name)[at]
        if name in {"non_finite", "severity"}:
            yield int(value)
        else:
            yield exact(float(value)) if found.count[at] else None
