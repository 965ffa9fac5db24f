"""What is known of the engine before this one: when it last collected, and why it ended.

The channel table tells it as long as it is there. After a reboot it is not, so the engine also
writes the file `alive` into the state directory, every few seconds and when it stops.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from archioc.core.events import Reason
from archioc.core.table.table import ChannelTable, ProcessState
from archioc.engine.ca.ring import EventRing


@dataclass(frozen=True, slots=True)
class LastRun:
    """ended_ns: last sign of collecting (ns since 1970). revision: of the registry that was collected by then."""

    reason: Reason
    ended_ns: int
    revision: int


@dataclass(frozen=True, slots=True)
class _Alive:
    """Content of the file."""

    stopped: bool
    time_ns: int
    revision: int


class AliveFile:
    """The sign of life that outlives a reboot."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, time_ns: int, revision: int, *, stopped: bool = False) -> None:
        """Collecting went on at this time, or was stopped then. Raises OSError."""
        scratch = self._path.with_name(self._path.name + ".new")
        scratch.write_bytes(orjson.dumps(asdict(_Alive(stopped, time_ns, revision))))
        scratch.replace(self._path)

    def read(self) -> LastRun | None:
        """What the file tells; None when there is none, or none that can be read."""
        try:
            found = _Alive(**orjson.loads(self._path.read_bytes()))
        except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
            return None
        return LastRun(Reason.ARCHIVER_STOP if found.stopped else Reason.ENGINE_RESTART, found.time_ns, found.revision)


def find_last_run(table: ChannelTable, ring: EventRing, alive: AliveFile) -> LastRun | None:
    """The engine before this one; None when there was none."""
    head = table.status.head[0]
    ended = int(head["collected_at"])
    if not ended:
        return alive.read()
    written = int(ring.head["write_slot"][0])
    if written:
        ended = max(ended, int(ring.slots["received"][(written - 1) % len(ring.slots)]))
    died = int(head["state"]) in (ProcessState.RUNNING, ProcessState.STARTING)
    return LastRun(Reason.ENGINE_RESTART if died else Reason.ARCHIVER_STOP, ended, int(head["revision"]))
