"""Which of the updates that come are sampled, and whose values are refused for what they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from archioc.engine.channels.channel_types import ChannelTypes
from archioc.engine.channels.refusals import Refusals
from archioc.engine.sampling.array_rules import ArrayRules
from archioc.engine.sampling.sampler import Sampler
from archioc.engine.sampling.updates import Updates, newest_of_rows

ECA_TOLARGE, ECA_NORDACCESS = 72, 368
"""Codes of `caerr.h`."""

Rows = npt.NDArray[np.integer]
NO_ROWS: Rows = np.empty(0, np.intp)


class Admission:
    """Stands before the sampler; what it keeps out is counted as filtered."""

    def __init__(self, types: ChannelTypes, arrays: ArrayRules, refusals: Refusals, sampler: Sampler) -> None:
        self._types, self._arrays, self._refusals, self._sampler = types, arrays, refusals, sampler

    def admit(self, updates: Updates) -> tuple[Updates, Rows]:
        """The updates that are to be sampled, in the shape in which they are stored; rows whose refusal began or ended."""
        foreign = self._types.foreign(updates)
        if foreign is not None:
            updates = self._leave_out(updates, np.flatnonzero(foreign))
        beyond = self._arrays.apply(updates)
        changed = NO_ROWS
        if len(beyond):
            changed = np.unique(updates.row[beyond])
            self._refuse(updates, beyond)
            updates = self._leave_out(updates, beyond)
        if self._refusals and len(updates):
            newest = newest_of_rows(updates.row)
            changed = np.concatenate([changed, self._refusals.end(updates.row[newest], updates.received[newest])])
        return updates, changed

    def _refuse(self, updates: Updates, beyond: npt.NDArray[np.intp]) -> None:
        """The arrays at these indices are too long for their channels."""
        for at in beyond[newest_of_rows(updates.row[beyond])].tolist():
            row = int(updates.row[at])
            why = f"array of {updates.count[at]} elements, max_elements is {self._arrays.most[row]}"
            self._refusals.begin(row, int(updates.received[at]), why)

    def _leave_out(self, updates: Updates, which: npt.NDArray[np.intp]) -> Updates:
        self._sampler.leave_out(updates.row[which])
        return updates.select(np.delete(np.arange(len(updates)), which))


def why_refused(code: int, elements: int) -> str:
    """Why an update is refused: an ECA_ number; elements: of an array that the callback did not take, 0 for what a server refuses."""
    if code == ECA_TOLARGE and elements:
        return f"array of {elements} elements: see max_array_bytes, ring_bytes"
    if code == ECA_TOLARGE:
        return "array is beyond the max_array_bytes of its IOC"
    return "no read access" if code == ECA_NORDACCESS else f"Channel Access error {code}"
