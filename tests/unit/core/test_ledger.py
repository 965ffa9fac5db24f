from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archioc.core.spool.ledger import Booking, Ledger
from archioc.core.table.columns import DELIVERY, DELIVERY_HEAD
from archioc.core.table.table import ChannelTable


@pytest.fixture
def table(tmp_path: Path) -> Iterator[ChannelTable]:
    made = ChannelTable(tmp_path)
    made.create(10)
    yield made
    made.close()


def booking(batch_id: int, stored: dict[int, int]) -> Booking:
    """New totals of some rows of the delivery block, and of the head."""
    cells, head = np.zeros(len(stored), DELIVERY), np.zeros(1, DELIVERY_HEAD)
    cells["generation"], cells["stored"] = 1, list(stored.values())
    head["batch_id"], head["stored"], head["lag"] = batch_id, sum(stored.values()), 0.5
    return Booking(batch_id, np.array(list(stored), dtype="i8"), cells, head)


def test_no_journal_no_booking(table: ChannelTable) -> None:
    """Before the first act there is nothing unfinished."""
    assert Ledger(table.delivery).unfinished() is None


def test_an_announcement_changes_nothing_by_itself(table: ChannelTable) -> None:
    """The block is as before until the act is done; a journal in the making does not count."""
    ledger = Ledger(table.delivery)
    before = table.delivery.cells.tobytes()
    ledger.announce(booking(1, {3: 7}))
    assert table.delivery.cells.tobytes() == before
    (table.run_dir / "delivery.journal.new").write_bytes(b"half")
    found = ledger.unfinished()
    assert found is not None
    assert found.batch_id == 1


def test_what_is_applied_can_be_applied_again(table: ChannelTable) -> None:
    """The rows and head fields named get their new content, once or twice is the same, the rest stays."""
    ledger = Ledger(table.delivery)
    table.delivery.head["lag"] = 9.0
    act = booking(5, {2: 20, 8: 80})
    for _ in range(2):
        ledger.apply(act, ("batch_id", "stored"))
        assert table.delivery.cells["stored"].tolist() == [0, 0, 20, 0, 0, 0, 0, 0, 80, 0]
        assert (int(table.delivery.head["batch_id"][0]), int(table.delivery.head["stored"][0])) == (5, 100)
        assert float(table.delivery.head["lag"][0]) == 9.0


def test_the_newest_announcement_is_the_one_found(table: ChannelTable) -> None:
    """Each announcement takes the place of the one before, also where it is shorter."""
    ledger = Ledger(table.delivery)
    ledger.announce(booking(1, {row: row for row in range(10)}))
    ledger.announce(booking(2, {}))
    found = ledger.unfinished()
    assert found is not None
    assert (found.batch_id, len(found.rows), len(found.cells)) == (2, 0, 0)


def test_blocks_have_journals_of_their_own(table: ChannelTable) -> None:
    """The engine's journal is not the writer's."""
    Ledger(table.delivery).announce(booking(1, {1: 1}))
    assert Ledger(table.ledger).unfinished() is None


@settings(max_examples=100, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1), st.dictionaries(st.integers(0, 9), st.integers(-(2**50), 2**50), max_size=10))
def test_a_successor_reads_what_was_announced(tmp_path_factory: pytest.TempPathFactory, batch_id: int, stored: dict[int, int]) -> None:
    """Rows, cells and head come back from the journal byte for byte."""
    table = ChannelTable(tmp_path_factory.mktemp("run"))
    table.create(10)
    act = booking(batch_id, stored)
    Ledger(table.delivery).announce(act)
    found = Ledger(table.delivery).unfinished()
    table.close()
    assert found is not None
    assert found.batch_id == batch_id
    assert found.rows.tolist() == list(stored)
    assert found.cells.tobytes() == act.cells.tobytes()
    assert found.head.tobytes() == act.head.tobytes()


@pytest.mark.parametrize("damage", ["empty", "cut", "longer", "random", "bit of the head", "bit of the rows"])
def test_a_damaged_journal_is_none(table: ChannelTable, damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A journal that cannot be right announces nothing, and the log says so; the next one is found again."""
    ledger = Ledger(table.delivery)
    ledger.announce(booking(1, {3: 7, 5: 8}))
    journal = table.run_dir / "delivery.journal"
    whole = journal.read_bytes()
    at = {"bit of the head": 50, "bit of the rows": len(whole) - 2 * DELIVERY.itemsize - 3}.get(damage, 0)
    flipped = whole[:at] + bytes([whole[at] ^ 2]) + whole[at + 1 :]
    journal.write_bytes({"empty": b"", "cut": whole[:-1], "longer": whole + b"!", "random": bytes(reversed(whole))}.get(damage, flipped))
    assert ledger.unfinished() is None
    assert "journal_damaged" in capsys.readouterr().out
    ledger.announce(booking(2, {3: 7}))
    found = ledger.unfinished()
    assert found is not None
    assert found.batch_id == 2
