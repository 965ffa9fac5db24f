"""Which batches are read back, where there are more than can be looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from archioc.core.spool.addresses import Addresses
from archioc.core.spool.delivered import DeliveredBatch
from archioc.core.spool.file import no_counts
from archioc.core.spool.spool import SpoolDirectory, SpoolFile
from archioc.db.delivery import read_back
from archioc.db.delivery.read_back import ReadBack, parts_of
from archioc.db.delivery.resending import Resending
from archioc.db.store import Lacking
from tests.unit.db.delivery.rig import FaultyStore


def batches(number: int, samples: int) -> list[DeliveredBatch]:
    """Delivered in another order than committed, as after an outage."""
    return [DeliveredBatch(10_000 + at, number - at, samples, True, str(at)) for at in range(number)]


class Forgetful(FaultyStore):
    """Lacks what was committed in some batches until it gets them once more."""

    known = retention_ns = None

    def __init__(self, lost: set[int]) -> None:
        super().__init__()
        self.lost, self.looked_at = lost, 0

    def lacking(self, files: list[SpoolFile]) -> Lacking:
        self.looked_at += len(files)
        missing = sum(file.batch_id in self.lost for file in files)
        return Lacking(len(files), {"A": missing} if missing else {}, 1, 2)

    def count(self, start_ns: int, end_ns: int) -> int:
        return 10**9


class Shelf:
    """Kept batches without a disk."""

    def __init__(self, held: list[DeliveredBatch], store: Forgetful) -> None:
        self._held, self._store = held, store

    def batches(self) -> list[DeliveredBatch]:
        return self._held

    def read(self, batch: DeliveredBatch) -> SpoolFile:
        return SpoolFile(batch.batch_id, 1, "here", no_counts(), b"")

    def renew(self, batch: DeliveredBatch, now_ns: int) -> DeliveredBatch:
        self._store.lost.discard(batch.batch_id)
        return batch


def test_parts_follow_the_commits() -> None:
    """A part has neighbours in time, whatever the order of delivery, and at most so many batches and samples."""
    parts = list(parts_of(batches(1000, 10)))
    assert [len(part) for part in parts] == [400, 400, 200]
    assert [batch.batch_id for part in parts for batch in part] == list(range(1, 1001))
    assert [len(part) for part in parts_of(batches(7, 60_000))] == [2, 2, 2, 1]


@pytest.mark.parametrize(("most", "all_of_them"), [(10**9, True), (30_000, False)])
def test_some_of_very_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, all_of_them: bool) -> None:
    """Of too many samples some parts are looked at, and all where one of these lacks something; what is lost is sent again."""
    monkeypatch.setattr(read_back, "MOST_AFTER_OUTAGE", most)
    monkeypatch.setattr(read_back, "PART_BATCHES", 10)
    held = batches(1000, 100)
    for lost in (set[int](), {batch.batch_id for batch in held[::7]}):
        store = Forgetful(set(lost))
        shelf = Shelf(held, store)
        resending = Resending(store, shelf, Addresses(SpoolDirectory(tmp_path)))  # type: ignore[arg-type]
        looks = ReadBack(store, shelf, resending)  # type: ignore[arg-type]
        looks.begin()
        while looks or resending:
            if resending:
                resending.step()
            else:
                looks.step()
        assert store.lost == set()
        assert (store.looked_at >= 1000) == (all_of_them or bool(lost))
        assert store.looked_at > 0
