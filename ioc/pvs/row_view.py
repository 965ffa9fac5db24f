"""What the channel table says about one channel at one moment."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.table.table import ChannelTable, copy_row, read_row
from archioc.ioc.registry.archived import ArchivedChannel

SILENT_S = 5.0
"""A process whose heartbeat is older than this does not answer."""


@dataclass(frozen=True, slots=True)
class RowView:
    """A channel's blocks. A block in which another process has not written about this channel yet is all zero.

    status: with `ledger` written by the engine. delivery: by the db process.
    engine_silent, db_silent: the process does not answer, so what its blocks say is old.
    """

    channel: ArchivedChannel
    status: npt.NDArray[np.void]
    ledger: npt.NDArray[np.void]
    delivery: npt.NDArray[np.void]
    engine_silent: bool
    db_silent: bool
    now_ns: int

    def number(self, block: str, column: str) -> float:
        """One cell as a number."""
        return float(getattr(self, block)[column][0])

    @property
    def precision(self) -> int | None:
        """Digits after the point, as the channel's IOC shows its value; None where that is not known."""
        return int(self.status["precision"][0]) - 1 if self.status["precision"][0] else None

    def text(self, column: str) -> str:
        """A text of the status block."""
        return bytes(self.status[column][0]).decode(errors="replace")


def is_silent(heartbeat_ns: int, now_ns: int) -> bool:
    """Whether a process with this heartbeat (ns since 1970) does not answer."""
    return now_ns - heartbeat_ns > SILENT_S * 1e9


def view_row(table: ChannelTable, channel: ArchivedChannel) -> RowView:
    """A consistent look at a channel."""
    now = time.time_ns()
    return RowView(
        channel,
        _of(read_row(table.status, channel.row), channel.generation),
        # The engine and the db process write these two without a sequence number; each cell is whole by itself.
        _of(copy_row(table.ledger, channel.row), channel.generation),
        _of(copy_row(table.delivery, channel.row), channel.generation),
        is_silent(int(table.status.head["heartbeat"][0]), now),
        is_silent(int(table.delivery.head["heartbeat"][0]), now),
        now,
    )


def _of(cell: npt.NDArray[np.void], generation: int) -> npt.NDArray[np.void]:
    return cell if cell["generation"][0] == generation else np.zeros(1, cell.dtype)
