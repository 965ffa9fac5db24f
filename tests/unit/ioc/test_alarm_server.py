from __future__ import annotations

import asyncio
import time

import pytest

from archioc.core.dbr import Severity, Status
from archioc.core.errors import CommandRefused
from archioc.ioc.ca.alarm import NO_ALARM
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.peer import Peer
from archioc.ioc.pvs.alarm_server import SILENT_S, AlarmServerHeartbeat

SERVER = Peer("127.0.0.1", 1)


def test_alarm_when_the_server_stops() -> None:
    """No alarm before the first put, none while puts come, MAJOR with TIMEOUT 30 s after the last, none again with the next."""

    async def course() -> None:
        heartbeat = AlarmServerHeartbeat("P:")
        pv, now = heartbeat.pv, time.monotonic()
        await heartbeat.check(now + 1000)
        assert pv.alarm == NO_ALARM
        assert pv.writer is not None
        await pv.writer(pv, PutValue((1.0,)), SERVER)
        await heartbeat.check(now + SILENT_S - 1)
        assert pv.alarm == NO_ALARM
        await heartbeat.check(time.monotonic() + SILENT_S + 0.1)
        assert (pv.alarm, pv.value) == ((Status.TIMEOUT, Severity.MAJOR), 1)
        await pv.writer(pv, PutValue(("1",)), SERVER)
        assert pv.alarm == NO_ALARM

    asyncio.run(course())


def test_bad_heartbeat_is_none() -> None:
    """A put that is no whole number is refused and does not count as a sign of life."""

    async def course() -> None:
        heartbeat = AlarmServerHeartbeat("P:")
        assert heartbeat.pv.writer is not None
        with pytest.raises(CommandRefused, match="whole number"):
            await heartbeat.pv.writer(heartbeat.pv, PutValue(("alive",)), SERVER)
        await heartbeat.check(time.monotonic() + 1000)
        assert heartbeat.pv.alarm == NO_ALARM

    asyncio.run(course())
