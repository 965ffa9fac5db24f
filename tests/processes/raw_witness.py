from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from archioc.demo.ca_environment import client_variables, with_variables
from archioc.demo.child import Child

RECORD = np.dtype(
    {
        "names": ["received", "row", "status", "severity", "seconds", "nanoseconds", "value"],
        "formats": ["<i8", "<u8", "<u2", "<u2", "<u4", "<u4", "<f8"],
        "offsets": [0, 8, 16, 18, 20, 24, 32],
        "itemsize": 40,
    }
)
"""Receive time (ns since 1970), index of the name, and the DBR_TIME_DOUBLE of `db_access.h`."""
_EPICS_EPOCH_S = 631_152_000


class RawWitness:
    """An independent CA client in a process of its own that keeps every update of many counters, at any rate that a soft IOC has.

    capacity: updates that it can keep.
    """

    def __init__(self, names: Sequence[str], server_ports: Sequence[int], repeater_port: int, directory: Path, capacity: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._output = directory / "updates.bin"
        listing = directory / "names"
        listing.write_text("".join(f"{name}\n" for name in names))
        arguments = [str(os.getpid()), str(listing), str(self._output), str(capacity)]
        self._child = Child(
            "raw witness",
            [sys.executable, "-m", "tests.processes.raw_witness_program", *arguments],
            directory / "witness.log",
            with_variables(client_variables(server_ports, repeater_port)),
        )
        try:
            self._child.wait_for_output("watching", 90.0)
        except BaseException:
            self._child.kill()
            raise

    def stop(self) -> int:
        """Stop it when it has written all that libca delivered; returns the exit status."""
        return self._child.stop(timeout_s=60.0)

    def updates(self) -> npt.NDArray[np.void]:
        """What it saw, dtype RECORD, in the order received; after `stop`."""
        return np.fromfile(self._output, RECORD)


def stamps_of(updates: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
    """IOC time stamps of updates (dtype RECORD), ns since 1970."""
    stamps: npt.NDArray[np.int64] = (updates["seconds"].astype("i8") + _EPICS_EPOCH_S) * 10**9 + updates["nanoseconds"]
    return stamps
