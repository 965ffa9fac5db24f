"""The gaps that are open, in a file that outlives a reboot.

The ledger knows them as long as the channel table is there. After a reboot it is not, and nobody would end the events that the
store shows as open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from archioc.core.events import Reason
from archioc.core.spool.disk import Disk, OsDisk, write_file


@dataclass(frozen=True, slots=True)
class OpenGap:
    """start_ns: ns since 1970."""

    reason: Reason
    start_ns: int


Gaps = Mapping[str, OpenGap]
"""By channel."""


class OpenGapsFile:
    """JSON: channel -> [code of the reason, start]."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._path = path
        self._disk: Disk = disk or OsDisk()

    def read(self) -> dict[str, OpenGap]:
        """What the file tells; nothing when there is none, or none that makes sense. Raises OSError."""
        try:
            found = orjson.loads(self._disk.read(self._path))
            return {channel: OpenGap(Reason(code), int(start_ns)) for channel, (code, start_ns) in found.items()}
        except (FileNotFoundError, AttributeError, TypeError, ValueError):
            return {}

    def write(self, gaps: Gaps) -> None:
        """Replace the file durably. Raises OSError."""
        replace_durably(self._disk, self._path, orjson.dumps({channel: [int(gap.reason), gap.start_ns] for channel, gap in gaps.items()}))


def replace_durably(disk: Disk, path: Path, content: bytes) -> None:
    """Give a file another content, all or nothing also through a power cut. Raises OSError."""
    scratch = path.with_name(path.name + ".new")
    write_file(disk, scratch, (content,), durable=True)
    disk.rename(scratch, path)
    disk.sync_directory(path.parent)
