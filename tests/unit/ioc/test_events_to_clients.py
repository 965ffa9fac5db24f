from __future__ import annotations

import asyncio
import socket
import struct

from caproto import ChannelType

from archioc.core.dbr import Dbr
from archioc.ioc.ca.limits.time_slice import LoopSharing
from archioc.ioc.ca.outbox import Monitor, Outbox
from archioc.ioc.ca.outlet import Outlet
from archioc.ioc.ca.pv import PV, Event, PvSpec

EVENT_BYTES = 24
BUFFER_BYTES = 4096


class Watched:
    """A PV that follows `now`, with a monitor of a client that reads only when it is told to."""

    def __init__(self) -> None:
        self.now, self.shown = 0.0, 0
        self.pv = PV("P:X", PvSpec(Dbr.DOUBLE, "a number"), refresh=self.refresh)
        ours, self.client = socket.socketpair()
        for end in (ours, self.client):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
            end.setblocking(False)
        self._ours = ours

    async def refresh(self, pv: PV) -> None:
        self.shown += 1
        await pv.show(self.now)

    async def change(self) -> None:
        """As its owner does it when the number has changed."""
        self.now += 1
        if not self.pv.defer():
            await self.refresh(self.pv)

    async def serve(self) -> None:
        _, self.writer = await asyncio.open_connection(sock=self._ours)
        outbox = Outbox(LoopSharing(), ("127.0.0.1", 1))
        self.monitor = Monitor(outbox, 1, 1, self.pv, ChannelType.DOUBLE, 1, Event.VALUE, long_string=False)
        self.pv.add_monitor(self.monitor)
        self.sending = asyncio.create_task(outbox.run(Outlet(self.writer, lambda: None)))

    async def received(self) -> float:
        """The next number that the client is sent."""
        loop, data = asyncio.get_running_loop(), b""
        async with asyncio.timeout(5):
            while len(data) < EVENT_BYTES:
                data += await loop.sock_recv(self.client, EVENT_BYTES - len(data))
        return float(struct.unpack(">d", data[16:24])[0])

    async def close(self) -> None:
        self.sending.cancel()
        self.writer.transport.abort()
        self.client.close()
        await asyncio.gather(self.sending, return_exceptions=True)


async def deaf_until_put_off(watched: Watched) -> None:
    async with asyncio.timeout(20):
        while not watched.pv.defer():
            await watched.change()
            for _ in range(5):
                await asyncio.sleep(0)


def test_who_does_not_read_is_shown_nothing() -> None:
    """Once the only client of a PV takes nothing more, changes are not worked out; when it reads again, its last event is the newest."""

    async def run() -> None:
        watched = Watched()
        await watched.serve()
        await deaf_until_put_off(watched)
        shown = watched.shown
        for _ in range(100):
            await watched.change()
        assert watched.shown == shown
        numbers = [await watched.received()]
        while numbers[-1] != watched.now:
            numbers.append(await watched.received())
        assert numbers == sorted(set(numbers))
        assert watched.shown == shown + 1
        await watched.close()

    asyncio.run(run())


def test_who_follows_a_field_is_shown_all() -> None:
    """A PV whose monitors wait is brought up to date all the same when a field of it is looked at."""

    async def run() -> None:
        watched, followed = Watched(), []
        await watched.serve()
        await deaf_until_put_off(watched)

        async def follow(field: PV) -> None:
            followed.append(watched.now)

        watched.pv.add_follower(PV("P:X.STAT", PvSpec(Dbr.DOUBLE, "a field")), follow)
        await watched.change()
        assert followed == [watched.now]
        await watched.close()

    asyncio.run(run())
