"""What is known of the engine before this one: when it last collected, and why it ended.

The channel table tells it as long as it is there. After a reboot it is not, so the engine also writes the file `alive` into the state
directory, every few seconds and when it stops. Where that file is lost too, the spool is the last witness: the engine before this one
collected until its last commit at least.

How long ago that was is measured by the clock since boot where both engines belong to one boot: somebody may have set the wall clock.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import structlog

from archioc.core.alive import Alive, AliveDamaged, alive_now, read_alive, since_boot_ns
from archioc.core.events import Reason
from archioc.core.registry import RegistryReader
from archioc.core.spool.disk import OsDisk
from archioc.core.spool.spool import SpoolDirectory
from archioc.core.table.mapped_file import boot_id
from archioc.core.table.table import ChannelTable, ProcessState
from archioc.engine.ca.ring import EventRing
from archioc.engine.channels.open_gaps import replace_durably

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LastRun:
    """ended_ns: last sign of collecting (ns since 1970). revision: of the registry that was collected by then."""

    reason: Reason
    ended_ns: int
    revision: int


class AliveFile:
    """The sign of life that outlives a reboot, as the engine writes it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, time_ns: int, revision: int, *, stopped: bool = False) -> None:
        """Collecting went on at this time, or was stopped then: durable when this returns. Raises OSError."""
        self.replace(alive_now(time_ns, revision, stopped=stopped))

    def replace(self, alive: Alive) -> None:
        """Write this in place of what the file says. Raises OSError."""
        replace_durably(OsDisk(), self._path, orjson.dumps(asdict(alive)))

    def lower(self, revision: int) -> None:
        """An older registry was put in place of the one that was collected. Raises OSError."""
        try:
            found = read_alive(self._path)
        except AliveDamaged:
            return
        if found is not None and found.revision > revision:
            self.replace(Alive(found.stopped, found.time_ns, revision, found.boot, found.boot_ns))

    def read(self) -> LastRun | None:
        """What the file says; None where there is none, and, after a line in the log, where it says nothing."""
        try:
            found = read_alive(self._path)
        except (AliveDamaged, OSError) as error:
            _log.error("alive_damaged", error=str(error))
            return None
        if found is None:
            return None
        ended_ns = _when(found.boot_ns, found.time_ns) if found.boot == boot_id().decode() else found.time_ns
        return LastRun(Reason.ARCHIVER_STOP if found.stopped else Reason.ENGINE_RESTART, ended_ns, found.revision)


def find_last_run(table: ChannelTable, ring: EventRing, alive: AliveFile) -> LastRun | None:
    """The engine before this one; None where neither the table nor the file knows of one."""
    head = table.status.head[0]
    collected = int(head["collected_at"])
    if not collected:
        return alive.read()
    boot_ns, written = int(head["collected_boot"]), int(ring.head["write_slot"][0])
    if written:  # received after the ring was drained for the last time
        later = max(int(ring.slots["received"][(written - 1) % len(ring.slots)]) - collected, 0)
        collected, boot_ns = collected + later, min(boot_ns + later, since_boot_ns()) if boot_ns else 0
    died = int(head["state"]) in (ProcessState.RUNNING, ProcessState.STARTING)
    return LastRun(Reason.ENGINE_RESTART if died else Reason.ARCHIVER_STOP, _when(boot_ns, collected), int(head["revision"]))


def _when(boot_ns: int, wall_ns: int) -> int:
    """A moment of this boot by the wall clock as it goes now (ns since 1970). boot_ns: 0 where it was not noted."""
    return time.time_ns() - (since_boot_ns() - boot_ns) if boot_ns else wall_ns


def last_commit_ns(spool: SpoolDirectory) -> int:
    """When the engine last committed (ns since 1970), as the spool shows; 0 where it does not. To be asked before the spool is recovered.

    The engine alone makes files in `tmp/`, and each leaves that directory with its commit.
    """
    try:
        return min(spool.disk.stat(spool.root / "tmp").modified_ns, time.time_ns())
    except OSError as error:
        _log.warning("last_commit_unknown", error=str(error))
        return 0


def guess_last_run(committed_ns: int, registry: RegistryReader) -> LastRun | None:
    """An engine that no table and no file knows: it is shown by channels that were added before the last commit, where there are any.

    committed_ns: as `last_commit_ns` gives it, where the gap begins. Raises RegistryError.
    """
    channels, _ = registry.channels_since(0)
    known = [channel.revision for channel in channels if channel.added_ns <= committed_ns]
    if not known:
        return None
    _log.error("last_run_unknown", gap_begins_ns=committed_ns, channels=len(known), why="neither channel table nor `alive` tells of it")
    return LastRun(Reason.ENGINE_RESTART, committed_ns, max(known))
