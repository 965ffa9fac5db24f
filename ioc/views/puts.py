"""What puts to the PVs of a view do: which channels are listed and in which order, which page, which channel is selected."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from archioc.core.errors import CommandRefused, UnknownChannel
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.registry.archived import ArchivedChannel
from archioc.ioc.registry.archived_group import ArchivedGroup
from archioc.ioc.results import ResultCode
from archioc.ioc.views.fields import FILTER_BYTES, GROUP_BYTES, LIST_FIELDS
from archioc.ioc.views.filter import group_filter, read_filter
from archioc.ioc.views.groups import ViewGroups
from archioc.ioc.views.lists import ViewLists
from archioc.ioc.views.order import Sort
from archioc.ioc.views.view import GROUP_NAMES, ROW_NAMES, SELECTED, GroupPage, Slot, View

ListPut = Callable[[ViewLists, View, PutValue], None]

STEADY_S = 0.5
"""How long a channel must have been in its slot before a put can be meant for it: people and networks need time."""


def channel_meant(lists: ViewLists, view: View, slot_name: str, arrived: float) -> ArchivedChannel:
    """The channel that a put to a slot is meant for. arrived: when the put did (s, monotonic). Raises CommandRefused."""
    slot = view.slots[slot_name]
    channel = lists.channel_in(slot)
    _check_steady(slot_name, slot, arrived)
    if channel is None:
        raise CommandRefused(ResultCode.UNKNOWN_CHANNEL, f"{slot_name}: shows no channel; nothing was changed")
    return channel


def group_meant(groups: ViewGroups, view: View, slot_name: str, arrived: float) -> ArchivedGroup:
    """The group that a put to a slot is meant for. arrived: when the put did (s, monotonic). Raises CommandRefused."""
    slot = view.groups.slots[slot_name]
    group = groups.group_in(slot)
    _check_steady(slot_name, slot, arrived)
    if group is None:
        raise CommandRefused(ResultCode.UNKNOWN_CHANNEL, f"{slot_name}: shows no group; nothing was changed")
    return group


def _check_steady(slot_name: str, slot: Slot, arrived: float) -> None:
    if slot.since > arrived - STEADY_S:
        raise CommandRefused(
            ResultCode.MOVED, f"{slot_name}: {slot.shown or 'nothing'} came here while or just before it was put; nothing was changed"
        )


def _put_filter(_: ViewLists, view: View, value: PutValue) -> None:
    text = value.text(FILTER_BYTES - 1)
    view.filter = read_filter(text)
    view.filter_text, view.page = " ".join(text.split()), 0


def _put_sort(_: ViewLists, view: View, value: PutValue) -> None:
    view.sort = Sort(value.choice(LIST_FIELDS["Sort"].spec.labels))
    view.page = 0


def _put_order(_: ViewLists, view: View, value: PutValue) -> None:
    view.descending = bool(value.choice(LIST_FIELDS["Order"].spec.labels))
    view.page = 0


def _put_hold(_: ViewLists, view: View, value: PutValue) -> None:
    view.hold = bool(value.choice(LIST_FIELDS["Hold"].spec.labels))


def _put_page(_: ViewLists, view: View, value: PutValue) -> None:
    view.page = max(value.whole() - 1, 0)


def _put_group_page(_: ViewLists, view: View, value: PutValue) -> None:
    view.groups.page = max(value.whole() - 1, 0)


def _turning(pages: int, of: Callable[[View], View | GroupPage]) -> ListPut:
    def turn(_: ViewLists, view: View, value: PutValue) -> None:
        match value.whole():
            case 0:
                return
            case 1:
                of(view).page = max(of(view).page + pages, 0)
            case other:
                raise CommandRefused(ResultCode.SYNTAX, f"{other}: must be 1")

    return turn


def _channels(view: View) -> View:
    return view


def _groups(view: View) -> GroupPage:
    return view.groups


def _put_select(lists: ViewLists, view: View, value: PutValue) -> None:
    text = value.text(LIST_FIELDS["Select"].spec.count).strip()
    if not text:
        return
    if re.fullmatch(r"[0-9]{1,2}", text) and int(text) < len(ROW_NAMES):
        channel = channel_meant(lists, view, ROW_NAMES[int(text)], value.arrived)
    else:
        found = lists.channel(text)
        if found is None:
            raise CommandRefused(ResultCode.UNKNOWN_CHANNEL, str(UnknownChannel(text)))
        channel = found
    view.slots[SELECTED].show(channel.name, time.monotonic())


def _put_group_select(lists: ViewLists, view: View, value: PutValue) -> None:
    text = value.text(GROUP_BYTES - 1).strip()
    if lists.group(text) is None and re.fullmatch(r"[0-9]", text):
        slot_name = GROUP_NAMES[int(text)]
        slot = view.groups.slots[slot_name]
        _check_steady(slot_name, slot, value.arrived)
        if lists.group(slot.shown) is None:
            raise CommandRefused(ResultCode.UNKNOWN_CHANNEL, f"{slot_name}: shows no group; nothing was changed")
        text = slot.shown
    elif lists.group(text) is None:
        raise CommandRefused(ResultCode.UNKNOWN_CHANNEL, f"there is no group {text!r}; nothing was changed")
    view.filter_text = group_filter(text)
    view.filter, view.page = read_filter(view.filter_text), 0


LIST_PUTS: dict[str, ListPut] = {
    "Filter": _put_filter,
    "Sort": _put_sort,
    "Order": _put_order,
    "Hold": _put_hold,
    "Page": _put_page,
    "Next": _turning(1, _channels),
    "Prev": _turning(-1, _channels),
    "Select": _put_select,
    "GroupPage": _put_group_page,
    "GroupSelect": _put_group_select,
    "GroupNext": _turning(1, _groups),
    "GroupPrev": _turning(-1, _groups),
}
"""Each raises CommandRefused, and nothing has changed then."""

REARRANGING = frozenset({"Filter", "GroupSelect", "Sort", "Order", "Page", "Next", "Prev"})
"""After a put to one of these the list is made anew, whatever it is."""
