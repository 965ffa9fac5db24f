"""The collector process: composed, started, run until it is told to stop, and stopped in order."""

from __future__ import annotations

import os
import sys
import time

import structlog

from archioc.core.alive import alive_now
from archioc.core.config.config import Config
from archioc.core.directories import Directories
from archioc.core.process import StopSignal
from archioc.core.registry import RegistryReader
from archioc.core.spool.encoding import encoder_for
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.table import ChannelTable, ProcessState
from archioc.engine.ca.channel_access import ChannelAccess
from archioc.engine.ca.event_callback import make_callback
from archioc.engine.ca.ring import EventRing
from archioc.engine.channels.alive_thread import AliveThread
from archioc.engine.channels.channels import Channels
from archioc.engine.channels.groups import Groups
from archioc.engine.channels.last_run import AliveFile, LastRun, find_last_run, guess_last_run, last_commit_ns
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
ALIVE_AT_STOP_S = 2.0
SETTLE_S = 2.0
"""How long a new engine waits for its first commit before it receives."""
CALLBACK_CODES = {"pinned": 1, "compiled": 2}
"""As the head of the status block has them."""


class CollectorProcess:
    """Collects for one archiver."""

    def __init__(self, config: Config, stop: StopSignal) -> None:
        self._config, self._stop = config, stop
        self._directories = Directories(config.archiver.state_dir)
        self._table = ChannelTable(self._directories.run)
        self._ring = EventRing(self._directories.ring)
        self._spool = SpoolDirectory(self._directories.spool)
        self._alive = AliveFile(self._directories.alive)
        self._open_gaps = OpenGapsFile(self._directories.open_gaps)

    def collect(self) -> bool:
        """Collect until told to stop; whether libca has ended."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._table.open()
        self._ring.open()
        last, committed_ns = find_last_run(self._table, self._ring, self._alive), last_commit_ns(self._spool)
        head = self._table.status.head
        head["state"], head["pid"] = ProcessState.STARTING, os.getpid()
        if not recover_when_possible(self._table, self._spool, self._stop) or not self._registry_ready():
            head["state"] = ProcessState.STOPPED
            return True
        self._registry = RegistryReader(self._directories.registry)
        last = last or guess_last_run(committed_ns, self._registry)
        self._compose(last)
        try:
            replayed = self._collector.replay(last)
            if not self._collector.settle(SETTLE_S):
                _log.error("gaps_not_committed")  # collecting matters more; the spool says what is wrong with it
            _log.info("collecting", channels=len(self._channels.ours()), replayed=replayed, callback=self._callback.name)
            head["state"] = ProcessState.RUNNING
            self._run()
        finally:
            ended = self._end()
        _log.info("collector_stopped")
        return ended

    def _compose(self, last: LastRun | None) -> None:
        """Make the parts, from libca to the commit thread."""
        config, table, registry = self._config, self._table, self._registry
        shared_store = config.store.influxdb is not None
        sampler = self._restored_sampler()
        self._ring.largest = config.ca.max_array_bytes
        self._callback = make_callback(config.ca.callback, self._ring)
        table.status.head["callback"] = CALLBACK_CODES[self._callback.name]
        self._access = ChannelAccess(self._callback)
        self._alive_thread = AliveThread(self._alive)
        removals = Removals(registry, last, sharded=config.shard is not None)
        gaps = self._open_gaps.read()
        self._channels = Channels(table, registry, self._access, sampler, Groups(table), gaps, removals, shared_store=shared_store)
        self._channels.follow(time.time_ns())
        audit_sent = AuditSentFile(self._directories.audit_sent)
        encoder = encoder_for(config.store, config.archiver.name)
        self._commits = CommitThread(
            table, self._ring, self._spool, encoder, config.spool, self._open_gaps, audit_sent, self._channels.name_of
        )
        audit = AuditTrail(registry, audit_sent.read())
        health = HealthReport(table, config.archiver.name) if shared_store else None
        self._collector = Collector(table, self._ring, sampler, self._channels, self._commits, audit, health)

    def _restored_sampler(self) -> Sampler:
        """The sampler as the ledger has it, and the ring from where the ledger is on."""
        ledger = self._table.ledger
        sampler = Sampler(self._table.capacity, int(self._config.ca.max_past * 1e9))
        sampler.memory.load(ledger.cells[: int(self._table.settings.head["rows"][0])], ledger.head)
        sampler.withheld.restore()
        self._ring.rewind(int(ledger.head["ring_slot"][0]), int(ledger.head["ring_bulk"][0]))
        return sampler

    def _registry_ready(self) -> bool:
        """Wait until the ioc process has filled the settings; False when told to stop meanwhile."""
        while int(self._table.settings.head["state"][0]) != ProcessState.RUNNING:
            self._table.status.head["heartbeat"] = time.time_ns()
            if self._stop.wait(ROUND_S):
                return False
        return True

    def _run(self) -> None:
        interval, samples = self._config.spool.commit_interval, self._config.spool.commit_samples
        collector = self._collector
        cut_at, alive_at = time.monotonic(), float("-inf")
        while not self._stop.wait(ROUND_S):
            now = time.time_ns()
            collector.round(now)
            self._access.flush()
            mono = time.monotonic()
            if mono - cut_at >= interval or collector.open_samples >= samples or collector.commit_wanted:
                collector.cut()
                cut_at = mono
            if mono - alive_at >= ALIVE_S:
                self._alive_thread.write(alive_now(now, self._channels.revision))
                alive_at = mono

    def _end(self) -> bool:
        """Stop in order; whether libca has ended."""
        ended = self._access.close(LIBCA_AT_STOP_S)
        stopped_ns = time.time_ns()
        self._collector.stop(stopped_ns)
        self._collector.cut_all()
        if not self._alive_thread.finish(alive_now(stopped_ns, self._channels.revision, stopped=True), ALIVE_AT_STOP_S):
            _log.error("alive_not_written", waited_s=ALIVE_AT_STOP_S)
        if not self._commits.finish(COMMIT_AT_STOP_S):
            _log.error("events_left_in_ring")
        self._registry.close()
        self._table.status.head["state"] = ProcessState.STOPPED
        return ended
