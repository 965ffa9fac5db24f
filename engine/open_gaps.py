"""The gaps that are open, in a file that outlives a reboot.

The ledger knows them as long as the channel table is there. After a reboot it is not, and nobody would end the events that the
store shows as open.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from archioc.core.events import Reason


@dataclass(frozen=True, slots=True)
class OpenGap:
    """start_ns: ns since 1970."""

    reason: Reason
    start_ns: int


Gaps = Mapping[str, OpenGap]
"""By channel."""


class OpenGapsFile:
    """JSON: channel -> [code of the reason, start]."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, OpenGap]:
        """What the file tells; nothing when there is none, or none that can be read."""
        try:
            found = orjson.loads(self._path.read_bytes())
            return {channel: OpenGap(Reason(code), int(start_ns)) for channel, (code, start_ns) in found.items()}
        except (FileNotFoundError, AttributeError, TypeError, ValueError):
            return {}

    def write(self, gaps: Gaps) -> None:
        """Replace the file durably. Raises OSError."""
        replace_durably(self._path, orjson.dumps({channel: [int(gap.reason), gap.start_ns] for channel, gap in gaps.items()}))


def replace_durably(path: Path, content: bytes) -> None:
    """Give a file another content, all or nothing also through a power cut. Raises OSError."""
    scratch = path.with_name(path.name + ".new")
    with scratch.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
