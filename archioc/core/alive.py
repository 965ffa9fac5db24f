"""The file `alive`: the engine's sign of life that outlives a reboot. Content: `docs/reference/contract/files.md`."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from pathlib import Path

import orjson

from archioc.core.table.mapped_file import boot_id


@dataclass(frozen=True, slots=True)
class Alive:
    """stopped: after a stop in order. time_ns: when collecting went on or ended, by the wall clock (ns since 1970).

    revision: of the registry that was collected. boot, boot_ns: the boot of the machine, and the time since it began (ns), at `time_ns`;
    empty and 0 where an earlier version wrote the file.
    """

    stopped: bool
    time_ns: int
    revision: int
    boot: str = ""
    boot_ns: int = 0


class AliveDamaged(Exception):
    """The file is there and says nothing, as after a power cut."""


def since_boot_ns() -> int:
    """Time since this boot of the machine began (ns): a clock that nobody sets, and that goes on while the machine is suspended."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def alive_now(time_ns: int, revision: int, *, stopped: bool = False) -> Alive:
    """The sign of life of this moment."""
    return Alive(stopped, time_ns, revision, boot_id().decode(), since_boot_ns())


def read_alive(path: Path) -> Alive | None:
    """What the file says, None where there is none. Raises AliveDamaged, OSError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    known = {field.name for field in fields(Alive)}
    try:
        found = Alive(**{name: value for name, value in orjson.loads(content).items() if name in known})
    except (AttributeError, TypeError, ValueError) as error:
        raise AliveDamaged(f"{path}: cannot be read ({len(content)} bytes): {error}") from None
    if not (isinstance(found.stopped, bool) and type(found.time_ns) is type(found.revision) is type(found.boot_ns) is int):
        raise AliveDamaged(f"{path}: holds values of other types than the engine writes")
    return found
