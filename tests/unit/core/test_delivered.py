"""Batches that are kept after the store has acknowledged them, and what a person asks of the db process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from archioc.core.errors import SpoolError
from archioc.core.spool.addresses import Addresses
from archioc.core.spool.batch import COUNTS
from archioc.core.spool.delivered import DeliveredBatches, Keeping, forget_oldest
from archioc.core.spool.resend_request import ResendRequest
from archioc.core.spool.spool import SpoolDirectory, SpoolFile

HOUR_NS = 3600 * 10**9
NOW_NS = 1_790_000_000 * 10**9


@pytest.fixture
def spool(tmp_path: Path) -> SpoolDirectory:
    made = SpoolDirectory(tmp_path / "spool")
    made.create()
    return made


def keep(
    spool: SpoolDirectory, kept: DeliveredBatches, batch_id: int, now_ns: int, payload: bytes = b"payload", whole: bool = True
) -> None:
    counts = np.array([(1, 1, 3)], COUNTS)
    spool.publish(spool.prepare(SpoolFile(batch_id, now_ns, "here", counts, payload)))
    (entry,) = spool.waiting()
    claimed = spool.claim(entry)
    assert claimed is not None
    kept.keep(claimed, now_ns, whole=whole)


def ids(kept: DeliveredBatches) -> list[int]:
    return [batch.batch_id for batch in kept.batches()]


def test_kept_for_its_time(spool: SpoolDirectory) -> None:
    """A delivered batch is kept to the byte for its time and then goes, also over a restart; it is not pending. (SPL-18)"""
    kept = DeliveredBatches(spool, Keeping(HOUR_NS, 10**9, 0))
    for at in range(5):
        keep(spool, kept, at + 1, NOW_NS + at * HOUR_NS // 4, whole=at != 2)
    assert ids(kept) == [1, 2, 3, 4, 5]
    file = kept.read(kept.batches()[0])
    assert file is not None
    assert (file.batch_id, file.payload, file.samples) == (1, b"payload", 3)
    assert spool.committed() == []
    again = DeliveredBatches(spool, Keeping(HOUR_NS, 10**9, 0))
    assert [batch.whole for batch in again.batches()] == [True, True, False, True, True]
    again.trim(NOW_NS + HOUR_NS + HOUR_NS // 4 + 1)
    assert ids(again) == [3, 4, 5]


def test_kept_within_its_room(spool: SpoolDirectory) -> None:
    """The oldest go where the room for them is used up, also while a full disk of the server has them kept for longer."""
    kept = DeliveredBatches(spool, Keeping(HOUR_NS, 40_000, 0))
    kept.hold = True
    for at in range(6):
        keep(spool, kept, at + 1, NOW_NS + at * HOUR_NS, b"x" * 10_000)
    assert ids(kept) == [4, 5, 6]
    kept.hold = False
    kept.trim(NOW_NS + 6 * HOUR_NS)
    assert ids(kept) == [6]


def test_room_on_the_disk(spool: SpoolDirectory) -> None:
    """Nothing is kept where less than `min_free` of the disk would stay free; the engine takes the oldest for room. (SPL-18)"""
    kept = DeliveredBatches(spool, Keeping(HOUR_NS, 10**9, 0))
    for at in range(3):
        keep(spool, kept, at + 1, NOW_NS + at)
    assert forget_oldest(spool)
    assert [batch.batch_id for batch in kept.batches() if kept.read(batch) is not None] == [2, 3]
    crowded = DeliveredBatches(spool, Keeping(HOUR_NS, 10**9, 1 << 62))
    keep(spool, crowded, 4, NOW_NS + 10)
    assert ids(crowded) == []
    assert not forget_oldest(spool)


def test_nothing_is_kept_where_nobody_wants_it(spool: SpoolDirectory) -> None:
    """With a time of 0 a delivered batch goes at once."""
    kept = DeliveredBatches(spool, Keeping(0, 10**9, 0))
    keep(spool, kept, 1, NOW_NS)
    assert (ids(kept), list((spool.root / "delivered").iterdir())) == ([], [])


def test_a_batch_that_was_sent_again_is_kept_anew(spool: SpoolDirectory) -> None:
    """Its time begins again; other batches keep theirs."""
    kept = DeliveredBatches(spool, Keeping(HOUR_NS, 10**9, 0))
    for at in range(2):
        keep(spool, kept, at + 1, NOW_NS + at)
    first, _ = kept.batches()
    assert kept.renew(first, NOW_NS + HOUR_NS).batch_id == 1
    kept.trim(NOW_NS + HOUR_NS + 100)
    assert ids(kept) == [1]


def test_what_a_person_wants_sent_again(spool: SpoolDirectory) -> None:
    """A request stands until it is done; a damaged one stands for everything."""
    request = ResendRequest(spool)
    assert request.since_ns() is None
    request.ask(17)
    assert ResendRequest(spool).since_ns() == 17
    (spool.root / "delivered/resend.json").write_bytes(b"{")
    assert request.since_ns() == 0
    request.done()
    assert request.since_ns() is None


def test_earlier_addresses(spool: SpoolDirectory) -> None:
    """Batches for an earlier address are for the one of now, also after two moves and a move back; those of the embedded store never."""
    addresses = Addresses(spool)
    addresses.readdress({"influxdb:a"}, "influxdb:b")
    addresses.readdress({"influxdb:b"}, "influxdb:c")
    addresses.refresh()
    for destination in ("influxdb:a", "influxdb:b", "influxdb:c"):
        assert addresses.leads_to(destination, "influxdb:c")
        assert not addresses.leads_to(destination, "influxdb:d")
    addresses.readdress({"influxdb:c"}, "influxdb:a")
    addresses.refresh()
    assert all(addresses.leads_to(f"influxdb:{letter}", "influxdb:a") for letter in "abc")
    for old, new in (({"embedded"}, "influxdb:a"), ({"influxdb:a"}, "embedded")):
        with pytest.raises(SpoolError, match="embedded store cannot be sent"):
            addresses.readdress(old, new)
    (spool.root / "readdressed.json").write_bytes(b"[1")
    assert addresses.refresh()
    assert not addresses.leads_to("influxdb:b", "influxdb:a")
