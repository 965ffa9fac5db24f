"""What the event ring of a killed engine holds, read by the layout of the DBR_TIME_DOUBLE of `db_access.h`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from archioc.core.directories import Directories
from archioc.core.registry import RegistryReader
from archioc.demo.updates import Update
from archioc.engine.ca.ring import SLOT, EventKind, EventRing

_TIME_DOUBLE = np.dtype(
    {
        "names": ["received", "row", "dbr", "kind", "status", "severity", "seconds", "nanoseconds", "value"],
        "formats": ["<i8", "<u4", "<u2", "u1", "<u2", "<u2", "<u4", "<u4", "<f8"],
        "offsets": [0, 8, 16, 18, 24, 26, 28, 32, 40],
        "itemsize": SLOT.itemsize,
    }
)
_DBR_TIME_DOUBLE = 20
_EPICS_EPOCH_S = 631_152_000


def channels_by_row(directories: Directories) -> dict[int, str]:
    """Which channel has which row of the channel table."""
    registry = RegistryReader(directories.registry)
    try:
        return {channel.row: channel.name for channel in registry.channels_since(0)[0]}
    finally:
        registry.close()


def updates_in_ring(directories: Directories, names: Mapping[int, str]) -> Iterator[Update]:
    """The updates of numbers that wait for a commit, in the order received. To be read while there is no engine."""
    ring = EventRing(directories.ring)
    ring.open()
    try:
        read, written = int(ring.head["read_slot"][0]), int(ring.head["write_slot"][0])
        slots = ring.slots[np.arange(read, written) % len(ring.slots)].view(_TIME_DOUBLE)
    finally:
        ring.close()
    slots = slots[(slots["kind"] == EventKind.UPDATE) & (slots["dbr"] == _DBR_TIME_DOUBLE)]
    for slot in slots.tolist():
        received, row, _, _, status, severity, seconds, nanoseconds, value = slot
        yield Update(names[row], "DBR_TIME_DOUBLE", (seconds + _EPICS_EPOCH_S) * 10**9 + nanoseconds, value, severity, status, received)
