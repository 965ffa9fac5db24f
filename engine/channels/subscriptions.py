"""What libca is asked to subscribe to: the values of channels that connect, with their native type and the mask that is set."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from archioc.core.channel import Mask
from archioc.core.dbr import Dbr
from archioc.core.events import ChannelEvent, Reason
from archioc.engine.ca.channel_access import ECA_NORMAL, ChannelAccess
from archioc.engine.channels.channel_types import ChannelTypes
from archioc.engine.channels.gaps import Gaps
from archioc.engine.channels.refusals import Refusals

Rows = npt.NDArray[np.integer]


class Subscriptions:
    """One of each channel that is connected. names: by row."""

    def __init__(self, access: ChannelAccess, names: list[str], types: ChannelTypes, gaps: Gaps, refusals: Refusals) -> None:
        self._access, self._names, self._types = access, names, types
        self._gaps, self._refusals = gaps, refusals
        self._mask = np.zeros(len(names), "u1")  # Mask

    def begin(self, row: int, dbr: int, count: int) -> None:
        """Subscribe to a channel that has connected, with this native type and number of elements."""
        if not 0 <= dbr < len(Dbr):
            return  # gone again before libca's thread looked
        name, now = self._names[row], time.time_ns()
        changed = self._types.connect(row, dbr, count)
        if changed is not None:
            self._gaps.events.append(ChannelEvent(name, now, Reason.TYPE_CHANGED, text=changed))
        answer = self._access.follow(name, dbr, count, Mask(int(self._mask[row])))
        if answer != ECA_NORMAL:
            self._refusals.begin(row, now, f"Channel Access error {answer}")
        elif self._access.too_large(dbr, count):
            self._refusals.begin(row, now, f"{count} elements are beyond EPICS_CA_MAX_ARRAY_BYTES")

    def load_masks(self, rows: Rows, masks: npt.NDArray[np.uint8], connected: npt.NDArray[np.bool_]) -> None:
        """These channels have these masks (Mask) from now on; subscribe anew where that is another one."""
        other = rows[(self._mask[rows] != masks) & connected[rows]]
        self._mask[rows] = masks
        for row in other.tolist():
            self._access.follow_mask(self._names[row], Mask(int(self._mask[row])))
