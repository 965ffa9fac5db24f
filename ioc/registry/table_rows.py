"""The settings block of the channel table: which row a channel gets, and what is written there.

A row of a removed channel is given to another only after the engine has let go of it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from archioc.core.channel_name import read_as_text, stamping
from archioc.core.table.table import ChannelTable, ProcessState, RowState, write_rows
from archioc.ioc.registry.archived import ArchivedChannel
from archioc.ioc.registry.archived_group import ArchivedGroup
from archioc.ioc.registry.change import Change

IntArray = npt.NDArray[np.int64]

_PLAIN = ("enable", "mode", "mask", "max_elements", "large_arrays", "rate", "deadband", "deadband_pct", "max_interval", "quota")
"""Columns of the settings block that are a setting as it is."""

COLUMNS = ("generation", "state", "by_ioc", "as_text", "group", *_PLAIN)
"""Columns of the settings block that follow the registry."""

RESERVED_AHEAD = 1000


class ChannelRows:
    """Rows of the channels. Only the ioc process may have one.

    waiting: rows of removed channels with their generation. groups: by name. (Both are the registry's own mappings.)
    """

    def __init__(
        self,
        table: ChannelTable,
        channels: Collection[ArchivedChannel],
        waiting: Mapping[int, int],
        groups: Mapping[str, ArchivedGroup],
    ) -> None:
        self._table = table
        self._groups = groups
        self._waiting = waiting
        used = max((channel.row for channel in channels), default=-1)
        self._next = max(used, max(waiting, default=-1)) + 1
        self._reserved = 0

    def reserve(self, upto: int | None = None) -> None:
        """Back rows with memory, those of all channels when `upto` is left out. Raises TableFull."""
        wanted = self._next if upto is None else upto
        if wanted > self._reserved:
            # Some in advance, since the call goes over all of the memory. It must not fail for want of the advance.
            ample = min(wanted + RESERVED_AHEAD, max(self._table.capacity, wanted))
            self._table.reserve(ample)
            self._reserved = ample

    def pick(self, count: int) -> list[tuple[int, int]]:
        """Rows and generations for `count` new channels, lowest rows first. Raises TableFull.

        They are taken once `write` is told of channels on them.
        """
        return in_pairs(self.pick_columns(count))

    def pick_columns(self, count: int) -> tuple[IntArray, IntArray]:
        """The same as two columns: to make pairs of them takes longer than to find them. Raises TableFull."""
        self.release()
        settings = self._table.settings.cells
        waiting, generations = self._waiting_arrays()
        free = np.flatnonzero(settings["state"][waiting] == RowState.FREE)
        free = free[np.argsort(waiting[free], kind="stable")][:count]
        upto = self._next + count - len(free)
        self.reserve(upto)
        # A table may outlive a registry that was put aside: its generations must not come again either.
        rows = np.concatenate([waiting[free], np.arange(self._next, upto)])
        before = np.concatenate([generations[free], np.zeros(upto - self._next, np.int64)])
        after = np.maximum(before, settings["generation"][rows]) + 1
        return rows, after

    def ensure_capacity(self, count: int) -> None:
        """Back with memory what `pick` may need for so many channels; takes long for many. Raises TableFull."""
        self.reserve(self._next + count)

    def release(self) -> None:
        """Mark the rows that the engine has let go of as free."""
        if not self._waiting:
            return
        settings, status = self._table.settings.cells[: self._next], self._table.status.cells
        # Columns first: looking at each of 100 000 waiting rows twice a second would hold up the loop.
        rows = np.flatnonzero(settings["state"] == RowState.REMOVED)
        rows = rows[(status["released"][rows] == 1) & (status["generation"][rows] == settings["generation"][rows])]
        if not len(rows):
            return
        waiting, generations = self._waiting_arrays()
        awaited = np.zeros(self._next, np.int64)
        awaited[waiting] = generations
        done = rows[awaited[rows] == settings["generation"][rows]]
        if len(done):
            write_rows(self._table.settings, done, state=RowState.FREE)

    def _waiting_arrays(self) -> tuple[IntArray, IntArray]:
        count = len(self._waiting)
        return np.fromiter(self._waiting.keys(), np.int64, count), np.fromiter(self._waiting.values(), np.int64, count)

    def synchronise(self, channels: Collection[ArchivedChannel], revision: int) -> None:
        """Make the block equal to the registry, whatever an earlier process left there; rows that fit are not touched."""
        settings = self._table.settings
        self._next = max(self._next, max((channel.row for channel in channels), default=-1) + 1)
        upto = max(self._next, int(settings.head["rows"][0]))
        found = settings.cells[:upto]
        wanted = np.zeros(upto, settings.cells.dtype)
        self._fill(wanted, list(channels))
        used = wanted["state"] == RowState.USED
        differs = np.zeros(upto, bool)
        for column in COLUMNS:
            differs |= wanted[column] != found[column]
        rows = np.flatnonzero(differs & used)
        if len(rows):
            write_rows(settings, rows, **{column: wanted[column][rows] for column in COLUMNS})
        stale = ~used & (found["state"] != RowState.FREE)
        held = np.zeros(upto, bool)
        if self._waiting:
            waiting, generations = self._waiting_arrays()
            held[waiting] = found["generation"][waiting] == generations
        for mask, state in ((stale & held & (found["state"] == RowState.USED), RowState.REMOVED), (stale & ~held, RowState.FREE)):
            rows = np.flatnonzero(mask)
            if len(rows):
                write_rows(settings, rows, state=state)
        settings.head["rows"][0] = self._next
        settings.head["revision"][0] = revision

    def write(self, change: Change, revision: int) -> None:
        """Bring a committed change into the block, then its revision."""
        self.write_channels(change)
        self.publish_revision(revision)

    def write_channels(self, change: Change) -> None:
        """Bring the channels of a committed change, or of a part of it, into the block."""
        settings = self._table.settings
        removed = np.array([channel.row for channel in change.removed], np.int64)
        if len(removed):
            write_rows(settings, removed, state=RowState.REMOVED)
        written = (*change.added, *change.changed)
        if written:
            columns = np.zeros(len(written), settings.cells.dtype)
            self._fill(columns, written, at=np.arange(len(written)))
            rows = np.array([channel.row for channel in written], np.int64)
            write_rows(settings, rows, **{column: columns[column] for column in COLUMNS})
            self._next = max(self._next, int(rows.max()) + 1)

    def publish_revision(self, revision: int) -> None:
        """Have the engine take up what was written."""
        head = self._table.settings.head
        head["rows"][0] = self._next
        head["revision"][0] = revision

    def write_heartbeat(self, state: ProcessState, pid: int) -> None:
        """Show that the ioc process lives."""
        head = self._table.settings.head
        head["pid"][0], head["state"][0] = pid, state
        head["heartbeat"][0] = time.time_ns()

    def _fill(self, cells: npt.NDArray[np.void], channels: Sequence[ArchivedChannel], at: IntArray | None = None) -> None:
        """Write channels into a scratch array of settings cells, at their rows or at `at`."""
        where = np.array([channel.row for channel in channels], np.int64) if at is None else at
        cells["generation"][where] = [channel.generation for channel in channels]
        cells["state"][where] = RowState.USED
        cells["by_ioc"][where] = [stamping(channel.name, channel.settings) for channel in channels]
        cells["group"][where] = [self._groups[channel.settings.group].number if channel.settings.group else 0 for channel in channels]
        cells["as_text"][where] = [read_as_text(channel.name, channel.settings) for channel in channels]
        for column in _PLAIN:
            cells[column][where] = [getattr(channel.settings, column) for channel in channels]


def in_pairs(columns: tuple[IntArray, IntArray]) -> list[tuple[int, int]]:
    """A row and its generation for each channel."""
    rows, generations = columns
    return list(zip(rows.tolist(), generations.tolist(), strict=True))
