"""groups.bob: the groups of channels in pages with their conditions, and the channels of one of them."""

from __future__ import annotations

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.frame import TOP, display, result_line
from archioc.opi.screens.view_lines import LINE, PAGER_WIDTH, VIEW, Column, head, line, pager, shown, width_of
from archioc.opi.style import GAP, MARGIN, ROW
from archioc.opi.widgets import Place, Write, button, entry, label, readout, switch

GROUPS = 10
ROWS = 25
CONDITION_TIP = "PV OPERATOR VALUE; empty: always"
FILTER_TIP = "group=NAME lists a group, group=NAME state=Disconnected what is missing of it"


def _show(slot: str, at: Place) -> Widget:
    number = slot.removesuffix(":")[-1]
    return button("Show", at, [Write(f"{VIEW}GroupSelect", number)], tip="List the channels of this group on the right")


COLUMNS = (
    Column("Group", 150, shown("Name", text=True)),
    Column("Archived", 78, shown("State")),
    Column("Archive", 75, lambda slot, at: switch(f"{slot}Enable", at)),
    Column("Condition", 160, lambda slot, at: entry(f"{slot}Condition", at, text=True, tip=CONDITION_TIP)),
    Column("Holds?", 100, shown("ConditionState")),
    Column("Channels", 78, shown("Channels")),
    Column("Missing", 65, shown("Disconnected")),
    Column("Updates", 80, shown("EventRate")),
    Column("", 55, _show),
)
CHANNEL_COLUMNS = (
    Column("Channel", 270, shown("Name", text=True)),
    Column("State", 105, shown("State")),
    Column("Value", 140, shown("ValueText")),
    Column("Age", 75, shown("Age")),
    Column("Why not", 140, shown("Reason", text=True)),
)
LIST_X = MARGIN + width_of(COLUMNS) + MARGIN
WIDTH = LIST_X + width_of(CHANNEL_COLUMNS) + MARGIN
REASON_INDENT = 20


def groups() -> Display:
    """Two lines for each group: the second says why it is not archived. Beside them the channels of the group that is shown."""
    head_y = TOP + LINE
    result_y = head_y + LINE + ROWS * LINE + GAP
    widgets = [*_group_controls(TOP), *head(COLUMNS, MARGIN, head_y), *_list_controls(TOP), *head(CHANNEL_COLUMNS, LIST_X, head_y)]
    for number in range(GROUPS):
        y = head_y + LINE + 2 * number * LINE
        slot = f"Group{number:02d}"
        reason = Place(MARGIN + REASON_INDENT, y + LINE, width_of(COLUMNS) - REASON_INDENT)
        widgets += [*line(COLUMNS, slot, MARGIN, y), readout(f"{VIEW}{slot}:Reason", reason, text=True, style="Fine Print")]
    for number in range(ROWS):
        widgets += line(CHANNEL_COLUMNS, f"Row{number:02d}", LIST_X, head_y + (number + 1) * LINE)
    widgets += result_line(result_y, WIDTH)
    return display("groups.bob", "Groups", WIDTH, result_y + ROW + MARGIN, widgets)


def _group_controls(y: int) -> list[Widget]:
    message_x = 75 + PAGER_WIDTH + 10
    return [
        label("Groups", Place(MARGIN, y, 58), style="Default Bold"),
        *pager("Group", 75, y),
        readout(f"{VIEW}Message", Place(message_x, y, LIST_X - MARGIN - message_x), text=True),
    ]


def _list_controls(y: int) -> list[Widget]:
    pager_x = WIDTH - MARGIN - PAGER_WIDTH
    return [
        label("Channels", Place(LIST_X, y, 78), style="Default Bold"),
        entry(f"{VIEW}Filter", Place(LIST_X + 84, y, pager_x - LIST_X - 94), text=True, tip=FILTER_TIP),
        *pager("", pager_x, y),
    ]
