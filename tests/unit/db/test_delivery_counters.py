from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from archioc.core.spool.batch import COUNTS
from archioc.core.spool.spool import SpoolFile
from archioc.core.table.mapped_file import MappedFile
from archioc.core.table.table import ChannelTable
from archioc.db.delivery.delivery_counters import DeliveryCounters


@pytest.fixture
def block(tmp_path: Path) -> Iterator[MappedFile]:
    table = ChannelTable(tmp_path)
    table.create(10)
    yield table.delivery
    table.close()


def book(block: MappedFile, batch_id: int, counts: list[tuple[int, int, int]], rejected: list[int] | None = None) -> None:
    file = SpoolFile(batch_id, 0, "x", np.array(counts, COUNTS), b"")
    DeliveryCounters(block).count_delivered(file, np.array(rejected or [0] * len(counts), np.int64))


def row(block: MappedFile, number: int) -> tuple[int, int, int]:
    cell = block.cells[number]
    return int(cell["generation"]), int(cell["stored"]), int(cell["rejected"])


def head(block: MappedFile) -> tuple[int, int, int, int]:
    stored, rejected, batches, batch_id = (int(block.head[name][0]) for name in ("stored", "rejected", "batches", "batch_id"))
    return stored, rejected, batches, batch_id


def test_rows_and_totals_add_up(block: MappedFile) -> None:
    """Each channel and the totals count what was stored and what was refused."""
    book(block, 1, [(3, 1, 10), (5, 1, 4)])
    book(block, 2, [(5, 1, 6)], [2])
    assert (row(block, 3), row(block, 5), head(block)) == ((1, 10, 0), (1, 8, 2), (18, 2, 2, 2))


def test_a_reused_row_starts_anew(block: MappedFile) -> None:
    """A newer generation resets the row; a late batch of the older one counts in the totals only."""
    book(block, 1, [(3, 1, 10)])
    book(block, 3, [(3, 2, 1)])
    book(block, 2, [(3, 1, 5)])
    assert (row(block, 3), head(block)) == ((2, 1, 0), (16, 0, 3, 3))


def test_two_generations_in_one_batch(block: MappedFile) -> None:
    """Of a row named twice the newest generation holds."""
    book(block, 1, [(3, 2, 4), (3, 1, 10)])
    assert (row(block, 3), head(block)) == ((2, 4, 0), (14, 0, 1, 1))


def test_rows_beyond_the_table(block: MappedFile) -> None:
    """Rows of a table that was larger count in the totals."""
    book(block, 1, [(9, 1, 1), (10, 1, 2), (4_000_000_000, 1, 3)])
    assert (row(block, 9), head(block)) == ((1, 1, 0), (6, 0, 1, 1))


def test_the_newest_batch_stays_known(block: MappedFile) -> None:
    """`batch_id` is the highest one booked, in whatever order they come."""
    book(block, 7, [(1, 1, 1)])
    book(block, 5, [(1, 1, 1)])
    assert head(block) == (2, 0, 2, 7)


def test_a_booking_is_completed_from_the_journal(block: MappedFile) -> None:
    """Finishing an announced booking, once or twice, gives what an undisturbed one gives; other batches are not concerned."""
    book(block, 1, [(3, 1, 10)])
    before = (block.cells.copy(), block.head.copy())
    book(block, 2, [(3, 1, 5), (4, 1, 1)], [1, 0])
    block.cells[:], block.head[:] = before
    assert not DeliveryCounters(block).finish(1)
    assert row(block, 3) == (1, 10, 0)
    assert DeliveryCounters(block).finish(2)
    assert DeliveryCounters(block).finish(2)
    assert (row(block, 3), row(block, 4), head(block)) == ((1, 14, 1), (1, 1, 0), (15, 1, 2, 2))


def test_a_lost_file_counts_as_rejected(block: MappedFile) -> None:
    """Samples of a file that cannot be read are in the totals."""
    DeliveryCounters(block).count_lost(4, 20)
    assert head(block) == (0, 20, 1, 4)


def test_a_batch_without_samples(block: MappedFile) -> None:
    """A file with events alone is booked as a batch."""
    book(block, 4, [])
    assert head(block) == (0, 0, 1, 4)


def test_batches_of_before_the_counters_are_in_none(block: MappedFile) -> None:
    """What was in the spool when the table was made is neither stored nor rejected: nothing of it counts as received."""
    block.head["floor"] = 5
    book(block, 5, [(3, 1, 10)], [2])
    DeliveryCounters(block).count_lost(4, 20)
    book(block, 6, [(3, 1, 7)], [1])
    assert (row(block, 3), head(block)) == ((1, 6, 1), (6, 1, 3, 6))
