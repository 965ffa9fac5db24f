"""The command `Flush`: the engine commits what it has collected, now."""

from __future__ import annotations

import asyncio
import time

from archioc.core.errors import CommandRefused
from archioc.core.table.table import ChannelTable
from archioc.ioc.results import ResultCode

FLUSH_TIMEOUT_S = 5.0
FLUSH_POLL_S = 0.01


async def flush(table: ChannelTable) -> None:
    """Ask the engine and wait until it has done so. Raises CommandRefused when it does not answer."""
    settings, status = table.settings.head, table.status.head
    settings["flush"][0] += 1
    wanted = int(settings["flush"][0])
    deadline = time.monotonic() + FLUSH_TIMEOUT_S
    while int(status["flush_done"][0]) < wanted:
        if time.monotonic() > deadline:
            raise CommandRefused(ResultCode.NO_ANSWER, f"the engine did not flush within {FLUSH_TIMEOUT_S:.0f} s")
        await asyncio.sleep(FLUSH_POLL_S)
