from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from archioc.core.spool.batch import COUNTS
from archioc.core.spool.spool import SpoolDirectory, SpoolFile
from archioc.db.delivery import order as delivery_order
from archioc.db.delivery.order import LIVE_AT_MOST, LIVE_IN_A_ROW, DeliveryOrder


class Spool:
    """Files come and go; `sent` is the order in which they went."""

    def __init__(self, root: Path) -> None:
        self._directory = SpoolDirectory(root)
        self._directory.create()
        self.order = DeliveryOrder(self._directory)
        self.sent: list[int] = []

    def commit(self, *batch_ids: int) -> None:
        for batch_id in batch_ids:
            self._directory.publish(self._directory.prepare(SpoolFile(batch_id, 1, "here", np.zeros(0, COUNTS), b"")))

    def send(self, files: int = 1) -> None:
        for _ in range(files):
            entry = self.order.next()
            assert entry is not None
            claimed = self._directory.claim(entry)
            assert claimed is not None
            self._directory.remove(claimed)
            self.sent.append(entry.batch_id)


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    """Every look is a fresh one."""
    monkeypatch.setattr(delivery_order, "LOOK_S", 0.0)
    monkeypatch.setattr(delivery_order, "_SHARE", 1e9)
    return Spool(tmp_path / "spool")


def test_a_backlog_goes_oldest_first(spool: Spool) -> None:
    """What waits at the beginning is sent in the order of its ids, and then there is nothing. (SPL-08)"""
    spool.commit(5, 3, 4, 9, 7, 6, 8)
    spool.send(7)
    assert spool.sent == [3, 4, 5, 6, 7, 8, 9]
    assert spool.order.next() is None


def test_what_is_committed_meanwhile_goes_first(spool: Spool) -> None:
    """A batch committed while a backlog drains is the next to be sent. (SPL-08)"""
    spool.commit(1, 2, 3)
    spool.send()
    spool.commit(4)
    spool.send(2)
    spool.commit(5)
    spool.send(2)
    assert spool.sent == [1, 4, 2, 5, 3]


def test_the_backlog_keeps_a_share(spool: Spool) -> None:
    """However much is committed meanwhile, every fourth file is one of the backlog, the oldest. (SPL-08)"""
    spool.commit(*range(10))
    spool.send()
    for number in range(100, 124):
        spool.commit(number)
        spool.send()
    backlog = [at for at, batch_id in enumerate(spool.sent) if batch_id < 100]
    assert spool.sent[:2] == [0, 100]
    steps = [later - earlier for earlier, later in pairwise(backlog[1:])]
    assert steps == [LIVE_IN_A_ROW + 1] * len(steps)
    assert [spool.sent[at] for at in backlog] == list(range(len(backlog)))


def test_live_files_that_pile_up_join_the_backlog(spool: Spool) -> None:
    """Of new files that the store cannot follow only the newest few go first; the others wait behind the backlog. (SPL-08)"""
    spool.commit(1, 2)
    spool.send()
    spool.commit(*range(10, 20))
    spool.send(11)
    newest = list(range(20 - LIVE_AT_MOST, 20))
    assert spool.sent == [1, *newest[:LIVE_IN_A_ROW], 2, *newest[LIVE_IN_A_ROW:], *range(10, 20 - LIVE_AT_MOST)]


def test_after_a_failure_all_is_backlog(spool: Spool) -> None:
    """What has gathered while the store was away goes oldest first. (SPL-08)"""
    spool.commit(1)
    spool.send()
    spool.commit(2, 3)
    spool.order.begin_anew()
    spool.commit(4)
    spool.send(3)
    assert spool.sent == [1, 2, 3, 4]


def test_files_passed_over_are_not_in_the_way(spool: Spool) -> None:
    """A file for another store is left out as long as it is there. (SPL-07)"""
    spool.commit(1, 2, 3)
    first = spool.order.next()
    assert first is not None
    spool.order.pass_over(first, "there")
    spool.send(2)
    assert spool.sent == [2, 3]
    assert spool.order.next() is None
    assert spool.order.passed_over == {1: "there"}
