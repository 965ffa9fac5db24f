"""channels.bob: the list of channels in pages, and beside it all about the one that is selected."""

from __future__ import annotations

from dataclasses import replace

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.channel_lines import counts, settings, state
from archioc.opi.screens.frame import TOP, VIEW, display, result_line
from archioc.opi.screens.view_lines import HEAD, PAGER_WIDTH, Column, head, line, pager, pitch_of, shown, width_of, worded
from archioc.opi.style import GAP, MARGIN, ROW, SMALL, Size
from archioc.opi.widgets import (
    BOX_EDGE,
    READ_PITCH,
    Align,
    Place,
    Trace,
    Write,
    box,
    button,
    chart,
    choice,
    column,
    entry,
    holder,
    label,
    readout,
    shown_if,
    switch,
    with_rule,
)

ROWS = 25
FILTER_TIP = "Words that must all match: part of a name, a glob, state=Disconnected, severity=MAJOR, group=vac, enable=Off"
SELECT_TIP = "Shown below; put a channel's name here to see another one"
SELECTED = f"{VIEW}Selected:"
_SELECT = f"{VIEW}Select"


def _select(slot: str, at: Place) -> Widget:
    row = slot.removesuffix(":")[-2:]
    return button("...", at, [Write(_SELECT, str(int(row)))], tip="Show all settings and numbers of this channel on the right")


def _rate(slot: str, at: Place) -> Widget:
    return entry(f"{slot}Rate.TXT", at, units=False, tip="A rate such as 10 Hz, or no limit")


def columns(size: Size) -> tuple[Column, ...]:
    """What the list shows; the name takes what is left of the room."""
    wide = size != SMALL
    fixed = (
        Column("State", 100, shown("State", align=Align.CENTER)),
        Column("Value", 132, shown("ValueText")),
        Column("Updates", 74, worded("EventRate")),
        *((Column("Samples", 74, worded("SampleRate")),) if wide else ()),
        Column("Age", 76, worded("Age")),
        Column("At most", 86, _rate),
        Column("Archive", 72, lambda slot, at: switch(f"{slot}Enable", at)),
        Column("", 34, _select),
    )
    room = size.width - 3 * MARGIN - panel_width(size)
    return (Column("Channel", room - width_of(fixed) - 4, shown("Name", text=True)), *fixed)


def panel_width(size: Size) -> int:
    """Pixels of the part on the right."""
    return 456 if size == SMALL else 560


def channels(size: Size = SMALL) -> Display:
    """The list with its filter, order and pages; the selected channel."""
    shown_columns, head_y = columns(size), TOP + ROW + 4
    pitch = pitch_of(ROWS, size.height - head_y - HEAD)
    widgets = [*_controls(TOP, MARGIN + width_of(shown_columns)), *head(shown_columns, MARGIN, head_y)]
    widgets += [line(shown_columns, f"Row{number:02d}", MARGIN, head_y + HEAD + number * pitch, pitch) for number in range(ROWS)]
    widgets += _panel(Place(size.width - MARGIN - panel_width(size), TOP, panel_width(size), size.height - TOP - GAP))
    return display("channels.bob", "Channels", size.width, size.height, widgets)


def _controls(y: int, right: int) -> list[Widget]:
    pager_x = right - PAGER_WIDTH
    choices_x = pager_x - 302 - 4 * GAP
    return [
        label("Filter", Place(MARGIN, y, 52), style="Default Bold"),
        entry(f"{VIEW}Filter", Place(MARGIN + 56, y, choices_x - MARGIN - 56 - GAP), text=True, tip=FILTER_TIP),
        choice(f"{VIEW}Sort", Place(choices_x, y, 90)),
        choice(f"{VIEW}Order", Place(choices_x + 90 + GAP, y, 100)),
        label("Hold", Place(choices_x + 190 + 2 * GAP, y, 38)),
        switch(f"{VIEW}Hold", Place(choices_x + 232 + 2 * GAP, y, 70), tip="On: channels stay in their rows although the order changes"),
        *pager("", pager_x, y),
    ]


def _panel(at: Place) -> list[Widget]:
    """The selected channel, and below it what became of the last put and why a list was refused."""
    messages_y = at.y + at.height - 2 * ROW - 16 - 4
    below = Place(at.x, at.y + ROW + GAP, at.width, messages_y - at.y - ROW - 2 * GAP)
    selected = _with_chart(below.width, below.height) if below.width >= CHART_FROM else _compact(below.width, below.height)
    hint = label("Press ... in a row to see a channel here.", replace(below, height=48), style="Comment")
    list_y = messages_y + ROW + 16 + 4
    return [
        label("Channel", Place(at.x, at.y, 66), style="Default Bold"),
        entry(_SELECT, Place(at.x + 70, at.y, at.width - 70), text=True, tip=SELECT_TIP),
        holder("selected channel", below, selected, shown_if(SELECTED)),
        with_rule(hint, shown_if(SELECTED, empty=True)),
        *result_line(messages_y, at.width, at.x, ROW + 16),
        label("About the list", Place(at.x, list_y, 120), style="Default Bold"),
        readout(f"{VIEW}Message", Place(at.x + 126, list_y, at.width - 126), text=True),
    ]


CHART_FROM = 500
"""Pixels across from which there is room for a chart."""

COMPACT, ROOMY = 29, 30
"""From line to line of the settings (pixels)."""

LABEL_WIDTH, STATE_LABEL_WIDTH = 96, 74


def _upper(half: int, pitch: int) -> tuple[int, list[Widget]]:
    """Settings and state side by side, and how high they are."""
    inside, height = Place(0, 0, half - 2 * BOX_EDGE), 14 * pitch + 2 * BOX_EDGE
    return height, [
        box("Settings", Place(0, 0, half, height), column(settings(SELECTED), inside, LABEL_WIDTH, pitch)),
        box("State", Place(half + GAP, 0, half, height), column(state(SELECTED, narrow=True), inside, STATE_LABEL_WIDTH, pitch)),
    ]


def _compact(width: int, height: int) -> list[Widget]:
    """Counters in two columns below."""
    half = (width - GAP) // 2
    upper, boxes = _upper(half, COMPACT)
    inner = width - 2 * BOX_EDGE
    left, right = counts(SELECTED)[:5], counts(SELECTED)[5:]
    lines = [
        *column(left, Place(0, 0, (inner - MARGIN) // 2), LABEL_WIDTH, READ_PITCH),
        *column(right, Place((inner + MARGIN) // 2, 0, (inner - MARGIN) // 2), LABEL_WIDTH, READ_PITCH),
    ]
    return [*boxes, box("What became of it", Place(0, upper + GAP, width, min(height - upper - GAP, 5 * READ_PITCH + 2 * BOX_EDGE)), lines)]


def _with_chart(width: int, height: int) -> list[Widget]:
    """Counters and a chart of the value below."""
    half = (width - GAP) // 2
    upper, boxes = _upper(half, ROOMY)
    lower = height - upper - GAP
    inside, pitch = Place(0, 0, half - 2 * BOX_EDGE), min((lower - 2 * BOX_EDGE) // 9, READ_PITCH)
    return [
        *boxes,
        box("What became of it", Place(0, upper + GAP, half, lower), column(counts(SELECTED), inside, LABEL_WIDTH, pitch)),
        chart(Place(half + GAP, upper + GAP, half, lower), "Value from now on", (Trace("Value", f"{SELECTED}Value"),)),
    ]
