"""What the status block says of channels besides their values: who is in a row, whether it is connected, its state and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from archioc.core.table.table import ChannelState, ChannelTable, RowState, write_rows
from archioc.engine.channels.channel_types import UNKNOWN
from archioc.engine.channels.gaps import Gaps
from archioc.engine.channels.groups import Groups
from archioc.engine.channels.refusals import Refusals
from archioc.engine.sampling.sampling_settings import SamplingSettings

Rows = npt.NDArray[np.integer]

_REASONS = np.zeros(len(ChannelState), "S64")
_REASONS[ChannelState.CONNECTING] = b"no server has answered yet"
_REASONS[ChannelState.DISABLED] = b"switched off by Enable"
_REASONS[ChannelState.DISCONNECTED] = b"no server answers"

REFUSED_BY_SERVER = "a server answers the search, but refuses the channel"
"""Which one it is, libca does not tell."""


class ChannelStatus:
    """Writes it.

    By row: connected: whether a server serves the channel. refused: a server has it, but does not serve it.
    group: number of the channel's group, 0 for none.
    """

    def __init__(
        self,
        table: ChannelTable,
        wanted: SamplingSettings,
        groups: Groups,
        gaps: Gaps,
        refusals: Refusals,
        connected: npt.NDArray[np.bool_],
        refused: npt.NDArray[np.bool_],
        group: npt.NDArray[np.uint32],
    ) -> None:
        self._table = table
        self._wanted, self._groups, self._gaps, self._refusals = wanted, groups, gaps, refusals
        self._connected, self._refused, self._group = connected, refused, group

    def known_types(self, rows: Rows, generation: npt.NDArray[np.uint32]) -> npt.NDArray[np.integer]:
        """Native types that the engine before this one has left; a count of 0 says that there was none."""
        cells = self._table.status.cells[rows]
        known = (cells["generation"] == generation) & (cells["count"] != 0)
        return np.where(known, cells["dbr"].astype("i2"), UNKNOWN)

    def begin(self, rows: Rows, generation: npt.NDArray[np.uint32], new: npt.NDArray[np.bool_]) -> None:
        """Channels of these generations are in these rows; of those that are new nothing is known yet."""
        status, fresh = self._table.status, rows[new]
        write_rows(status, fresh, ever_connected=0, count=0, disconnects=0, value=np.nan, time=0, received_at=0)
        write_rows(status, fresh, severity=3, status=17, text=b"", units=b"", precision=0)
        write_rows(
            status,
            rows,
            generation=generation,
            state=ChannelState.CONNECTING,
            connected=0,
            released=0,
            event_rate=0,
            sample_rate=0,
            host=b"",
            reason=_REASONS[ChannelState.CONNECTING],
        )

    def connect(self, rows: Rows, dbr: npt.NDArray[np.integer], count: npt.NDArray[np.integer], hosts: Sequence[str]) -> None:
        """These channels have connected, with this native type and number of elements."""
        host = np.array([one.encode()[:64] for one in hosts], "S64")
        write_rows(self._table.status, rows, connected=1, ever_connected=1, dbr=dbr, count=count, host=host)
        self.show_state(rows)

    def disconnect(self, rows: Rows) -> None:
        """These channels have lost their server."""
        status = self._table.status
        write_rows(status, rows, connected=0, disconnects=status.cells["disconnects"][rows] + 1)
        self.show_state(rows)

    def release(self, rows: Rows, generation: npt.NDArray[np.uint32]) -> None:
        """The removed channels of these generations are let go of: their rows may be given to others."""
        write_rows(self._table.status, rows, generation=generation, connected=0, released=1)

    def release_unknown(self, generation: npt.NDArray[np.uint32]) -> None:
        """Let go of removed channels in rows before `len(generation)` that this engine has never had (generation 0)."""
        cells, status = self._table.settings.cells[: len(generation)], self._table.status.cells[: len(generation)]
        never_ours = (generation == 0) & (cells["state"] == RowState.REMOVED)
        never_ours &= (status["released"] == 0) | (status["generation"] != cells["generation"])
        rows = np.flatnonzero(never_ours)
        write_rows(self._table.status, rows, generation=cells["generation"][rows], released=1)

    def show_state(self, rows: Rows) -> None:
        """Write state and reason of these channels for others to see."""
        if not len(rows):
            return
        rows = np.unique(rows)
        state = np.full(len(rows), ChannelState.DISCONNECTED)
        state[self._gaps.unannounced(rows)] = ChannelState.CONNECTING
        state[self._connected[rows]] = ChannelState.ARCHIVING
        refused = self._refusals.among(rows)
        state[[at for at, _ in refused]] = ChannelState.REJECTED
        state[~self._wanted.group_on[rows]] = ChannelState.GROUP_OFF
        state[~self._wanted.enable[rows]] = ChannelState.DISABLED
        by_group = state == ChannelState.GROUP_OFF
        reason = np.where(by_group, self._groups.reasons[self._group[rows]], _REASONS[state])
        searching = (state == ChannelState.CONNECTING) | (state == ChannelState.DISCONNECTED)
        reason[searching & self._refused[rows]] = REFUSED_BY_SERVER.encode()
        for at, why in self._gaps.silent(rows):
            if state[at] == ChannelState.ARCHIVING:
                reason[at] = why
        for at, why in refused:
            if state[at] == ChannelState.REJECTED:
                reason[at] = why
        write_rows(self._table.status, rows, state=state, reason=reason)
