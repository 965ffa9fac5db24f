"""Alarm states of one channel as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class AlarmColumns:
    """The alarm that a channel has had since each time, sorted by time, no time twice; all columns have the same length.

    A state is written when it changes, and again hourly and after every gap.
    time: ns since 1970 UTC, int64.
    severity, status: as `archioc.core.dbr` numbers them, uint8.
    """

    time: npt.NDArray[np.int64]
    severity: npt.NDArray[np.uint8]
    status: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.time)
