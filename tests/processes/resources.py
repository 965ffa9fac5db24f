"""What a process holds of the machine, to be compared over time."""

from __future__ import annotations

from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Resources:
    """memory: unique resident bytes. descriptors: files and sockets."""

    memory: int
    threads: int
    descriptors: int


def resources_of(pid: int) -> Resources:
    """What the process holds now."""
    process = psutil.Process(pid)
    return Resources(process.memory_full_info().uss, process.num_threads(), process.num_fds())
