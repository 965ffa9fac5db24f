"""The db process: `python -m archioc.db CONFIG --parent PID`."""

from __future__ import annotations

import sys
import threading
import time
from functools import partial

import structlog

from archioc.core.config.config import Config
from archioc.core.directories import Directories
from archioc.core.errors import RegistryError, StoreUnavailable
from archioc.core.identity import state_id
from archioc.core.incidents import Incidents
from archioc.core.machine.allocator import keep_freed_memory
from archioc.core.process import StopSignal, run_process
from archioc.core.registry import RegistryReader
from archioc.core.spool.delivered import DeliveredBatches, Keeping
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.table import ChannelTable, ProcessState
from archioc.db.archive_record import ArchiveRecord
from archioc.db.delivery.delivery_counters import DeliveryCounters
from archioc.db.delivery.loop import DRAIN_S, Delivery
from archioc.db.delivery.spool_status import SpoolStatus
from archioc.db.delivery.store_status import StoreStatus
from archioc.db.delivery.watch import StoreWatch
from archioc.db.influx.store import InfluxDatabase
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
    record = ArchiveRecord(directories.archive_record, state_id(directories.state))
    store = open_store(config.store, config.archiver.name, record)
    kept = watch = None
    if isinstance(store, InfluxDatabase):
        kept = DeliveredBatches(spool, Keeping.of(config.spool))
        watch = StoreWatch(store, spool, kept, Incidents(directories.incidents), table.delivery, partial(_channel_names, directories))
    else:
        _open_before_queries(store)
    server = QueryServer(directories.query_socket, store)
    counters, shown = DeliveryCounters(table.delivery), StoreStatus(table.delivery)
    delivery = Delivery(spool, store, counters, shown, kept=kept, watch=watch)
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


def _channel_names(directories: Directories) -> list[str]:
    """All channels of the registry; none where it cannot be read."""
    try:
        registry = RegistryReader(directories.registry)
    except RegistryError as error:
        _log.warning("channels_not_known", error=str(error))
        return []
    try:
        return [channel.name for channel in registry.channels_since(0)[0]]
    finally:
        registry.close()


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
