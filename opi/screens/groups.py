"""groups.bob: the groups of channels in pages with their conditions, and the channels of one of them."""

from __future__ import annotations

from archioc.opi.bob import Display, Widget
from archioc.opi.screens.frame import TOP, VIEW, display, result_line
from archioc.opi.screens.view_lines import HEAD, PAGER_WIDTH, Column, head, line, pager, pitch_of, shown, width_of, worded
from archioc.opi.style import GAP, MARGIN, ROW, SMALL, Size
from archioc.opi.widgets import Align, Place, Write, button, entry, label, readout, shown_if, switch, with_rule

GROUPS = 10
ROWS = 25
CONDITION_TIP = "PV OPERATOR VALUE; empty: always"
FILTER_TIP = "group=NAME lists a group, group=NAME state=Disconnected what is missing of it"
REASON_INDENT = 20


def _show(slot: str, at: Place) -> Widget:
    number = slot.removesuffix(":")[-1]
    return button("Show", at, [Write(f"{VIEW}GroupSelect", number)], tip="List the channels of this group on the right")


def _condition(slot: str, at: Place) -> Widget:
    return entry(f"{slot}Condition", at, text=True, tip=CONDITION_TIP)


def group_columns(size: Size) -> tuple[Column, ...]:
    """What is shown of a group."""
    more = 0 if size == SMALL else 40
    return (
        Column("Group", 112 + more, shown("Name", text=True)),
        Column("Now", 48, shown("State", align=Align.CENTER)),
        Column("Archive", 70, lambda slot, at: switch(f"{slot}Enable", at)),
        Column("Condition", 122 + more, _condition),
        Column("Holds?", 92, shown("ConditionState", align=Align.CENTER)),
        Column("Channels", 72, worded("Channels")),
        Column("Missing", 60, worded("Disconnected")),
        Column("", 56, _show),
    )


def channel_columns(size: Size) -> tuple[Column, ...]:
    """What is shown of a channel of the group; its name takes what is left of the room."""
    fixed = (
        Column("State", 100, shown("State", align=Align.CENTER)),
        Column("Value", 112, shown("ValueText")),
        Column("Age", 76, worded("Age")),
        Column("Why not", 84 if size == SMALL else 190, shown("Reason", text=True)),
    )
    room = size.width - 3 * MARGIN - width_of(group_columns(size))
    return (Column("Channel", room - width_of(fixed) - 4, shown("Name", text=True)), *fixed)


def groups(size: Size = SMALL) -> Display:
    """Two lines for each group: the second says why it is not archived. Beside them the channels of the group that is shown."""
    left, right, head_y = group_columns(size), channel_columns(size), TOP + ROW + 4
    list_x = 2 * MARGIN + width_of(left)
    pitch = pitch_of(ROWS, size.height - head_y - HEAD)
    widgets = [*_group_controls(TOP), *head(left, MARGIN, head_y), *_list_controls(TOP, list_x, size.width), *head(right, list_x, head_y)]
    for number in range(GROUPS):
        y, slot = head_y + HEAD + 2 * number * pitch, f"Group{number:02d}"
        reason = Place(MARGIN + REASON_INDENT, y + pitch, width_of(left) - REASON_INDENT, pitch - 4)
        why = readout(f"{VIEW}{slot}:Reason", reason, text=True, style="Fine Print")
        widgets += [line(left, slot, MARGIN, y, pitch), with_rule(why, shown_if(f"{VIEW}{slot}:"))]
    widgets += [line(right, f"Row{number:02d}", list_x, head_y + HEAD + number * pitch, pitch) for number in range(ROWS)]
    widgets += _messages(head_y + HEAD + 2 * GROUPS * pitch + GAP, width_of(left))
    return display("groups.bob", "Groups", size.width, size.height, widgets)


def _group_controls(y: int) -> list[Widget]:
    return [label("Groups", Place(MARGIN, y, 58), style="Default Bold"), *pager("Group", MARGIN + 62, y)]


def _list_controls(y: int, x: int, width: int) -> list[Widget]:
    pager_x = width - MARGIN - PAGER_WIDTH
    return [
        label("Filter", Place(x, y, 52), style="Default Bold"),
        entry(f"{VIEW}Filter", Place(x + 56, y, pager_x - x - 56 - GAP), text=True, tip=FILTER_TIP),
        *pager("", pager_x, y),
    ]


def _messages(y: int, width: int) -> list[Widget]:
    return [
        *result_line(y, width, MARGIN, ROW + 22),
        label("About the list", Place(MARGIN, y + ROW + 28, 120), style="Default Bold"),
        readout(f"{VIEW}Message", Place(MARGIN + 126, y + ROW + 28, width - 126, ROW + 22), text=True, wrap=True),
    ]
