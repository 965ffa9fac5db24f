"""limits.bob: the limits of the archiver's own alarms."""

from __future__ import annotations

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.frame import TOP, display, result_line
from archioc.opi.style import GAP, MARGIN, ROW
from archioc.opi.widgets import Place, entry, label, readout

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
TITLE_WIDTH, VALUE_WIDTH, FIELD_WIDTH = 270, 130, 110
WIDTH = 2 * MARGIN + TITLE_WIDTH + VALUE_WIDTH + len(FIELDS) * FIELD_WIDTH + (len(FIELDS) + 1) * GAP


def limits() -> Display:
    """A line for each number, a column for each limit."""
    y = TOP + ROW + GAP
    widgets = _head(TOP)
    for name, meaning in NAMES:
        widgets += _line(name, meaning, y)
        y += ROW + GAP
    hint = "NaN: no limit. Limits are in the unit of the number, hold at once and outlive a restart."
    widgets.append(label(hint, Place(MARGIN, y, WIDTH - 2 * MARGIN), style="Comment"))
    y += ROW + GAP
    return display("limits.bob", "Alarm limits", WIDTH, y + ROW + MARGIN, (*widgets, *result_line(y, WIDTH)))


def _field_place(number: int, y: int) -> Place:
    return Place(MARGIN + TITLE_WIDTH + VALUE_WIDTH + 2 * GAP + number * (FIELD_WIDTH + GAP), y, FIELD_WIDTH)


def _head(y: int) -> list[Widget]:
    titles = [label(text, _field_place(number, y), style="Default Bold") for number, (_, text) in enumerate(FIELDS)]
    return [label("Now", Place(MARGIN + TITLE_WIDTH + GAP, y, VALUE_WIDTH), style="Default Bold"), *titles]


def _line(name: str, meaning: str, y: int) -> list[Widget]:
    return [
        label(meaning, Place(MARGIN, y, TITLE_WIDTH)),
        readout(f"$(P){name}", Place(MARGIN + TITLE_WIDTH + GAP, y, VALUE_WIDTH)),
        *(entry(f"$(P){name}.{field}", _field_place(number, y), units=False) for number, (field, _) in enumerate(FIELDS)),
    ]
