"""What the quarantine keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.spool.spool import SpoolDirectory
from archioc.db.delivery import quarantine as quarantine_module
from archioc.db.delivery.quarantine import Quarantine
from archioc.db.store import Refusal, WriteOutcome
from tests.archives.batches import T0, Point, make_batch, spool_file


def test_the_newest_batch_stays_in_whatever_order_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches are on their way at once, so that an older one may be refused after a newer one."""
    monkeypatch.setattr(quarantine_module, "MAX_BYTES", 1)
    spool = SpoolDirectory(tmp_path)
    spool.create()
    quarantine = Quarantine(spool.root)
    for batch_id in (1, 3, 2):
        refused = spool_file(LineEncoder("influxdb"), make_batch([Point("A", T0, 1.0)]), batch_id)
        one = refused.counts["samples"].astype("i8")
        quarantine.keep(refused, WriteOutcome(one, one, (Refusal(b"line", "no"),)))
    assert [quarantine.read(path).batch_id for path in quarantine.entries()] == [3]
