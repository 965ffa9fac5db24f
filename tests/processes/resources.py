"""What a process holds of the machine, to be compared over time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Resources:
    """memory: resident bytes that no file backs, so that the pages of a mapped ring, which are touched one after the other, do not count.

    descriptors: files and sockets.
    """

    memory: int
    threads: int
    descriptors: int


def resources_of(pid: int) -> Resources:
    """What the process holds now."""
    process = psutil.Process(pid)
    anonymous = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert anonymous is not None
    return Resources(int(anonymous[1]) * 1024, process.num_threads(), process.num_fds())
