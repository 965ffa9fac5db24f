"""What is done once a day for each channel, spread over the day."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SECOND = 1_000_000_000
DAY_S = 86_400


class OncePerDay:
    """Whose turn it is: each row has a second of the day of its own."""

    def __init__(self) -> None:
        self._swept = -1  # s since 1970

    def due(self, now: int, used: int) -> npt.NDArray[np.intp]:
        """Rows below `used` whose second has come since this was last called (now: ns since 1970); none the first time."""
        second, swept = now // SECOND, self._swept
        self._swept = second
        if swept < 0 or second <= swept:  # the start, the same second, or the clock was set back
            return np.empty(0, np.intp)
        seconds = range(max(swept + 1, second - DAY_S + 1), second + 1)
        return np.concatenate([np.arange(one % DAY_S, used, DAY_S) for one in seconds])
