"""limits.bob: the limits of the archiver's own alarms."""

from __future__ import annotations

from dataclasses import replace

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.frame import TOP, bottom_line, display
from archioc.opi.style import GAP, LINE, MARGIN, ROW, SMALL, Size
from archioc.opi.widgets import Place, entry, label, words

NAMES = (
    ("DisconnectedPct", "Channels that are not connected"),
    ("Dropped:LastMinute", "Samples lost in the last minute"),
    ("Rejected:LastMinute", "Samples refused in the last minute"),
    ("BadTime:LastMinute", "Bad time stamps in the last minute"),
    ("Quarantine", "Batches in quarantine"),
    ("Shard:Foreign", "Channels of other shards kept here"),
    ("Lag", "From commit to acknowledgement"),
    ("Spool:FillPct", "Fill of the spool"),
    ("Spool:OldestAge", "Oldest batch in the spool"),
    ("Disk:FreePct", "Free part of the spool's disk"),
    ("Late", "Updates older than the one before"),
    ("EventRate", "Updates received"),
    ("SampleRate", "Samples taken"),
    ("WriteRate", "Samples stored"),
    ("LoopLag", "Delay of the control IOC"),
)
FIELDS = (("LOLO", "MAJOR below"), ("LOW", "MINOR below"), ("HIGH", "MINOR above"), ("HIHI", "MAJOR above"), ("HYST", "Hysteresis"))
TITLE_WIDTH, VALUE_WIDTH = 290, 150
PITCH = 34


def limits(size: Size = SMALL) -> Display:
    """A line for each number, a column for each limit."""
    places = _places(size)
    y = TOP + LINE
    widgets = _head(TOP, places)
    for name, meaning in NAMES:
        widgets += _line(name, meaning, y, places)
        y += PITCH
    hint = "NaN: no limit. Limits are in the unit of the number, hold at once and outlive a restart."
    widgets.append(label(hint, Place(MARGIN, y, size.width - 2 * MARGIN), style="Comment"))
    result_y = size.height - MARGIN - ROW
    return display("limits.bob", "Alarm limits", size.width, size.height, (*widgets, *bottom_line(result_y, size.width)))


def _places(size: Size) -> list[Place]:
    """Of the limits in a line."""
    left = MARGIN + TITLE_WIDTH + VALUE_WIDTH + 2 * GAP
    width = (size.width - MARGIN - left - (len(FIELDS) - 1) * GAP) // len(FIELDS)
    return [Place(left + number * (width + GAP), 0, width) for number in range(len(FIELDS))]


def _head(y: int, places: list[Place]) -> list[Widget]:
    titles = [label(text, replace(at, y=y, height=LINE - 2), style="Default Bold") for (_, text), at in zip(FIELDS, places, strict=True)]
    return [label("Now", Place(MARGIN + TITLE_WIDTH + GAP, y, VALUE_WIDTH, LINE - 2), style="Default Bold"), *titles]


def _line(name: str, meaning: str, y: int, places: list[Place]) -> list[Widget]:
    return [
        label(meaning, Place(MARGIN, y, TITLE_WIDTH)),
        words(f"$(P){name}", Place(MARGIN + TITLE_WIDTH + GAP, y, VALUE_WIDTH)),
        *(entry(f"$(P){name}.{field}", replace(at, y=y), units=False) for (field, _), at in zip(FIELDS, places, strict=True)),
    ]
