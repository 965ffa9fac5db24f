"""All groups at one moment; one pass over the channel table for all of them."""

from __future__ import annotations

import time

import numpy as np

from archioc.core.registry import MAX_GROUPS
from archioc.core.table.group_status import ConditionState, identity
from archioc.core.table.table import ChannelTable, RowState
from archioc.ioc.pvs.group_fields import GroupView
from archioc.ioc.pvs.row_view import is_silent
from archioc.ioc.registry.archived_group import ArchivedGroup


class GroupSnapshot:
    """Counts when it is made."""

    def __init__(self, table: ChannelTable) -> None:
        rows = int(table.settings.head["rows"][0])
        settings, status = table.settings.cells[:rows], table.status.cells[:rows]
        group = np.where(settings["state"] == RowState.USED, np.minimum(settings["group"], MAX_GROUPS), 0)
        ours = status["generation"] == settings["generation"]
        self._channels = np.bincount(group, minlength=MAX_GROUPS + 1)
        self._connected = np.bincount(group, ours & (status["connected"] == 1), MAX_GROUPS + 1)
        self._event_rate = np.bincount(group, np.where(ours, status["event_rate"], 0.0), MAX_GROUPS + 1)
        self._cells = table.groups.cells
        self._silent = is_silent(int(table.status.head["heartbeat"][0]), time.time_ns())

    def of(self, group: ArchivedGroup) -> GroupView:
        """What was seen of one group."""
        cell, number = self._cells[group.number], group.number
        known = int(cell["identity"]) == identity(group.name, group.condition)
        state = ConditionState(int(cell["state"])) if known else ConditionState.UNKNOWN if group.condition else ConditionState.NONE
        return GroupView(
            group,
            state,
            bool(cell["on"]) if known else group.enable,
            known,
            int(self._channels[number]),
            int(self._connected[number]),
            float(self._event_rate[number]),
            self._silent,
        )
