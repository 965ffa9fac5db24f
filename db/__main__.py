"""The db process: `python -m archioc.db CONFIG --parent PID`."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
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
RETRY_S = 1.0
"""Between two attempts to start while the disk refuses."""


def _work(config: Config, stop: StopSignal) -> int:
    """Deliver and answer queries until told to stop; the exit code."""
    keep_freed_memory()
    directories = Directories(config.archiver.state_dir)
    table = ChannelTable(directories.run)
    table.open()
    spool = SpoolDirectory(directories.spool)
    status = SpoolStatus(table.delivery, spool)
    status.show(ProcessState.STARTING)
    identities: list[str] = []

    def take_up() -> None:
        spool.create()
        identities.append(state_id(directories.state))

    if not _when_possible(take_up, status, table, stop):
        return 0
    store = open_store(config.store, config.archiver.name, ArchiveRecord(directories.archive_record, identities[0]))
    if config.store.influxdb is None:
        _open_before_queries(store)
    servers: list[QueryServer] = []
    if not _when_possible(lambda: servers.append(QueryServer(directories.query_socket, store)), status, table, stop):
        return 0
    delivery = _delivery(config, directories, table, spool, store)
    worker = threading.Thread(target=delivery.run, args=(stop,), name="delivery", daemon=True)
    worker.start()
    _log.info("db_started", destination=store.destination)
    while worker.is_alive() and not stop:
        status.show(ProcessState.RUNNING)
        table.delivery.head["store_damaged"] = store.damaged
        stop.wait(SIGN_OF_LIFE_S)
    died = not stop
    given_up = _finish(worker, status)
    store.interrupt()
    ended = servers[0].close() and not given_up
    if ended:
        store.close()
    status.show(ProcessState.STOPPED)
    _log.info("db_stopped", delivery_died=died)
    if not ended:  # a thread is in the middle of something, and would be torn out of it by the end of the interpreter
        sys.stderr.flush()
        os._exit(1 if died else 0)
    return 1 if died else 0


def _delivery(config: Config, directories: Directories, table: ChannelTable, spool: SpoolDirectory, store: Store) -> Delivery:
    """What delivers to a store, and watches it where it is a server."""
    counters, status, kept, watch = DeliveryCounters(table.delivery), StoreStatus(table.delivery), None, None
    names = partial(_channel_names, directories)
    if isinstance(store, InfluxDatabase):
        kept = DeliveredBatches(spool, Keeping.of(config.spool))
        watch = StoreWatch(store, spool, kept, Incidents(directories.incidents), table.delivery, names)
    return Delivery(spool, store, counters, status, kept=kept, watch=watch, channel_names=names)


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


def _when_possible(act: Callable[[], None], status: SpoolStatus, table: ChannelTable, stop: StopSignal) -> bool:
    """Do what needs a disk, again and again while that refuses, which the status shows; False when told to stop meanwhile."""
    head, due = table.delivery.head, 0.0
    while not stop:
        status.show(ProcessState.STARTING)
        if time.monotonic() >= due:
            try:
                act()
            except OSError as error:
                if not head["spool_error"][0]:
                    _log.error("not_started_yet", error=str(error))
                head["spool_error"] = str(error).encode()
                due = time.monotonic() + RETRY_S
            else:
                head["spool_error"] = b""
                return True
        stop.wait(SIGN_OF_LIFE_S)
    status.show(ProcessState.STOPPED)
    return False


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
