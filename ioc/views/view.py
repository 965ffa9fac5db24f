"""A view: a filtered and sorted list of channels in pages, and the slots in which a page is shown."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from archioc.ioc.ca.pv import PV
from archioc.ioc.results import NO_OUTCOME, Outcome
from archioc.ioc.views.filter import ViewFilter
from archioc.ioc.views.order import Sort

PAGE_ROWS = 25
ROW_NAMES = tuple(f"Row{number:02d}" for number in range(PAGE_ROWS))
SELECTED = "Selected"
SLOT_NAMES = (*ROW_NAMES, SELECTED)

GROUP_ROWS = 10
GROUP_NAMES = tuple(f"Group{number:02d}" for number in range(GROUP_ROWS))

ORDER_PERIOD_S = 1.0
"""How often a list is put in order anew."""


@dataclass(slots=True)
class Slot:
    """Where one channel or group is shown. shown: its name, empty for none. since: when it came here (s, monotonic)."""

    shown: str = ""
    since: float = 0.0

    def show(self, name: str, now: float) -> None:
        """Show another one, or none, or go on with this one."""
        if name != self.shown:
            self.shown, self.since = name, now


class Place(NamedTuple):
    """A PV of a view. slot: empty for one of the list."""

    slot: str
    field: str


@dataclass(slots=True)
class GroupPage:
    """The page of groups that a view shows. page: from 0. arranged: the revision and the page that the slots were filled for."""

    page: int = 0
    total: int = 0
    arranged: tuple[int, int] | None = None
    slots: dict[str, Slot] = field(default_factory=lambda: {name: Slot() for name in GROUP_NAMES})

    @property
    def pages(self) -> int:
        """At least one."""
        return max(-(-self.total // GROUP_ROWS), 1)

    def show_page(self, groups: Sequence[str], now: float) -> None:
        """Show these groups, at most as many as there are slots; the others are empty."""
        for name, group in itertools.zip_longest(GROUP_NAMES, groups, fillvalue=""):
            self.slots[name].show(group, now)


@dataclass(slots=True, eq=False)
class View:
    """One list, as the clients that show it have set it.

    page: from 0. total: channels that match. message: why the last put was refused.
    outcome: of the last command or put to a setting. result: the PV `Result`, while a client has a monitor on it.
    arranged: what the order was made from, None when it must be made anew. arranged_at: when (s, monotonic).
    pvs: its PVs that a client has open. watched: those with a monitor.
    deserted_at: when the last of them was closed, None while there is one.
    """

    filter_text: str = ""
    filter: ViewFilter = field(default_factory=ViewFilter)
    sort: Sort = Sort.NAME
    descending: bool = False
    hold: bool = False
    page: int = 0
    total: int = 0
    message: str = ""
    outcome: Outcome = NO_OUTCOME
    result: PV | None = None
    arranged: tuple[int, int] | None = None
    arranged_at: float = 0.0
    slots: dict[str, Slot] = field(default_factory=lambda: {name: Slot() for name in SLOT_NAMES})
    groups: GroupPage = field(default_factory=GroupPage)
    pvs: weakref.WeakSet[PV] = field(default_factory=weakref.WeakSet)
    watched: dict[PV, Place] = field(default_factory=dict)
    deserted_at: float | None = None

    @property
    def pages(self) -> int:
        """At least one."""
        return max(-(-self.total // PAGE_ROWS), 1)

    @property
    def clients(self) -> set[tuple[str, int]]:
        """The connections of the clients that show `Result`."""
        return {monitor.client for monitor in self.result.monitors} if self.result else set()

    def is_due(self, names_version: int, revision: int, now: float) -> bool:
        """Whether the order must be made anew. revision: that of the settings, which a filter may ask for."""
        if self.arranged is None:
            return True
        if self.hold or now - self.arranged_at < ORDER_PERIOD_S:
            return False
        return self.sort is not Sort.NAME or self.filter.reads_status or self.arranged != (names_version, revision)

    def show_page(self, channels: Sequence[str], now: float) -> None:
        """Show these channels in the rows, at most as many as there are rows; the others are empty."""
        for name, channel in itertools.zip_longest(ROW_NAMES, channels, fillvalue=""):
            self.slots[name].show(channel, now)
