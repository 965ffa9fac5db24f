"""What one client is sent without a request of its own: events, and notices about its channels.

What waits is bounded by its number of monitors and channels, and no client waits for another. A monitor that waits is sent the newest
value when its turn comes (values between are merged, as CA allows), and of notices about a channel only the newest waits.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import islice

from caproto import CaprotoError, ChannelType

from archioc.core.machine.rate_limited_log import RateLimitedLog
from archioc.ioc.ca.limits.time_slice import LoopSharing, TimeSlice
from archioc.ioc.ca.messages import ECA_NOCONVERT, ECA_NORMAL, message
from archioc.ioc.ca.outlet import Outlet
from archioc.ioc.ca.pv import PV

BATCH_EVENTS, BATCH_BYTES = 200, 2**16
"""Events sent at once: what a client is sent while it does not read is that much more than its connection holds."""

log = RateLimitedLog()


@dataclass(frozen=True, slots=True, eq=False)
class Monitor:
    """One subscription of a client. count: elements asked for, 0 for as many as there are."""

    outbox: Outbox
    subscription: int
    sid: int
    pv: PV
    data_type: ChannelType
    count: int
    mask: int
    long_string: bool

    @property
    def is_waiting(self) -> bool:
        """Whether it waits in the outbox."""
        return self.outbox.holds(self)

    @property
    def client(self) -> tuple[str, int]:
        """Address and port of the client."""
        return self.outbox.client

    def post(self) -> None:
        """Let it wait in the outbox until it is sent the newest value."""
        self.outbox.post(self)

    async def event(self) -> bytes:
        """CA_PROTO_EVENT_ADD with the newest value."""
        try:
            count, payload = await self.pv.encoded(self.data_type, self.count, long_string=self.long_string)
        except (CaprotoError, ValueError, OverflowError) as error:
            log.warning("value_not_convertible", pv=self.pv.name, dbr=self.data_type.name, error=str(error))
            return message(1, b"", int(self.data_type), self.count, ECA_NOCONVERT, self.subscription)
        return message(1, payload, int(self.data_type), count, ECA_NORMAL, self.subscription)


class Outbox:
    """The monitors of one circuit that have something to tell, and notices.

    sharing: with the other circuits. client: address and port of the circuit's client.
    """

    def __init__(self, sharing: LoopSharing, client: tuple[str, int]) -> None:
        self._sharing, self.client = sharing, client
        self._waiting: dict[int, Monitor] = {}
        self._notices: dict[int, bytes] = {}
        self._wake = asyncio.Event()
        self._flowing = True

    def post(self, monitor: Monitor) -> None:
        """Let a monitor be sent its newest value."""
        self._waiting[monitor.subscription] = monitor
        self._wake.set()

    def holds(self, monitor: Monitor) -> bool:
        """Whether a monitor waits for its turn."""
        return monitor.subscription in self._waiting

    def forget(self, monitor: Monitor) -> None:
        """Send a monitor nothing any more."""
        self._waiting.pop(monitor.subscription, None)

    def notify(self, cid: int, notice: bytes) -> None:
        """Let the client be told about a channel (cid: its own number for it): its rights, or that it is gone."""
        self._notices[cid] = notice
        self._wake.set()

    def forget_notices(self, cid: int) -> None:
        """The client has closed the channel."""
        self._notices.pop(cid, None)

    def pause(self) -> None:
        """The client has asked for no events for now (CA_PROTO_EVENTS_OFF)."""
        self._flowing = False

    def resume(self) -> None:
        """The client takes events again (CA_PROTO_EVENTS_ON)."""
        self._flowing = True
        self._wake.set()

    async def run(self, outlet: Outlet) -> None:
        """Send until cancelled. Raises OSError when the connection is lost."""
        while True:
            await self._wake.wait()
            # What is published in one go is sent in one go.
            await asyncio.sleep(0)
            self._wake.clear()
            while self._notices or (self._waiting and self._flowing):
                await self._sharing.next()
                await outlet.send(self._some_notices() if self._notices else await self._batch())

    def _some_notices(self) -> bytes:
        taken = [self._notices.pop(cid) for cid in list(islice(self._notices, BATCH_EVENTS))]
        return b"".join(taken)

    async def _batch(self) -> bytes:
        """The events of those monitors that have waited longest, as many as a slice of time allows."""
        events: list[bytes] = []
        size, slice_ = 0, TimeSlice()
        while self._waiting and len(events) < BATCH_EVENTS and size < BATCH_BYTES and not slice_.over:
            monitor = next(iter(self._waiting.values()))
            await monitor.pv.refresh_deferred()
            if self._waiting.get(monitor.subscription) is monitor:
                del self._waiting[monitor.subscription]
                events.append(await monitor.event())
                size += len(events[-1])
        return b"".join(events)
