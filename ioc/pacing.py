"""Long work on the event loop, cut into slices by time."""

from __future__ import annotations

import asyncio
import time

SLICE_S = 0.003


class Pacer:
    """Lets the event loop run whenever the slice is used up."""

    def __init__(self) -> None:
        self._end = time.perf_counter() + SLICE_S

    async def breathe(self) -> None:
        """Call it often: it costs next to nothing while there is time left."""
        if time.perf_counter() >= self._end:
            await asyncio.sleep(0)
            self._end = time.perf_counter() + SLICE_S
