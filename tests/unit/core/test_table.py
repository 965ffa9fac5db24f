from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from archioc.core.errors import RunDirError, TableFull
from archioc.core.table import table as table_module
from archioc.core.table.columns import DELIVERY, LEDGER, LEDGER_HEAD, LEDGER_TOTALS, SETTINGS, STATUS
from archioc.core.table.table import ChannelTable, read_row, write_rows


@pytest.fixture
def table(tmp_path: Path) -> Iterator[ChannelTable]:
    made = ChannelTable(tmp_path)
    made.create(20)
    yield made
    made.close()


def test_the_four_blocks_have_a_row_for_each_channel(table: ChannelTable) -> None:
    """All blocks have the capacity asked for, and their rows are in use by nobody."""
    assert table.capacity == 20
    for block in table.blocks:
        assert len(block.cells) == 20
        assert not block.cells["generation"].any()


def test_another_process_sees_the_same_table(table: ChannelTable) -> None:
    """A table that is opened shows what its owners write."""
    other = ChannelTable(table.run_dir)
    other.open()
    write_rows(table.settings, np.array([3, 4]), generation=[1, 2], rate=[0.5, 2.0])
    assert other.settings.cells["rate"][3:5].tolist() == [0.5, 2.0]
    other.close()


def test_a_missing_table(tmp_path: Path) -> None:
    """A run directory without a table says which file is missing."""
    with pytest.raises(RunDirError, match=r"settings\.table: is missing"):
        ChannelTable(tmp_path).open()


def test_blocks_of_different_size_are_refused(table: ChannelTable) -> None:
    """Blocks that do not belong together are not taken for one table."""
    table.delivery.create(21)
    with pytest.raises(RunDirError, match="the blocks of the channel table differ in size"):
        ChannelTable(table.run_dir).open()


def test_a_table_of_another_version_is_refused(table: ChannelTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table left by another version is refused."""
    monkeypatch.setattr(table_module, "VERSION", table_module.VERSION + 1)
    with pytest.raises(RunDirError, match="was made by another version"):
        ChannelTable(table.run_dir).open()


def test_reserving_beyond_the_capacity(table: ChannelTable) -> None:
    """More rows than the table has are refused with both numbers and the setting to change."""
    table.reserve(20)
    with pytest.raises(TableFull, match=r"21 channels, but archiver\.max_channels is 20"):
        table.reserve(21)


def test_no_memory_for_rows(table: ChannelTable, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run directory that is full is named, with the system's reason."""

    def full(_descriptor: int, _offset: int, _length: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(TableFull, match=rf"no memory for 5 channels in .*: {os.strerror(errno.ENOSPC)}"):
        table.reserve(5)


def test_writing_rows_leaves_the_others_alone(table: ChannelTable) -> None:
    """Only the rows and columns named change, and each of these rows has one more even sequence number."""
    write_rows(table.status, np.array([2, 5]), value=[1.0, 2.0], text=b"on")
    cells = table.status.cells
    assert cells["seq"].tolist() == [2 if row in (2, 5) else 0 for row in range(20)]
    assert cells["value"][[2, 3, 5]].tolist() == [1.0, 0.0, 2.0]
    assert cells["text"][[2, 3, 5]].tolist() == [b"on", b"", b"on"]
    write_rows(table.status, np.array([], dtype="i8"), value=9.0)
    assert 9.0 not in cells["value"]


def test_the_sequence_goes_around(table: ChannelTable) -> None:
    """After 2**32 changes the sequence starts again, still even at rest."""
    table.status.cells["seq"][0] = 2**32 - 2
    write_rows(table.status, np.array([0]), value=1.0)
    assert table.status.cells["seq"][0] == 0


def test_a_row_is_read_as_a_copy(table: ChannelTable) -> None:
    """What was read does not change with the table."""
    write_rows(table.settings, np.array([1]), rate=3.0)
    copy = read_row(table.settings, 1)
    write_rows(table.settings, np.array([1]), rate=4.0)
    assert copy["rate"].tolist() == [3.0]


def test_a_row_whose_writer_died_can_be_read(table: ChannelTable) -> None:
    """A sequence number that stays odd ends the wait: the newest content is given."""
    table.settings.cells["seq"][1] = 7
    table.settings.cells["rate"][1] = 5.0
    assert read_row(table.settings, 1, attempts=3)["rate"].tolist() == [5.0]


def test_a_reader_never_sees_half_a_change(table: ChannelTable) -> None:
    """While another thread writes pairs of equal values, a reader finds them equal in every row it gets."""
    rounds = 20_000

    def write() -> None:
        row = np.array([0])
        for number in range(rounds):
            write_rows(table.status, row, value=float(number), time=number)

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while writer.is_alive():
        copy = read_row(table.status, 0)
        if copy["seq"][0] % 2 == 0:
            assert float(copy["value"][0]) == int(copy["time"][0])
            seen.add(int(copy["time"][0]))
    writer.join()
    assert len(seen) > 1
    assert int(read_row(table.status, 0)["time"][0]) == rounds - 1


def test_every_counter_is_in_the_rows_and_in_the_head() -> None:
    """What is counted for a channel is counted in all as well."""
    assert set(LEDGER_TOTALS) <= set(LEDGER.names or ())
    assert set(LEDGER_TOTALS) <= set(LEDGER_HEAD.names or ())


@pytest.mark.parametrize("cell", [SETTINGS, STATUS, LEDGER, DELIVERY], ids=len)
def test_columns_of_numbers_are_aligned(cell: np.dtype[np.void]) -> None:
    """Each number lies at a multiple of its size, so that another process never reads half of one."""
    assert cell.itemsize % 8 == 0
    assert cell.fields is not None
    for name, (dtype, offset, *_) in cell.fields.items():
        assert dtype.kind in "SV" or offset % dtype.itemsize == 0, name
