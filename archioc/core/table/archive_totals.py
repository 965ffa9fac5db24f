"""The archive as a whole at one moment, from the heads and the rows of the channel table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from archioc.core.table.columns import DROPS
from archioc.core.table.table import ChannelTable, RowState


@dataclass(frozen=True, slots=True)
class ArchiveTotals:
    """What all channels come to. The heads are copies of shape (1,)."""

    channels: int
    connected: int
    enabled: int
    status_head: npt.NDArray[np.void]
    ledger_head: npt.NDArray[np.void]
    delivery_head: npt.NDArray[np.void]

    def status(self, column: str) -> float:
        """A number of the engine's head."""
        return float(self.status_head[column][0])

    def ledger(self, column: str) -> float:
        """A number of the ledger's head."""
        return float(self.ledger_head[column][0])

    def delivery(self, column: str) -> float:
        """A number of the db process' head."""
        return float(self.delivery_head[column][0])

    @property
    def dropped(self) -> float:
        """Over all reasons."""
        return sum(self.ledger(drop) for drop in DROPS)

    @property
    def store_error(self) -> str:
        """The store's words."""
        return _text(self.delivery_head, "error")

    @property
    def spool_error(self) -> str:
        """Why the spool cannot be used just now; empty when it can."""
        words = (_text(head, "spool_error") for head in (self.status_head, self.delivery_head))
        return "; ".join(dict.fromkeys(word for word in words if word))


def count_up(table: ChannelTable) -> ArchiveTotals:
    """Look at the whole table. What a row says of a channel that had it before does not count."""
    rows = int(table.settings.head["rows"][0])
    settings, status = table.settings.cells[:rows], table.status.cells[:rows]
    used = settings["state"] == RowState.USED
    return ArchiveTotals(
        int(np.count_nonzero(used)),
        int(np.count_nonzero(used & (status["connected"] == 1) & (status["generation"] == settings["generation"]))),
        int(np.count_nonzero(used & (settings["enable"] == 1))),
        *(block.head.copy() for block in (table.status, table.ledger, table.delivery)),
    )


def _text(head: npt.NDArray[np.void], column: str) -> str:
    return bytes(head[column][0]).decode(errors="replace")
