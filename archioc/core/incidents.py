"""What happened to the store that a person should know of: one file each in `incidents/`, until somebody acknowledges it.

`State` is Degraded as long as there is one. `archioc check` shows them, `archioc check --acknowledge` removes them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import orjson

from archioc.core.spool.disk import OsDisk, write_file


class IncidentKind(StrEnum):
    """What happened."""

    EMPTIED = "emptied"
    """The archive is new, or was emptied: it does not know this archiver."""
    LOST = "lost"
    """The store has lost what it had acknowledged."""
    DISK_FULL = "disk_full"
    """The disk of the store's server was full."""


@dataclass(frozen=True, slots=True)
class Incident:
    """time_ns: when it was detected (ns since 1970). until_ns: when it ends by itself; 0: when a person acknowledges it."""

    time_ns: int
    kind: IncidentKind
    text: str
    until_ns: int = 0


class Incidents:
    """The directory. Methods raise OSError."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add(self, incident: Incident) -> None:
        """Note an incident, durably."""
        disk, path = OsDisk(), self._directory / f"{incident.time_ns:020d}.json"
        disk.make_directory(self._directory)
        write_file(disk, path.with_suffix(".new"), (orjson.dumps(asdict(incident)),), durable=True)
        disk.rename(path.with_suffix(".new"), path)
        disk.sync_directory(self._directory)

    def standing(self, now_ns: int) -> list[Incident]:
        """Those that have not ended by now (ns), oldest first; those that have are removed. A damaged file counts, by its name."""
        found = []
        for path in self._paths():
            incident = _parse(path)
            if incident is None:
                continue
            if incident.until_ns and incident.until_ns < now_ns:
                path.unlink(missing_ok=True)
            else:
                found.append(incident)
        return found

    def acknowledge(self) -> int:
        """Remove all; how many there were."""
        paths = self._paths()
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    def _paths(self) -> list[Path]:
        try:
            return sorted(self._directory.glob("*.json"))
        except FileNotFoundError:
            return []


def _parse(path: Path) -> Incident | None:
    try:
        found = orjson.loads(path.read_bytes())
        return Incident(int(found["time_ns"]), IncidentKind(found["kind"]), str(found["text"]), int(found["until_ns"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return Incident(0, IncidentKind.LOST, f"{path}: cannot be read")
