from __future__ import annotations

from pathlib import Path

from archioc.core.table.archive_totals import count_up
from archioc.core.table.table import ChannelTable, RowState


def test_only_rows_in_use_are_counted(tmp_path: Path) -> None:
    """Removed channels, rows beyond the last one, and what the engine wrote about a row's earlier channel do not count."""
    table = ChannelTable(tmp_path)
    table.create(10)
    settings, status = table.settings.cells, table.status.cells
    settings["state"][:4] = RowState.USED
    settings["state"][4] = RowState.REMOVED
    settings["generation"][:6], settings["enable"][1:6] = 2, 1
    status["connected"][:6], status["generation"][:6] = 1, [2, 2, 1, 0, 2, 2]
    table.settings.head["rows"][0] = 5
    totals = count_up(table)
    table.close()
    assert (totals.channels, totals.connected, totals.enabled) == (4, 2, 3)


def test_heads_are_copies_with_their_words(tmp_path: Path) -> None:
    """Totals keep the heads of one moment; the same trouble of the spool, seen by two processes, is said once."""
    table = ChannelTable(tmp_path)
    table.create(1)
    ledger, delivery = table.ledger.head, table.delivery.head
    ledger["dropped_overflow"][0], ledger["dropped_quota"][0], delivery["stored"][0] = 3, 4, 9
    delivery["error"][0] = b"refused"
    table.status.head["spool_error"][0] = delivery["spool_error"][0] = b"no space"
    totals = count_up(table)
    delivery["stored"][0] = 10
    table.close()
    assert (totals.dropped, totals.delivery("stored"), totals.store_error, totals.spool_error) == (7, 9, "refused", "no space")
