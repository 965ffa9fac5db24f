"""Which channels a view lists, and in which order: whole columns of the channel table at once."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from archioc.core.dbr import Severity
from archioc.core.table.mapped_file import MappedFile
from archioc.core.table.table import ChannelTable
from archioc.ioc.ca.limits.time_slice import TimeSlice
from archioc.ioc.pvs.channel_index import ChannelIndex, IntArray, Mask
from archioc.ioc.registry.archived_group import ArchivedGroup
from archioc.ioc.views.filter import ViewFilter

GATHERED_AT_ONCE = 10_000

Column = npt.NDArray[Any]


class Sort(IntEnum):
    """By what (the order is that of the enum PV)."""

    NAME = 0
    STATE = 1
    EVENT_RATE = 2
    SAMPLE_RATE = 3
    AGE = 4
    SEVERITY = 5


class _Columns:
    """Columns of the channels at some places of the index. What the engine has not told yet is 0."""

    def __init__(self, table: ChannelTable, index: ChannelIndex, at: IntArray, slice_: TimeSlice) -> None:
        self._table, self._slice = table, slice_
        self._rows, self._generations = index.rows[at], index.generations[at]

    async def settings(self, column: str) -> Column:
        return await self._gathered(self._table.settings, column)

    async def status(self, column: str) -> Column:
        ours = await self._gathered(self._table.status, "generation") == self._generations
        return np.where(ours, await self._gathered(self._table.status, column), 0)

    async def severity(self) -> Column:
        connected = await self.status("connected")
        severity = np.minimum(await self.status("severity"), Severity.INVALID)
        return np.where(connected == 1, severity, Severity.INVALID)

    async def _gathered(self, block: MappedFile, column: str) -> Column:
        # Rows lie far apart in memory: a whole column would stop the loop for as long as the memory takes.
        cells = block.cells[column]
        found = np.empty(len(self._rows), cells.dtype)
        for begin in range(0, len(found), GATHERED_AT_ONCE):
            found[begin : begin + GATHERED_AT_ONCE] = cells[self._rows[begin : begin + GATHERED_AT_ONCE]]
            await self._slice.give_way()
        return found


async def filtered(
    index: ChannelIndex, named: Mask, which: ViewFilter, table: ChannelTable, groups: Mapping[str, ArchivedGroup]
) -> IntArray:
    """Places in the index of the channels that a filter lets pass, in the order of names. named: those whose names match."""
    found = np.flatnonzero(named)
    columns = _Columns(table, index, found, TimeSlice())
    passes = np.ones(len(found), bool)
    for wanted in which.states:
        passes &= await columns.status("state") == wanted
    for wanted in which.severities:
        passes &= await columns.severity() == wanted
    for wanted in which.enables:
        passes &= await columns.settings("enable") == wanted
    if which.groups:
        numbers = [group.number for group in groups.values() if which.fits_group(group.name)]
        if which.fits_group(""):
            numbers.append(0)
        passes &= np.isin(await columns.settings("group"), numbers)
    return found[passes]


async def ordered(index: ChannelIndex, found: IntArray, sort: Sort, table: ChannelTable, *, descending: bool) -> IntArray:
    """The same places in another order."""
    if sort is Sort.NAME:
        return found[::-1] if descending else found
    columns = _Columns(table, index, found, TimeSlice())
    key: Column
    match sort:
        case Sort.STATE:
            key = (await columns.status("state")).astype(np.int16)
        case Sort.SEVERITY:
            key = (await columns.severity()).astype(np.int16)
        case Sort.AGE:
            # The older, the earlier it was received; 0 is never.
            key = -(await columns.status("received_at")).astype(np.int64)
        case _:
            key = (await columns.status("event_rate" if sort is Sort.EVENT_RATE else "sample_rate")).astype(np.float32)
    return found[np.argsort(-key if descending else key, kind="stable")]
