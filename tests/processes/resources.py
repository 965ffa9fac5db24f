"""What a process holds of the machine, to be compared over time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Resources:
    """What a process holds at one moment, a file that it is just writing among it.

    memory: resident bytes that no file backs, so that the pages of a mapped ring, which are touched one after the other, do not count.

    descriptors: files and sockets.
    """

    memory: int
    threads: int
    descriptors: int

    def within(self, before: Resources, growth: float, slack_bytes: int, more_threads: int = 0) -> bool:
        """Whether it is hardly more than before. growth, slack_bytes: of the memory."""
        return (
            self.memory <= before.memory * growth + slack_bytes
            and self.threads <= before.threads + more_threads
            and self.descriptors <= before.descriptors
        )


def resources_of(pid: int) -> Resources:
    """What the process holds now."""
    process = psutil.Process(pid)
    anonymous = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert anonymous is not None
    return Resources(int(anonymous[1]) * 1024, process.num_threads(), process.num_fds())
