"""Groups of channels that are archived only while a condition holds.

A condition whose PV is not known keeps the state it had, also over a restart of the engine; one that was never known is taken to
hold, since nothing may be lost for want of a PV.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.condition import Condition, parse_condition
from archioc.core.registry import MAX_GROUPS, RegistryGroup
from archioc.core.table.group_status import ConditionState, identity, why_off
from archioc.core.table.table import ChannelTable
from archioc.engine.channels.condition_pv import ConditionPv, Watched

REASON_BYTES = 64

Watch = Callable[[Condition], Watched]


def watch_condition(condition: Condition) -> Watched:
    """Follow the PV of a condition."""
    return ConditionPv(condition.pv, as_text=condition.wants_text)


@dataclass(slots=True)
class _Group:
    """A group that is followed. held: the condition holds, or held when last known."""

    settings: RegistryGroup
    condition: Condition | None
    watched: Watched | None
    held: bool
    state: ConditionState

    @property
    def on(self) -> bool:
        """Whether its channels are archived."""
        return self.settings.enable and self.held

    def poll(self) -> None:
        """Evaluate the condition."""
        if self.condition is None or self.watched is None:
            return
        value = self.watched.value
        if value is None:
            self.state = ConditionState.UNKNOWN
            return
        self.held = self.condition.holds(value)
        self.state = ConditionState.HOLDS if self.held else ConditionState.FAILS


class Groups:
    """All groups by their number. Number 0 stands for no group and is always on.

    on: shape (MAX_GROUPS + 1,), whether channels of a group are archived; reasons: why they are not (S64).
    """

    def __init__(self, table: ChannelTable, watch: Watch = watch_condition) -> None:
        self._table = table
        self._watch = watch
        self._groups: dict[int, _Group] = {}
        self.on: npt.NDArray[np.bool_] = np.ones(MAX_GROUPS + 1, bool)
        self.reasons = np.zeros(MAX_GROUPS + 1, f"S{REASON_BYTES}")
        self._texts: dict[int, str] = {}
        self._told: dict[int, tuple[int, int, bool, bool, bytes]] = {}

    def text(self, number: int) -> str:
        """Why the channels of this group are not archived; empty while they are."""
        return self._texts.get(number, "")

    def follow(self, wanted: Iterable[RegistryGroup]) -> None:
        """Take up the groups there are now; conditions that are new are watched from now on."""
        before, self._groups = self._groups, {}
        for group in wanted:
            known = before.pop(group.number, None)
            if known is not None and (known.settings.name, known.settings.condition) == (group.name, group.condition):
                known.settings = group
                self._groups[group.number] = known
                continue
            if known is not None:
                before[group.number] = known
            self._groups[group.number] = self._begin(group)
        for number, gone in before.items():
            if gone.watched is not None:
                gone.watched.close()
            if number not in self._groups:
                self._table.groups.cells[number] = 0
                self.on[number], self.reasons[number] = True, b""
                self._texts.pop(number, None)
                self._told.pop(number, None)

    def _begin(self, group: RegistryGroup) -> _Group:
        condition = parse_condition(group.condition)
        if condition is None:
            return _Group(group, None, None, held=True, state=ConditionState.NONE)
        cell = self._table.groups.cells[group.number]
        held = bool(cell["held"]) if int(cell["identity"]) == identity(group.name, group.condition) else True
        return _Group(group, condition, self._watch(condition), held, ConditionState.UNKNOWN)

    def evaluate(self) -> npt.NDArray[np.intp]:
        """Look at all conditions; the numbers of the groups that were switched on or off by that."""
        flipped = []
        for number, group in self._groups.items():
            group.poll()
            if group.on != self.on[number]:
                flipped.append(number)
                self.on[number] = group.on
            self._tell(number, group)
        return np.array(flipped, np.intp)

    def _tell(self, number: int, group: _Group) -> None:
        name, condition = group.settings.name, group.settings.condition
        told = (identity(name, condition), group.state, group.on, group.held, b"")
        if self._told.get(number) == told:
            return
        self._told[number] = told
        self._table.groups.cells[number] = told
        text = "" if group.on else why_off(name, condition, enable=group.settings.enable, state=group.state)
        self._texts[number], self.reasons[number] = text, text.encode()[:REASON_BYTES]
