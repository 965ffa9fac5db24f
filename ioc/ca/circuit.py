"""One client of the control PVs: its channels, its monitors, and the requests it sends.

Requests are read by caproto; what it sends of its own accord (events) goes through the outbox. Puts
are carried out in order beside the reading, so that a put that takes long stops no other request.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import caproto as ca
import structlog
from caproto import ChannelType

from archioc.ioc.ca import messages
from archioc.ioc.ca.monitors import Monitors
from archioc.ioc.ca.open_views import MAX_VIEWS_OF_CLIENT, OpenViews
from archioc.ioc.ca.outbox import Monitor, Outbox
from archioc.ioc.ca.put_queue import PutQueue
from archioc.ioc.ca.pv import PV
from archioc.ioc.ca.request_stream import BadRequest, RequestStream, StreamBroken
from archioc.ioc.ca.served_channel import ServedChannel
from archioc.ioc.ca.serving import Serving
from archioc.ioc.ca.time_slice import TimeSlice
from archioc.ioc.peer import Peer

READ_BYTES = 16384
SEND_BUFFER_BYTES = 2**18
"""What the kernel keeps for a client that does not read; what is beyond waits here, and of each monitor only the newest value."""

CLAIMED_LETTERS = 255
"""Of the names that a client gives of its host and its user so much is kept."""

_PUTS = frozenset({ca.WriteRequest.ID, ca.WriteNotifyRequest.ID})

log = structlog.get_logger()


class Circuit:
    """A connection with a client."""

    def __init__(self, serving: Serving, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving, self._reader, self._writer = serving, reader, writer
        address, port = writer.get_extra_info("peername")[:2]
        self.peer = Peer(address, port)
        self._stream = RequestStream()
        self._channels: dict[int, ServedChannel] = {}
        self._views = OpenViews()
        self._outbox = Outbox(serving.sharing)
        self._monitors = Monitors(self._outbox)
        self._puts = PutQueue(serving, lambda: self.peer, self._answer_put)
        self._next_sid = 1
        self._tasks: list[asyncio.Task[None]] = []
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._answers: dict[type, Callable[[Any], Any]] = {
            ca.VersionRequest: self._version,
            ca.HostNameRequest: self._host_name,
            ca.ClientNameRequest: self._client_name,
            ca.SearchRequest: self._search,
            ca.CreateChanRequest: self._create_channel,
            ca.ClearChannelRequest: self._clear_channel,
            ca.ReadNotifyRequest: self._read,
            ca.ReadRequest: self._read,
            ca.WriteNotifyRequest: self._write,
            ca.WriteRequest: self._write,
            ca.EventAddRequest: self._add_monitor,
            ca.EventCancelRequest: self._cancel_monitor,
            ca.EventsOnRequest: self._events_on,
            ca.EventsOffRequest: self._events_off,
            ca.EchoRequest: self._echo,
            BadRequest: self._bad_request,
        }

    async def run(self) -> None:
        """Serve until the client goes away."""
        works = (self._read_requests(), self._outbox.run(self._writer), self._puts.run())
        self._tasks = tasks = [asyncio.create_task(work) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            # A client may put and go: what it has put is carried out.
            tasks.append(asyncio.create_task(self._puts.all_done()))
            await asyncio.wait(tasks[-2:], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            self._writer.close()
            await self._forget_all()
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
                raise outcome

    def close(self) -> None:
        """Disconnect the client; `run` then ends."""
        for task in self._tasks:
            task.cancel()

    async def _forget_all(self) -> None:
        slice_ = TimeSlice(self._serving.sharing)
        while self._channels:
            self._close_channel(next(reversed(self._channels.values())))
            await slice_.give_way()
        self._answers.clear()  # they hold this circuit in a cycle, which no collection may look at any more

    def _send(self, data: bytes) -> None:
        if data and not self._writer.is_closing():
            self._writer.write(data)

    async def _read_requests(self) -> None:
        while data := await self._reader.read(READ_BYTES):
            try:
                slice_ = TimeSlice(self._serving.sharing)
                for command in self._stream.feed(data):
                    await slice_.give_way()
                    answer = self._answers.get(type(command))
                    if answer is None:
                        log.debug("request_ignored", peer=self.peer.address, request=type(command).__name__)
                        continue
                    await answer(command)
            except StreamBroken as error:
                log.warning("client_broke_protocol", peer=self.peer.address, reason=str(error))
                return
            await self._writer.drain()

    async def send_rights(self) -> None:
        """Tell the client anew what it may write."""
        async for channel in self._each_channel():
            if channel.pv.spec.access != "read":
                write = self._serving.may_write(channel.pv, self.peer)
                self._send(messages.access_rights(channel.cid, read=True, write=write))

    async def drop(self, gone: Callable[[PV], bool]) -> None:
        """Take channels from the client whose PVs are no longer there."""
        async for channel in self._each_channel():
            if gone(channel.pv):
                self._close_channel(channel)
                self._send(messages.channel_gone(channel.cid))

    async def _each_channel(self) -> AsyncIterator[ServedChannel]:
        """The channels that are open now, without those that are closed before their turn comes."""
        slice_ = TimeSlice(self._serving.sharing)
        for sid in list(self._channels):
            await slice_.give_way()
            channel = self._channels.get(sid)
            if channel is not None and not self._writer.is_closing():
                yield channel

    async def _version(self, _: Any) -> None:
        self._send(messages.version_over_tcp())

    async def _host_name(self, command: Any) -> None:
        self.peer = Peer(self.peer.address, self.peer.port, _name(command)[:CLAIMED_LETTERS], self.peer.user)

    async def _client_name(self, command: Any) -> None:
        self.peer = Peer(self.peer.address, self.peer.port, self.peer.host, _name(command)[:CLAIMED_LETTERS])

    async def _search(self, command: Any) -> None:
        if self._serving.names.has(_name(command)):
            self._send(messages.search_reply(self._serving.tcp_port, command.cid))
        elif command.reply == ca.DO_REPLY:
            self._send(messages.not_found(command.cid))

    async def _create_channel(self, command: Any) -> None:
        try:
            pv, long_string = await self._serving.names.open(_name(command))
        except KeyError:
            self._send(messages.channel_refused(command.cid))
            return
        if not self._views.admit(pv):
            log.warning("too_many_views", peer=self.peer.address, pv=pv.name, views=MAX_VIEWS_OF_CLIENT)
            self._send(messages.channel_refused(command.cid))
            return
        channel = ServedChannel(self._next_sid, command.cid, pv, long_string)
        self._next_sid += 1
        self._channels[channel.sid] = channel
        write = self._serving.may_write(pv, self.peer)
        self._send(
            messages.access_rights(channel.cid, read=True, write=write)
            + messages.channel_created(channel.cid, channel.sid, int(channel.data_type), channel.count)
        )

    async def _clear_channel(self, command: Any) -> None:
        channel = self._channels.get(command.sid)
        if channel is not None:
            self._close_channel(channel)
        self._send(messages.channel_cleared(command.sid, command.cid))

    def _close_channel(self, channel: ServedChannel) -> None:
        del self._channels[channel.sid]
        self._views.leave(channel.pv)
        self._monitors.end_of_channel(channel.sid)

    async def _read(self, command: Any) -> None:
        channel = self._channels.get(command.sid)
        if channel is None:
            return  # it was taken from the client a moment ago
        if command.data_count > channel.count:
            self._refuse_count(channel, command)
            return
        await self._puts.settled()
        try:
            if channel.pv.refresh is not None:
                await channel.pv.refresh(channel.pv)
            count, payload = await channel.pv.encoded(command.data_type, command.data_count, long_string=channel.long_string)
        except (ca.CaprotoError, ValueError, OverflowError) as error:
            self._send(messages.error(bytes(command.header), channel.cid, messages.ECA_NOCONVERT, f"{channel.pv.name}: {error}"))
            return
        notify = isinstance(command, ca.ReadNotifyRequest)
        first = messages.ECA_NORMAL if notify else channel.cid
        self._send(messages.message(command.ID, payload, int(command.data_type), count, first, command.ioid))

    def _refuse_count(self, channel: ServedChannel, command: Any) -> None:
        text = f"{channel.pv.name}: has at most {channel.count} elements, not {command.data_count}"
        self._send(messages.error(bytes(command.header), channel.cid, messages.ECA_BADCOUNT, text))

    async def _write(self, command: Any) -> None:
        channel = self._channels.get(command.sid)
        if channel is not None:
            await self._puts.add(channel, command, notify=isinstance(command, ca.WriteNotifyRequest))

    async def _answer_put(self, answer: bytes) -> None:
        self._send(answer)
        with contextlib.suppress(OSError):  # the client is gone; what it has put goes on
            await self._writer.drain()

    async def _bad_request(self, bad: BadRequest) -> None:
        channel = self._channels.get(bad.sid)
        if channel is not None and bad.ID in _PUTS:
            await self._puts.add(channel, bad, notify=False)
            return
        log.debug("request_refused", peer=self.peer.address, request=bad.ID, reason=bad.reason)
        self._send(messages.error(bad.header, channel.cid if channel else 0, bad.status, bad.reason))

    async def _add_monitor(self, command: Any) -> None:
        channel = self._channels.get(command.sid)
        if channel is None:
            return
        try:
            data_type, mask = ChannelType(command.data_type), int(command.mask)
        except ValueError as error:
            self._send(messages.error(bytes(command.header), channel.cid, messages.ECA_BADTYPE, f"{channel.pv.name}: {error}"))
            return
        if command.data_count > channel.count:
            self._refuse_count(channel, command)
            return
        await self._puts.settled()
        pv = channel.pv
        monitor = Monitor(
            self._outbox,
            command.subscriptionid,
            channel.sid,
            pv,
            data_type,
            command.data_count,
            mask,
            channel.long_string,
        )
        self._monitors.add(monitor)
        if pv.refresh is not None:
            await pv.refresh(pv)
        self._outbox.post(monitor)

    async def _cancel_monitor(self, command: Any) -> None:
        self._monitors.end(command.subscriptionid)
        self._send(messages.monitor_cancelled(command.header.data_type, command.sid, command.subscriptionid))

    async def _events_on(self, _: Any) -> None:
        self._outbox.resume()

    async def _events_off(self, _: Any) -> None:
        self._outbox.pause()

    async def _echo(self, _: Any) -> None:
        self._send(messages.echo())


def _name(command: Any) -> str:
    """A name that a request carries; of names beyond ASCII clients send UTF-8."""
    return bytes(command.buffers[1]).split(b"\0", 1)[0].decode(errors="replace")
