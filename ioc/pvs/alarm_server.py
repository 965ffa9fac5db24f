"""The heartbeat of the site's alarm server: it puts to a PV of ours every 10 s, and the PV is in alarm when it stops."""

from __future__ import annotations

import asyncio
import time

from archioc.core.dbr import Dbr, Severity, Status
from archioc.ioc.ca.alarm import NO_ALARM, Alarm
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.ca.pv import PV, PvSpec
from archioc.ioc.peer import Peer

NAME = "AlarmServer:Heartbeat"
SILENT_S = 30.0
"""Three heartbeats of a Phoebus alarm server."""

CHECK_S = 0.5

SPEC = PvSpec(Dbr.LONG, "Put by the alarm server (its heartbeat_pv); in alarm 30 s after the last put", access="control")
_SILENT: Alarm = (Status.TIMEOUT, Severity.MAJOR)


class AlarmServerHeartbeat:
    """One PV. A put is neither audited nor told in `Result`, because it comes every few seconds for years."""

    def __init__(self, prefix: str, silent_s: float = SILENT_S) -> None:
        self._silent_s = silent_s
        self._last: float | None = None
        self.pv = PV(f"{prefix}{NAME}", SPEC, writer=self._put)

    async def watch_forever(self) -> None:
        """Raise the alarm when no put has come for too long, until cancelled. There is none before the first put."""
        while True:
            await asyncio.sleep(CHECK_S)
            await self.check(time.monotonic())

    async def check(self, now: float) -> None:
        """Raise the alarm if it is due. now: s, monotonic."""
        if self._last is not None and now - self._last > self._silent_s:
            await self.pv.show(self.pv.value or 0, alarm=_SILENT)

    async def _put(self, pv: PV, value: PutValue, _: Peer) -> None:
        await pv.show(value.whole(), alarm=NO_ALARM)
        self._last = time.monotonic()
        await pv.notify_unchanged()
