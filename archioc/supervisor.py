"""The parent of the processes: starts them, watches them, restarts them, stops them in order."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import structlog

from archioc.core.config.config import Config
from archioc.core.directories import Directories, lock_state_dir, make_run_dir
from archioc.core.errors import RunDirError, StateDirInUse
from archioc.core.identity import ID_FILE, read_id, state_id, write_id
from archioc.core.machine.disk_errors import may_pass
from archioc.core.machine.heartbeat import Watch
from archioc.core.machine.private_files import FileAccess
from archioc.core.machine.python_module import python_module
from archioc.core.process import StopSignal
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.process_counts import ProcessCounts, write_counts
from archioc.core.table.table import ChannelTable, ProcessState
from archioc.engine.ca.ring import EventRing, shape_of

_log = structlog.get_logger()

POLL_S = 0.1
BACKOFF_FIRST_S = 0.5
BACKOFF_LAST_S = 30.0
HEALTHY_S = 60.0
"""A process that has run this long is restarted at once when it dies."""

STOP_ORDER = ("engine", "http", "db", "ioc")
"""First no more comes in, then nobody asks any more, what is there goes out, and at last nobody can watch any more."""
STOP_S = {"engine": 12.0, "http": 5.0, "db": 12.0, "ioc": 5.0}
"""How long each may take to end after SIGTERM before it is killed."""

MODULES = {"ioc": "archioc.ioc", "db": "archioc.db", "engine": "archioc.engine", "http": "archioc.retrieval"}
"""What is run as which process."""

SILENT_S = 30.0
"""A watched process that has given no sign of life for so long is killed, and started again."""

FIRST_SIGN_S = 120.0
"""How long after its start the first sign may take: a cold disk makes imports slow."""

PREPARE_RETRY_S = 1.0
"""Between two attempts to make what the processes need, while the disk refuses."""

ORPHANS_S = 20.0
"""How long the processes of a killed supervisor are waited for; they end by themselves."""


@dataclass(slots=True)
class _Child:
    """One process. backoff: seconds to wait before the next start. heartbeat: the file of its signs of life, where it gives any."""

    name: str
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_at: float = 0.0
    backoff: float = BACKOFF_FIRST_S
    heartbeat: Path | None = None
    watch: Watch | None = None


class Supervisor:
    """Runs one archiver until `stop` is set. Holds the lock of the state directory meanwhile."""

    def __init__(self, config: Config, config_path: Path, stop: StopSignal) -> None:
        self._config, self._path, self._stop = config, config_path, stop
        self._directories = Directories(config.archiver.state_dir)
        self._access = FileAccess.of(config.archiver.group)
        self._children = [_Child(name) for name in MODULES if name != "http" or config.http.enabled]
        for child in self._children:
            child.heartbeat = self._directories.http_heartbeat if child.name == "http" else None
        self._counts = ProcessCounts()
        self._lock: IO[str] | None = None

    def run(self) -> None:
        """Start all, watch until told to stop, stop all. Raises StateDirInUse, RunDirError."""
        self._access.use()
        lock = self._locked()
        if lock is None:
            return
        with lock as self._lock:
            if not self._prepared():
                return
            archiver = self._config.archiver
            _log.info("archiver_starts", name=archiver.name, prefix=archiver.prefix, state=str(self._directories.state))
            try:
                while not self._stop:
                    self._look_after()
                    self._stop.wait(POLL_S)
            finally:
                self._stop_all()
            _log.info("archiver_stopped")

    def _locked(self) -> IO[str] | None:
        """The lock of the state directory, None when told to stop while a killed supervisor's processes still hold it.

        The processes inherit the lock: those of a killed supervisor never share a ring with new ones.
        """
        begun = time.monotonic()
        logged = False
        while not self._stop:
            try:
                return lock_state_dir(self._directories, self._access)
            except StateDirInUse as held:
                if time.monotonic() > begun + ORPHANS_S or held.holder is not None:
                    raise
            if not logged:
                _log.warning("waits_for_orphans", state=str(self._directories.state))
            logged = True
            self._stop.wait(POLL_S)
        return None

    def _prepared(self) -> bool:
        """Prepare what the processes need, again and again while the disk refuses; False when told to stop meanwhile.

        Raises RunDirError for what does not pass by itself.
        """
        failing = ""
        while not self._stop:
            try:
                self._prepare()
            except (OSError, RunDirError) as error:
                if not may_pass(error):
                    raise
                if str(error) != failing:
                    _log.error("not_prepared", error=str(error), retry_s=PREPARE_RETRY_S)
                failing = str(error)
                self._stop.wait(PREPARE_RETRY_S)
                continue
            if failing:
                _log.info("prepared_at_last")
            return True
        return False

    def _prepare(self) -> None:
        """Make run directory, channel table, ring and spool; keep those of the run before where they fit. Raises OSError, RunDirError."""
        archiver = self._config.archiver
        place = make_run_dir(self._directories, archiver.run_dir, archiver.ring_bytes * 2, self._access)
        identity, spool = state_id(self._directories.state), SpoolDirectory(self._directories.spool)
        write_counts(place, self._counts)
        spool.create()
        if read_id(place) != identity or not _reusable(place, archiver.max_channels, archiver.ring_bytes):
            table = _made_anew(place, archiver.max_channels, archiver.ring_bytes)
            table.delivery.head["floor"] = max((entry.batch_id for entry in spool.committed()), default=0)
            write_id(place, identity)
        else:
            table = ChannelTable(place)
            table.open()
        table.settings.head["state"] = ProcessState.STOPPED  # the engine waits for the ioc process to have filled them in
        table.close()

    def _look_after(self) -> None:
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._note_death(child)
            elif child.watch is not None:
                _kill_silent(child, child.watch)
            if child.process is None and time.monotonic() >= child.start_at:
                self._start(child)

    def _start(self, child: _Child) -> None:
        command = python_module(MODULES[child.name], str(self._path), "--parent", str(os.getpid()))
        assert self._lock is not None
        try:
            if child.heartbeat is not None:
                child.heartbeat.unlink(missing_ok=True)
                child.watch = Watch(child.heartbeat)
            # a session of its own: Ctrl-C on the terminal reaches the supervisor alone, which stops them in order
            child.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=[self._lock.fileno()])
        except OSError as error:  # no memory, no descriptors, no processes left: tried again
            child.backoff = min(child.backoff * 2, BACKOFF_LAST_S)
            child.start_at = time.monotonic() + child.backoff
            _log.error("process_not_started", child=child.name, wait_s=child.backoff, error=str(error))
            return
        child.started = time.monotonic()
        _log.info("process_started", child=child.name, pid=child.process.pid)

    def _note_death(self, child: _Child) -> None:
        assert child.process is not None
        ran = time.monotonic() - child.started
        child.backoff = BACKOFF_FIRST_S if ran >= HEALTHY_S else min(child.backoff * 2, BACKOFF_LAST_S)
        wait = 0.0 if ran >= HEALTHY_S else child.backoff / 2
        child.start_at = time.monotonic() + wait
        code = child.process.returncode
        _log.error("process_died", child=child.name, ran_s=round(ran, 1), wait_s=wait, how=_how_it_ended(code))
        child.process = child.watch = None
        self._counts = replace(self._counts, **{child.name: getattr(self._counts, child.name) + 1})
        try:
            write_counts(self._directories.run, self._counts)
        except OSError as error:  # a number that cannot be shown is no reason to stop archiving
            _log.error("restarts_not_written", error=str(error))

    def _stop_all(self) -> None:
        for child in sorted(self._children, key=lambda child: STOP_ORDER.index(child.name)):
            if child.process is None or child.process.poll() is not None:
                continue
            child.process.send_signal(signal.SIGTERM)
            try:
                child.process.wait(STOP_S[child.name])
            except subprocess.TimeoutExpired:
                _log.error("process_killed", child=child.name)
                child.process.kill()
                child.process.wait(STOP_S[child.name])


def _kill_silent(child: _Child, watch: Watch) -> None:
    """Kill a process that lives and gives no sign of life; its end is noted like any other, when it comes."""
    assert child.process is not None
    watch.look(time.monotonic())
    if watch.silent_s > (SILENT_S if watch.begun else FIRST_SIGN_S):
        _log.error("process_silent", child=child.name, pid=child.process.pid, silent_s=round(watch.silent_s, 1))
        child.process.kill()
        child.watch = None


def _how_it_ended(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _made_anew(place: Path, max_channels: int, ring_bytes: int) -> ChannelTable:
    """An empty table, open, and an empty ring. The id goes first and comes last: what is not complete belongs to nobody."""
    for left in (place / ID_FILE, *place.glob("*.journal")):
        left.unlink(missing_ok=True)
    table, ring = ChannelTable(place), EventRing(place / "ring")
    table.create(max_channels)
    ring.create(ring_bytes, max_channels)
    ring.close()
    return table


def _reusable(place: Path, max_channels: int, ring_bytes: int) -> bool:
    """Whether table and ring are those of this boot, this version and this configuration.

    A ring that still holds events, of another size, is taken as it is: they are worth more.
    """
    table, ring = ChannelTable(place), EventRing(place / "ring")
    try:
        table.open()
        ring.open()
    except RunDirError as error:
        _log.info("run_dir_made", place=str(place), instead_of=str(error) if place.joinpath("ring").exists() else "nothing")
        return False
    fits = table.capacity == max_channels and len(ring.lost) == max_channels
    pending = int(ring.head["write_slot"][0]) != int(ring.head["read_slot"][0])
    same_shape = (len(ring.slots), len(ring.bulk)) == shape_of(ring_bytes)
    was_running = int(table.status.head["state"][0]) == ProcessState.RUNNING
    if fits and not same_shape and not pending and not was_running:
        return False
    if not fits and (pending or was_running):
        raise RunDirError(f"{place}: holds events that are not committed yet: start once with the former max_channels, then change it")
    return fits
