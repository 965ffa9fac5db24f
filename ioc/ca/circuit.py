"""One client of the control PVs: its channels, its monitors, and the requests it sends.

Requests are read by caproto; what it sends of its own accord (events) goes through the outbox. Puts
are carried out in order beside the reading, so that a put that takes long stops no other request.
Whatever is sent goes through the outlet, so nothing more is read of a client that does not take its answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import caproto as ca
import structlog
from caproto import ChannelType

from archioc.core.machine.rate_limited_log import RateLimitedLog
from archioc.core.printable import only_printable
from archioc.ioc.ca import messages
from archioc.ioc.ca.client_channels import ClientChannels
from archioc.ioc.ca.limits.time_slice import TimeSlice
from archioc.ioc.ca.monitors import Monitors
from archioc.ioc.ca.outbox import Monitor, Outbox
from archioc.ioc.ca.outlet import Outlet
from archioc.ioc.ca.put_queue import PutQueue
from archioc.ioc.ca.pv import PV
from archioc.ioc.ca.request_stream import BadRequest, RequestStream, StreamBroken
from archioc.ioc.ca.served_channel import ServedChannel
from archioc.ioc.ca.serving import Serving
from archioc.ioc.peer import Peer

READ_BYTES = 16384
SEND_BUFFER_BYTES = 2**18
"""What the kernel keeps for a client that does not read; what is beyond waits here, and of each monitor only the newest value."""

VERSION_S = 10.0
"""How long a client may take to say its version, which every client library does first."""

CLAIMED_LETTERS = 255
"""Of the names that a client gives of its host and its user so much is kept."""

_PUTS = frozenset({ca.WriteRequest.ID, ca.WriteNotifyRequest.ID})
_TYPES = frozenset(map(int, ChannelType))
_GONE = "the channel is not open: it has been closed, or its PV is no longer there"

log, limited_log = structlog.get_logger(), RateLimitedLog()


class Circuit:
    """A connection with a client at `peer`."""

    def __init__(self, serving: Serving, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer) -> None:
        self._serving, self._reader, self._outlet = serving, reader, Outlet(writer, serving.backlog.check)
        self.peer = peer
        self._stream = RequestStream()
        self._outbox = Outbox(serving.sharing, peer.connection)
        self._monitors = Monitors(self._outbox, serving.monitors, peer.address)
        self._channels = ClientChannels(serving.channels, serving.sharing, self._monitors, self._outbox, peer.address)
        self._puts = PutQueue(serving, lambda: self.peer, self._answer_put)
        self._said_version = self._ended = False
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

    @property
    def address(self) -> str:
        """Where it comes from."""
        return self.peer.address

    @property
    def is_unused(self) -> bool:
        """Whether its client has opened no channel."""
        return not len(self._channels)

    @property
    def waiting_bytes(self) -> int:
        """What its client has not taken yet."""
        return self._outlet.waiting_bytes

    async def run(self) -> None:
        """Serve until the client goes away."""
        works = (self._read_requests(), self._outbox.run(self._outlet), self._puts.run())
        self._tasks = tasks = [asyncio.create_task(work) for work in works]
        hurry = asyncio.get_running_loop().call_later(VERSION_S, self._end_if_silent)
        try:
            if self._ended:
                return
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            # A client may put and go: what it has put is carried out.
            tasks.append(asyncio.create_task(self._puts.all_done()))
            await asyncio.wait(tasks[-2:], return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            self._outlet.close()
            await self._channels.close_all()
            self._answers.clear()  # they hold this circuit in a cycle, which no collection may look at any more
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
                raise outcome

    def close(self) -> None:
        """Disconnect the client; `run` then ends."""
        self._ended = True
        for task in self._tasks:
            task.cancel()

    def cut(self) -> None:
        """End it at once; what waits for the client is thrown away."""
        self._outlet.cut()
        self.close()

    def _end_if_silent(self) -> None:
        if not self._said_version:
            limited_log.warning("client_without_version", peer=self.peer.address, seconds=VERSION_S)
            self.close()

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
                limited_log.warning("client_broke_protocol", peer=self.peer.address, reason=str(error))
                return

    async def send_rights(self) -> None:
        """Tell the client anew what it may write."""
        await self._channels.send_rights(lambda pv: self._serving.may_write(pv, self.peer))

    async def drop(self, gone: Callable[[PV], bool]) -> None:
        """Take channels from the client whose PVs are no longer there."""
        await self._channels.drop(gone)

    async def _version(self, _: Any) -> None:
        self._said_version = True
        await self._outlet.send(messages.version_over_tcp())

    async def _host_name(self, command: Any) -> None:
        self.peer = Peer(self.peer.address, self.peer.port, _claimed(command), self.peer.user)

    async def _client_name(self, command: Any) -> None:
        self.peer = Peer(self.peer.address, self.peer.port, self.peer.host, _claimed(command))

    async def _search(self, command: Any) -> None:
        if self._serving.names.has(_name(command)):
            await self._outlet.send(messages.search_reply(self._serving.tcp_port, command.cid))
        elif command.reply == ca.DO_REPLY:
            await self._outlet.send(messages.not_found(command.cid))

    async def _create_channel(self, command: Any) -> None:
        try:
            pv, long_string = await self._serving.names.open(_name(command))
        except KeyError:
            await self._outlet.send(messages.channel_refused(command.cid))
            return
        channel = self._channels.open(command.cid, pv, long_string)
        if channel is None:
            await self._outlet.send(messages.channel_refused(command.cid))
            return
        write = self._serving.may_write(pv, self.peer)
        await self._outlet.send(
            messages.access_rights(channel.cid, read=True, write=write)
            + messages.channel_created(channel.cid, channel.sid, int(channel.data_type), channel.count)
        )

    async def _clear_channel(self, command: Any) -> None:
        channel = self._channels.get(command.sid)
        if channel is not None:
            self._channels.close(channel)
        await self._outlet.send(messages.channel_cleared(command.sid, command.cid))

    async def _read(self, command: Any) -> None:
        channel = self._channels.get(command.sid)
        if channel is None:
            await self._refuse_read(command, 0, messages.ECA_BADCHID, _GONE)
            return
        if command.header.data_type not in _TYPES:
            text = f"{channel.pv.name}: there is no type {command.header.data_type}"
            await self._outlet.send(messages.error(bytes(command.header), channel.cid, messages.ECA_BADTYPE, text))
            return
        if command.data_count > channel.count:
            await self._refuse_read(command, channel.cid, messages.ECA_BADCOUNT, _too_many(channel, command))
            return
        await self._puts.settled()
        try:
            if channel.pv.refresh is not None:
                await channel.pv.refresh(channel.pv)
            count, payload = await channel.pv.encoded(command.data_type, command.data_count, long_string=channel.long_string)
        except (ca.CaprotoError, ValueError, OverflowError) as error:
            await self._refuse_read(command, channel.cid, messages.ECA_NOCONVERT, f"{channel.pv.name}: {error}")
            return
        first = messages.ECA_NORMAL if command.ID == ca.ReadNotifyRequest.ID else channel.cid
        await self._outlet.send(messages.message(command.ID, payload, int(command.data_type), count, first, command.ioid))

    async def _refuse_read(self, command: Any, cid: int, status: int, text: str) -> None:
        await self._outlet.send(messages.read_refused(command, cid, status, text, notify=command.ID == ca.ReadNotifyRequest.ID))

    async def _write(self, command: Any) -> None:
        channel, notify = self._channels.get(command.sid), command.ID == ca.WriteNotifyRequest.ID
        if channel is not None:
            await self._puts.add(channel, command, notify=notify)
        else:
            await self._outlet.send(messages.put_refused(command, 0, messages.ECA_BADCHID, _GONE, notify=notify))

    async def _answer_put(self, answer: bytes) -> None:
        with contextlib.suppress(OSError):  # the client is gone; what it has put goes on
            await self._outlet.send(answer)

    async def _bad_request(self, bad: BadRequest) -> None:
        if bad.ID in _PUTS:
            await self._write(bad)
            return
        log.debug("request_refused", peer=self.peer.address, request=bad.ID, reason=bad.reason)
        channel = self._channels.get(bad.sid)
        await self._outlet.send(messages.error(bad.header, channel.cid if channel else 0, bad.status, bad.reason))

    async def _add_monitor(self, command: Any) -> None:
        channel = self._channels.get(command.sid)
        if channel is None:
            await self._outlet.send(messages.error(bytes(command.header), 0, messages.ECA_BADCHID, _GONE))
            return
        pv = channel.pv
        header, number, count = bytes(command.header), command.subscriptionid, command.data_count
        try:
            data_type, mask = ChannelType(command.data_type), int(command.mask)
        except ValueError as error:
            await self._outlet.send(messages.error(header, channel.cid, messages.ECA_BADTYPE, f"{pv.name}: {error}"))
            return
        if count > channel.count:
            await self._outlet.send(messages.error(header, channel.cid, messages.ECA_BADCOUNT, _too_many(channel, command)))
            return
        await self._puts.settled()
        if refused := self._monitors.add(Monitor(self._outbox, number, channel.sid, pv, data_type, count, mask, channel.long_string)):
            await self._outlet.send(messages.error(header, channel.cid, messages.ECA_ALLOCMEM, f"{pv.name}: {refused}"))
            return
        if pv.refresh is not None:
            await pv.refresh(pv)
        self._monitors.post(number)

    async def _cancel_monitor(self, command: Any) -> None:
        self._monitors.end(command.subscriptionid)
        await self._outlet.send(messages.monitor_cancelled(command.header.data_type, command.sid, command.subscriptionid))

    async def _events_on(self, _: Any) -> None:
        self._outbox.resume()

    async def _events_off(self, _: Any) -> None:
        self._outbox.pause()

    async def _echo(self, _: Any) -> None:
        await self._outlet.send(messages.echo())


def _too_many(channel: ServedChannel, command: Any) -> str:
    return f"{channel.pv.name}: has at most {channel.count} elements, not {command.data_count}"


def _name(command: Any) -> str:
    """A name that a request carries; of names beyond ASCII clients send UTF-8."""
    return bytes(command.buffers[1]).split(b"\0", 1)[0].decode(errors="replace")


def _claimed(command: Any) -> str:
    """What a client says of its host or user, as far as it can be printed: it gets into logs, lists and answers."""
    return only_printable(_name(command))[:CLAIMED_LETTERS]
