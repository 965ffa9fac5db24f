"""The db process: `python -m archioc.db CONFIG --parent PID`."""

from __future__ import annotations

import sys
import threading
import time

import structlog

from archioc.core.config.config import Config
from archioc.core.directories import Directories
from archioc.core.errors import StoreUnavailable
from archioc.core.machine.allocator import keep_freed_memory
from archioc.core.process import StopSignal, run_process
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.table import ChannelTable, ProcessState
from archioc.db.delivery.delivery_counters import DeliveryCounters
from archioc.db.delivery.loop import DRAIN_S, Delivery
from archioc.db.delivery.spool_status import SpoolStatus
from archioc.db.delivery.store_status import StoreStatus
from archioc.db.open_store import open_store
from archioc.db.query_socket.server import QueryServer
from archioc.db.store import Store

_log = structlog.get_logger()

SIGN_OF_LIFE_S = 0.25


def _work(config: Config, stop: StopSignal) -> int:
    """Deliver and answer queries until told to stop; the exit code."""
    keep_freed_memory()
    directories = Directories(config.archiver.state_dir)
    table = ChannelTable(directories.run)
    table.open()
    spool = SpoolDirectory(directories.spool)
    spool.create()
    status = SpoolStatus(table.delivery, spool)
    status.show(ProcessState.STARTING)
    store = open_store(config.store, config.archiver.name)
    if config.store.influxdb is None:
        _open_before_queries(store)
    server = QueryServer(directories.query_socket, store)
    delivery = Delivery(spool, store, DeliveryCounters(table.delivery), StoreStatus(table.delivery))
    worker = threading.Thread(target=delivery.run, args=(stop,), name="delivery", daemon=True)
    worker.start()
    _log.info("db_started", destination=store.destination)
    while worker.is_alive() and not stop:
        status.show(ProcessState.RUNNING)
        stop.wait(SIGN_OF_LIFE_S)
    died = not stop
    given_up = _finish(worker, status)
    if server.close() and not given_up:
        store.close()
    status.show(ProcessState.STOPPED)
    _log.info("db_stopped", delivery_died=died)
    return 1 if died else 0


def _open_before_queries(store: Store) -> None:
    """Open the embedded store, so that the first query finds it open. Delivery tries again where that fails."""
    try:
        store.prepare()
    except StoreUnavailable as error:
        _log.warning("store_not_open", error=str(error))


def _finish(worker: threading.Thread, status: SpoolStatus) -> bool:
    """Give the delivery time to empty the spool; whether it had to be given up in the middle of a write."""
    until = time.monotonic() + DRAIN_S
    while worker.is_alive() and time.monotonic() < until:
        status.show(ProcessState.STOPPING)
        worker.join(SIGN_OF_LIFE_S)
    if worker.is_alive():
        # Its file stays claimed; the next start sends it again, which changes nothing if the store has it.
        _log.warning("write_given_up", after_s=DRAIN_S)
    return worker.is_alive()


if __name__ == "__main__":
    sys.exit(run_process("archioc.db", "db", _work))
