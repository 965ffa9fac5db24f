"""Data Browser files (`.plt`): axes, traces and a time that moves along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from archioc.opi.macro_defaults import write_defaults


@dataclass(frozen=True, slots=True)
class PlotTrace:
    """A trace. axis counts from 0. Archives are those of the site's settings."""

    pv: str
    name: str
    color: tuple[int, int, int]
    axis: int = 0


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis. span: its ends; without it the axis follows the values."""

    name: str
    span: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot. start: relative to now, as Phoebus writes it ("-8 hours"). The grid is that of the first axis."""

    file: str
    title: str
    start: str
    axes: tuple[Axis, ...]
    traces: tuple[PlotTrace, ...]


def to_xml(plot: Plot) -> str:
    """The content of the file."""
    root = Element("databrowser")
    _add(root, title=plot.title, save_changes="false", show_legend="true", show_toolbar="true", grid="true")
    _add(root, scroll="true", update_period="3.0", start=plot.start, end="now", archive_rescale="STAGGER")
    axes = SubElement(root, "axes")
    for number, one in enumerate(plot.axes):
        axis, first = SubElement(axes, "axis"), str(number == 0).lower()
        _add(axis, visible="true", name=one.name, use_axis_name="true", use_trace_names="false", right=str(number > 1).lower())
        low, high = one.span or (0.0, 1.0)
        _add(axis, grid=first, autoscale=str(one.span is None).lower(), min=str(low), max=str(high))
    _add_traces(SubElement(root, "pvlist"), plot.traces)
    write_defaults(root)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _add_traces(pvlist: Element, traces: Sequence[PlotTrace]) -> None:
    for trace in traces:
        made = SubElement(pvlist, "pv")
        _add(made, display_name=trace.name, visible="true", name=trace.pv, axis=str(trace.axis))
        red, green, blue = trace.color
        _add(SubElement(made, "color"), red=str(red), green=str(green), blue=str(blue))
        # AREA draws the envelope of minimum and maximum where the archive gives one.
        _add(made, trace_type="AREA", linewidth="2", period="0.0", ring_size="5000", request="OPTIMIZED")


def _add(parent: Element, **texts: str) -> None:
    for tag, text in texts.items():
        SubElement(parent, tag).text = text


BLUE, GREEN, BROWN, GREY, BLACK = (31, 119, 180), (0, 128, 96), (140, 86, 75), (90, 90, 90), (0, 0, 0)

CHANNEL = Plot("channel.plt", "$(CH)", "-1 hours", (Axis("$(CH)"),), (PlotTrace("$(CH)", "$(CH)", BLUE),))

HEALTH = Plot(
    "health.plt",
    "Archiver $(P)",
    "-1 days",
    (Axis("Samples (1/s)"), Axis("Lag (s)"), Axis("Spool, free disk (%)", (0.0, 100.0))),
    (
        PlotTrace("$(P)SampleRate", "Samples", BLUE),
        PlotTrace("$(P)WriteRate", "Stored", GREEN),
        PlotTrace("$(P)Lag", "Lag", BROWN, 1),
        PlotTrace("$(P)Spool:FillPct", "Spool", GREY, 2),
        PlotTrace("$(P)Disk:FreePct", "Free disk", BLACK, 2),
    ),
)

PLOTS = (CHANNEL, HEALTH)
