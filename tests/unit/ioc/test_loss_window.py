from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.table.archive_totals import ArchiveTotals, count_up
from archioc.core.table.table import ChannelTable
from archioc.ioc.pvs.loss_window import STEP_S, WINDOW_S, Losses, LossWindow


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> ArchiveTotals:
    directory: Path = tmp_path_factory.mktemp("run")
    table = ChannelTable(directory)
    table.create(10)
    totals = count_up(table)
    table.close()
    return totals


def with_counts(totals: ArchiveTotals, dropped: int, rejected: int = 0, bad_time: int = 0) -> ArchiveTotals:
    ledger, delivery = totals.ledger_head.copy(), totals.delivery_head.copy()
    ledger["dropped_quota"], ledger["bad_time"], delivery["rejected"] = dropped, bad_time, rejected
    return replace(totals, ledger_head=ledger, delivery_head=delivery)


def test_what_was_lost_before_does_not_count(empty: ArchiveTotals) -> None:
    """Counts from before the first look are no loss of the last minute; what is added is, for a minute."""
    window = LossWindow()
    assert window.update(with_counts(empty, 5, 6, 7), 0.0) == Losses()
    assert window.update(with_counts(empty, 8, 7, 9), 10.0) == Losses(3, 1, 2)
    assert window.update(with_counts(empty, 8, 7, 9), 59.0) == Losses(3, 1, 2)
    assert window.update(with_counts(empty, 8, 7, 9), 71.0) == Losses()


def test_counter_that_begins_anew(empty: ArchiveTotals) -> None:
    """A counter that has become smaller is no negative loss."""
    window = LossWindow()
    window.update(with_counts(empty, 100), 0.0)
    assert window.update(with_counts(empty, 3), 1.0) == Losses()


@given(st.lists(st.tuples(st.floats(0.01, 20), st.integers(0, 50)), min_size=1, max_size=400))
def test_any_course(empty: ArchiveTotals, course: list[tuple[float, int]]) -> None:
    """What is told is all of the last minute, nothing older than a look before it, and memory stays bounded."""
    window, now, total, told = LossWindow(), 0.0, 0, [(0.0, 0)]
    window.update(with_counts(empty, 0), 0.0)
    longest = max(STEP_S, *(pause for pause, _ in course))
    for pause, lost in course:
        now, total = now + pause, total + lost
        told.append((now, lost))
        found = window.update(with_counts(empty, total), now).dropped
        assert found >= sum(count for at, count in told if at > now - WINDOW_S + STEP_S)
        assert found <= sum(count for at, count in told if at > now - WINDOW_S - longest - STEP_S)
    assert len(window._seen) <= WINDOW_S / STEP_S + 2


def test_loss_outlives_a_kill(empty: ArchiveTotals, tmp_path: Path) -> None:
    """A process that follows one that was killed shows the losses of the last minute to their end; a damaged file is a first start."""
    kept = tmp_path / "losses.json"
    window = LossWindow(kept)
    window.update(with_counts(empty, 5), 100.0)
    window.update(with_counts(empty, 8), 110.0)
    after = LossWindow(kept)
    assert after.update(with_counts(empty, 8), 115.0) == Losses(3)
    assert after.update(with_counts(empty, 8), 165.0) == Losses(3)
    assert after.update(with_counts(empty, 8), 172.0) == Losses()
    kept.write_text("[[1,")
    assert LossWindow(kept).update(with_counts(empty, 8), 116.0) == Losses()
