"""channels.bob: the list of channels in pages, and beside it all about the one that is selected."""

from __future__ import annotations

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.channel_lines import Lines, counts, settings, state
from archioc.opi.screens.frame import TOP, display, result_line
from archioc.opi.screens.view_lines import LINE, PAGER_WIDTH, VIEW, Column, head, line, pager, shown, width_of
from archioc.opi.style import GAP, MARGIN, ROW
from archioc.opi.widgets import BOX_EDGE, Place, Trace, Write, box, button, chart, choice, column, entry, label, readout, switch

ROWS = 25
FILTER_TIP = "Words that must all match: part of a name, a glob, state=Disconnected, severity=MAJOR, group=vac, enable=Off"
SELECT_TIP = "Shown below; put a channel's name here to see another one"

_SELECT = f"{VIEW}Select"


def _select(slot: str, at: Place) -> Widget:
    row = slot.removesuffix(":")[-2:]
    return button("...", at, [Write(_SELECT, str(int(row)))], tip="Show all settings and numbers of this channel on the right")


COLUMNS = (
    Column("Channel", 320, shown("Name", text=True)),
    Column("State", 105, shown("State")),
    Column("Value", 150, shown("ValueText")),
    Column("Updates", 80, shown("EventRate")),
    Column("Samples", 80, shown("SampleRate")),
    Column("Age", 80, shown("Age")),
    Column("At most", 80, lambda slot, at: entry(f"{slot}Rate", at)),
    Column("Archive", 80, lambda slot, at: switch(f"{slot}Enable", at)),
    Column("", 36, _select),
)
PANEL_X = MARGIN + width_of(COLUMNS) + MARGIN
BOX_WIDTH = 310
PANEL_WIDTH = 2 * BOX_WIDTH + GAP
WIDTH = PANEL_X + PANEL_WIDTH + MARGIN
SELECTED = f"{VIEW}Selected:"
UPPER_Y = TOP + LINE


def _box_height(lines: int) -> int:
    return lines * (ROW + GAP) + 2 * BOX_EDGE


UPPER_LINES, LOWER_LINES = len(settings(SELECTED)), len(counts(SELECTED))
LOWER_Y = UPPER_Y + _box_height(UPPER_LINES) + GAP


def channels() -> Display:
    """The list with its filter, order and pages; the selected channel."""
    head_y = TOP + LINE
    result_y = max(head_y + LINE + ROWS * LINE, LOWER_Y + _box_height(LOWER_LINES)) + GAP
    widgets = [*_controls(TOP), *head(COLUMNS, MARGIN, head_y)]
    for number in range(ROWS):
        widgets += line(COLUMNS, f"Row{number:02d}", MARGIN, head_y + (number + 1) * LINE)
    widgets += _selected(result_y - GAP)
    widgets += result_line(result_y, WIDTH)
    return display("channels.bob", "Channels", WIDTH, result_y + ROW + MARGIN, widgets)


def _controls(y: int) -> list[Widget]:
    pager_x = 715
    message_x = pager_x + PAGER_WIDTH + 5
    return [
        label("Filter", Place(MARGIN, y, 52), style="Default Bold"),
        entry(f"{VIEW}Filter", Place(69, y, 243), text=True, tip=FILTER_TIP),
        label("Sort by", Place(320, y, 55)),
        choice(f"{VIEW}Sort", Place(380, y, 105)),
        choice(f"{VIEW}Order", Place(490, y, 100)),
        label("Hold", Place(598, y, 37)),
        switch(f"{VIEW}Hold", Place(640, y, 68)),
        *pager("", pager_x, y),
        readout(f"{VIEW}Message", Place(message_x, y, PANEL_X - MARGIN - message_x), text=True),
    ]


def _selected(bottom: int) -> list[Widget]:
    inside = Place(0, 0, BOX_WIDTH - 2 * BOX_EDGE)
    right = PANEL_X + BOX_WIDTH + GAP
    upper, lower = _box_height(UPPER_LINES), _box_height(LOWER_LINES)

    def lines(title: str, at: Place, rows: Lines) -> Widget:
        return box(title, at, column(rows, inside, 112))

    hint = "Past data: copy the name into a Data Browser"
    values = (Trace("Value", f"{SELECTED}Value"),)
    return [
        label("Channel", Place(PANEL_X, TOP, 70), style="Default Bold"),
        entry(_SELECT, Place(PANEL_X + 75, TOP, PANEL_WIDTH - 75), text=True, tip=SELECT_TIP),
        lines("Settings", Place(PANEL_X, UPPER_Y, BOX_WIDTH, upper), settings(SELECTED)),
        lines("State", Place(right, UPPER_Y, BOX_WIDTH, upper), state(SELECTED)),
        lines("What became of it", Place(PANEL_X, LOWER_Y, BOX_WIDTH, lower), counts(SELECTED)),
        chart(Place(right, LOWER_Y, BOX_WIDTH, bottom - LOWER_Y - LINE), "Value from now on", ("",), values),
        label(hint, Place(right, bottom - ROW, BOX_WIDTH), style="Fine Print"),
    ]
