"""One picture with a field for each channel, by matplotlib without a display."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from archioc.cli.selection import Span
from archioc.core.errors import OutputError
from archioc.core.events import GAPS, ChannelEvent
from archioc.db.store import Reader

DPI = 100
_FIELD_HEIGHT = 2.2
"""Inches."""

_LINE, _GAP = "tab:blue", "0.85"
SEVERITY_COLOURS = {1: "gold", 2: "red", 3: "magenta"}
"""MINOR, MAJOR, INVALID, as operators' screens have them."""

_AS_POINTS = 400
"""A channel with at most so many samples is drawn as steps between them, others as bins."""

Times = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What is drawn of a channel. All columns have the same length; NaN where the line is interrupted.

    time: of samples, or of the middle of bins. low, high: the band. severity: uint8. steps: a value holds until the next.
    """

    channel: str
    units: str
    labels: tuple[str, ...]
    time: Times
    mean: Floats
    low: Floats
    high: Floats
    severity: npt.NDArray[np.uint8]
    gaps: list[ChannelEvent]
    steps: bool


def read_trace(reader: Reader, channel: str, span: Span, width: int) -> Trace:
    """Samples where there are few, otherwise a bin for each pixel. Raises OutputError for a channel without a number, StoreError."""
    meta = reader.meta(channel, span.end_ns)
    gaps = [event for event in reader.events(channel, span.start_ns, span.end_ns) if event.reason in GAPS]
    units, labels = (meta.units, meta.labels) if meta is not None else ("", ())
    bins = reader.bins(channel, span.start_ns, max(span.end_ns, span.start_ns + 1), width, times=False)
    if int(bins.count.sum()) <= _AS_POINTS:
        time, value, severity = _samples(reader, channel, span, gaps)
        return Trace(channel, units, labels, time.astype("M8[ns]"), value, value, value, severity, gaps, steps=True)
    middle = bins.start + (bins.start[1] - bins.start[0]) // 2 if len(bins) > 1 else bins.start
    shown = (bins.count > 0) | _within_gaps(bins.start, gaps)  # an empty bin interrupts the line only within a gap
    mean, low, high = bins.mean[shown], bins.min[shown], bins.max[shown]
    return Trace(channel, units, labels, middle[shown].astype("M8[ns]"), mean, low, high, bins.severity[shown], gaps, steps=False)


def _samples(
    reader: Reader, channel: str, span: Span, gaps: list[ChannelEvent]
) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.uint8]]:
    """Samples, with NaN where a gap begins, and what holds at both ends."""
    time: list[int] = []
    value: list[float] = []
    severity: list[int] = []
    others = False
    for chunk in reader.samples(channel, span.start_ns, span.end_ns):
        others = others or any(array is not None for array in (*chunk.arrays, *chunk.reduced))
        others = others or bool(np.isnan(chunk.value).all() and any(text is not None for text in chunk.text))
        time += np.maximum(chunk.time, span.start_ns).tolist()
        value += chunk.value.tolist()
        severity += chunk.severity.tolist()
    if others and not np.isfinite(value).any():
        raise OutputError(f"{channel}: has texts or arrays, which are not drawn; archioc get shows them")
    for gap in gaps:
        time.append(max(gap.time_ns, span.start_ns))
        value.append(np.nan)
        severity.append(0)
    if time:
        time.append(span.end_ns)
        last = max(range(len(time) - 1), key=lambda at: time[at])
        value.append(value[last])
        severity.append(severity[last])
    order = np.argsort(np.array(time, np.int64), kind="stable")
    return np.array(time, np.int64)[order], np.array(value)[order], np.array(severity, np.uint8)[order]


def _within_gaps(starts: npt.NDArray[np.int64], gaps: list[ChannelEvent]) -> npt.NDArray[np.bool_]:
    inside = np.zeros(len(starts), bool)
    for gap in gaps:
        inside |= (starts >= gap.time_ns) & (starts < (gap.end_ns if gap.end_ns is not None else np.iinfo(np.int64).max))
    return inside


def draw(traces: list[Trace], span: Span, place: Path, width: int) -> Figure:
    """Write the picture; what was drawn. width: pixels. Times are UTC."""
    figure = Figure(figsize=(width / DPI, 0.8 + _FIELD_HEIGHT * len(traces)), dpi=DPI, layout="constrained")
    fields = figure.subplots(len(traces), 1, sharex=True, squeeze=False)[:, 0]
    begin, end = (np.datetime64(time_ns, "ns") for time_ns in (span.start_ns, span.end_ns))
    for field, trace in zip(fields, traces, strict=True):
        _draw_trace(field, trace, end)
    locator = AutoDateLocator()  # type: ignore[no-untyped-call] # its stub has none
    fields[-1].set_xlim(begin, max(end, begin + np.timedelta64(1, "ms")))
    fields[-1].xaxis.set_major_locator(locator)
    fields[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call] # its stub has none
    fields[-1].set_xlabel("UTC")
    figure.savefig(place, format=place.suffix[1:].lower())
    return figure


def _draw_trace(field: Axes, trace: Trace, end: np.datetime64) -> None:
    field.set_title(trace.channel, loc="left", fontsize=10)
    field.set_ylabel(trace.units)
    for number, gap in enumerate(trace.gaps):
        until = end if gap.end_ns is None else np.datetime64(gap.end_ns, "ns")
        begun, until = date2num([np.datetime64(gap.time_ns, "ns"), until])  # type: ignore[no-untyped-call] # its stub has none
        field.axvspan(begun, until, color=_GAP, zorder=0, gid=f"gap-{number}-{gap.reason.word}")
    if not len(trace.time):
        field.text(0.5, 0.5, "no samples", transform=field.transAxes, ha="center", va="center")
        return
    if not trace.steps:
        field.fill_between(trace.time, trace.low, trace.high, color=_LINE, alpha=0.25, linewidth=0)
    field.plot(trace.time, trace.mean, color=_LINE, linewidth=1, drawstyle="steps-post" if trace.steps else "default")
    for severity, colour in SEVERITY_COLOURS.items():
        here = trace.severity == severity
        if here.any():
            field.plot(trace.time[here], trace.mean[here], color=colour, linestyle="", marker=".", markersize=5, gid=f"severity-{severity}")
    if trace.labels:
        field.set_yticks(range(len(trace.labels)), trace.labels)
    field.grid(visible=True, alpha=0.3)
