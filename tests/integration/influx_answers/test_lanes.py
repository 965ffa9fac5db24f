"""Several files on their way at once, on a double of each version."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from archioc.core.spool.encoding.line_protocol import LineEncoder
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.table import ChannelTable
from archioc.db.delivery.delivery_counters import DeliveryCounters
from archioc.db.delivery.loop import Delivery
from archioc.db.delivery.store_status import StoreStatus
from tests.archives.batches import Point, make_batch, spool_file
from tests.integration.influx_answers.line_files import Double, Opened
from tests.processes.influx_double import Answer, InfluxDouble, Request

HELD_S = 10.0
"""How long an answer is held back at most."""


@pytest.mark.parametrize(("version", "lanes"), [("1.8.10", 2), ("v2.7.12", 2), ("3.9.0", 8)])
def test_a_server_that_answers_slowly_gets_several_files_at_once(
    double: Double, opened: Opened, tmp_path: Path, version: str, lanes: int
) -> None:
    """Where each answer takes its time, as with 3.x, whose log is written once a second, a backlog drains through several connections."""
    server = double(version)
    store = opened(server)
    spool, table = SpoolDirectory(tmp_path / "spool"), ChannelTable(tmp_path)
    spool.create()
    table.create(1)
    files = 1 + 2 * lanes
    for batch_id in range(1, files + 1):
        made = spool_file(LineEncoder(store.destination), make_batch([Point("A", time.time_ns(), float(batch_id))]), batch_id)
        spool.publish(spool.prepare(made))
    crowd = Crowd(server, lanes)
    delivery = Delivery(spool, store, DeliveryCounters(table.delivery), StoreStatus(table.delivery))
    while delivery.step():
        pass
    assert (store.lanes, len(server.lines), int(table.delivery.head["stored"][0])) == (lanes, files, files)
    assert crowd.most == lanes
    table.close()


class Crowd:
    """Lets a server answer the first write at once, and the next ones when so many are asked at once. most: writes at once."""

    def __init__(self, server: InfluxDouble, lanes: int) -> None:
        self._answer, self._lanes = server.answer, lanes
        self._changed = threading.Condition()
        self._begun = self._under_way = self.most = 0
        server.answer = self.answer  # type: ignore[method-assign]

    def answer(self, request: Request) -> Answer:
        if not request.writes:
            return self._answer(request)
        with self._changed:
            self._begun += 1
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            self._changed.notify_all()
            if self._begun > 1:
                self._changed.wait_for(lambda: self.most >= self._lanes, HELD_S)
        try:
            return self._answer(request)
        finally:
            with self._changed:
                self._under_way -= 1
