"""The collector process: `python -m archioc.engine CONFIG --parent PID`."""

from __future__ import annotations

import os
import sys
import time

import structlog

from archioc.core.config.config import Config
from archioc.core.directories import Directories
from archioc.core.process import StopSignal, run_process
from archioc.core.registry import RegistryReader
from archioc.core.spool.encoding import encoder_for
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.table import ChannelTable, ProcessState
from archioc.engine.ca.channel_access import ChannelAccess
from archioc.engine.ca.event_callback import make_callback
from archioc.engine.ca.repeater import repeater_at_hand
from archioc.engine.ca.ring import EventRing
from archioc.engine.channels.channels import Channels
from archioc.engine.channels.groups import Groups
from archioc.engine.channels.last_run import AliveFile, find_last_run
from archioc.engine.channels.open_gaps import OpenGapsFile
from archioc.engine.channels.removals import Removals
from archioc.engine.collector import Collector
from archioc.engine.commit.audit_trail import AuditSentFile, AuditTrail
from archioc.engine.commit.commit import CommitThread
from archioc.engine.commit.recovery import recover_when_possible
from archioc.engine.health import HealthReport
from archioc.engine.sampling.sampler import Sampler

_log = structlog.get_logger()

ROUND_S = 0.02
"""Between two drains of the ring; an update waits no longer than this to be sampled."""
ALIVE_S = 2.0
"""How often the file is written by which the next engine knows, after a reboot, when collecting ended."""
SWITCH_INTERVAL_S = 0.0005
"""How long one Python thread may keep another waiting; with CPython's 5 ms the callback loses updates under load."""
COMMIT_AT_STOP_S = 5.0
LIBCA_AT_STOP_S = 2.0
SETTLE_S = 2.0
"""How long a new engine waits for its first commit before it receives."""
CALLBACK_CODES = {"pinned": 1, "compiled": 2}
"""As the head of the status block tells them."""


def _work(config: Config, stop: StopSignal) -> int:
    """Collect until told to stop; the exit code."""
    os.environ.update(config.ca.environment())
    with repeater_at_hand():
        ended = _collect(config, stop)
    if not ended:  # threads of libca must not meet an interpreter that is being taken down
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


def _collect(config: Config, stop: StopSignal) -> bool:
    """Collect until told to stop; whether libca has ended."""
    directories = Directories(config.archiver.state_dir)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    table = ChannelTable(directories.run)
    table.open()
    ring = EventRing(directories.ring)
    ring.open()
    spool = SpoolDirectory(directories.spool)
    alive = AliveFile(directories.alive)
    last = find_last_run(table, ring, alive)
    head = table.status.head
    open_gaps = OpenGapsFile(directories.open_gaps)
    head["state"], head["pid"] = ProcessState.STARTING, os.getpid()
    if not recover_when_possible(table, spool, stop) or not _registry_ready(table, stop):
        head["state"] = ProcessState.STOPPED
        return True
    sampler = Sampler(table.capacity)
    sampler.memory.load(table.ledger.cells[: int(table.settings.head["rows"][0])], table.ledger.head)
    sampler.withheld.restore()
    ring.rewind(int(table.ledger.head["ring_slot"][0]), int(table.ledger.head["ring_bulk"][0]))
    ring.largest = config.ca.max_array_bytes
    callback = make_callback(config.ca.callback, ring)
    head["callback"] = CALLBACK_CODES[callback.name]
    access = ChannelAccess(callback)
    registry = RegistryReader(directories.registry)
    groups = Groups(table)
    channels = Channels(
        table,
        registry,
        access,
        sampler,
        groups,
        open_gaps.read(),
        Removals(registry, last, sharded=config.shard is not None),
        shared_store=config.store.influxdb is not None,
    )
    channels.follow(time.time_ns())
    audit_sent = AuditSentFile(directories.audit_sent)
    commits = CommitThread(
        table,
        ring,
        spool,
        encoder_for(config.store, config.archiver.name),
        config.spool,
        open_gaps,
        audit_sent,
        channels.name_of,
    )
    health = HealthReport(table, config.archiver.name) if config.store.influxdb is not None else None
    collector = Collector(table, ring, sampler, channels, commits, AuditTrail(registry, audit_sent.read()), health)
    try:
        replayed = collector.replay(last)
        if not collector.settle(SETTLE_S):
            _log.error("gaps_not_committed")  # collecting matters more; the spool tells what ails it
        _log.info("collecting", channels=len(channels.ours()), replayed=replayed, callback=callback.name)
        head["state"] = ProcessState.RUNNING
        _loop(config, alive, collector, channels, access, stop)
    finally:
        ended = access.close(LIBCA_AT_STOP_S)
        stopped_ns = time.time_ns()
        collector.stop(stopped_ns)
        collector.cut_all()
        _tell_alive(alive, stopped_ns, channels.revision, stopped=True)
        if not commits.finish(COMMIT_AT_STOP_S):
            _log.error("events_left_in_ring")
        registry.close()
        head["state"] = ProcessState.STOPPED
    _log.info("collector_stopped")
    return ended


def _registry_ready(table: ChannelTable, stop: StopSignal) -> bool:
    """Wait until the ioc process has filled the settings; False when told to stop meanwhile."""
    while int(table.settings.head["state"][0]) != ProcessState.RUNNING:
        table.status.head["heartbeat"] = time.time_ns()
        if stop.wait(ROUND_S):
            return False
    return True


def _loop(config: Config, alive: AliveFile, collector: Collector, channels: Channels, access: ChannelAccess, stop: StopSignal) -> None:
    interval, samples = config.spool.commit_interval, config.spool.commit_samples
    cut_at, alive_at = time.monotonic(), float("-inf")
    while not stop.wait(ROUND_S):
        now = time.time_ns()
        collector.round(now)
        access.flush()
        mono = time.monotonic()
        if mono - cut_at >= interval or collector.open_samples >= samples or collector.commit_wanted:
            collector.cut()
            cut_at = mono
        if mono - alive_at >= ALIVE_S:
            _tell_alive(alive, now, channels.revision)
            alive_at = mono


def _tell_alive(alive: AliveFile, now: int, revision: int, *, stopped: bool = False) -> None:
    try:
        alive.write(now, revision, stopped=stopped)
    except OSError as error:  # the disk of the spool is full or failing: the spool says so louder
        _log.debug("alive_not_written", error=str(error))


if __name__ == "__main__":
    sys.exit(run_process("archioc.engine", "engine", _work))
