"""One client of the control PVs: its channels, its monitors, and the requests it sends.

Requests are read by caproto; what it sends of its own accord (events) goes through the outbox. Puts
are carried out in order beside the reading, so that a put that takes long stops no other request.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import caproto as ca
import structlog
from caproto import ChannelType

from archioc.core.errors import ArchiocError, CommandRefused
from ioc import messages
from ioc.audit import Peer
from ioc.delivery import Monitor, Outbox
from ioc.open_views import MAX_VIEWS_OF_CLIENT, OpenViews
from ioc.put_value import read_put
from ioc.pv import LONG_STRING_BYTES

if TYPE_CHECKING:
    from ioc.pv import PV
    from ioc.server import ControlServer

READ_BYTES = 16384
SLICE_REQUESTS = 50
"""Requests answered between two looks at the event loop (some 100 us each)."""

QUEUED_PUTS = 1000
"""Puts that wait; when there are more, nothing more is read from this client until one is done."""

READ_AFTER_PUT_S = 0.25
"""How long a read waits for the puts before it, so that a client sees what it has just put."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, eq=False)
class ServedChannel:
    """A channel that a client has open. long_string: asked for with `$` at its end."""

    sid: int
    cid: int
    pv: PV
    long_string: bool

    @property
    def data_type(self) -> ChannelType:
        """DBR type as the client is told."""
        return ChannelType.CHAR if self.long_string and self.pv.native == ChannelType.STRING else self.pv.native

    @property
    def count(self) -> int:
        """Elements as the client is told."""
        return LONG_STRING_BYTES if self.data_type != self.pv.native else self.pv.spec.count


class Circuit:
    """A connection with a client."""

    def __init__(self, server: ControlServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        address, port = writer.get_extra_info("peername")[:2]
        self.peer = Peer(address, port)
        self._parser = ca.VirtualCircuit(ca.SERVER, (address, port), None)
        self._channels: dict[int, ServedChannel] = {}
        self._monitors: dict[int, Monitor] = {}
        self._views = OpenViews()
        self._outbox = Outbox()
        self._puts: asyncio.Queue[tuple[ServedChannel, Any, bool, float]] = asyncio.Queue(QUEUED_PUTS)
        self._puts_done = asyncio.Event()
        self._puts_done.set()
        self._next_sid = 1
        self._tasks: list[asyncio.Task[None]] = []
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
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
        }

    async def run(self) -> None:
        """Serve until the client goes away."""
        works = (self._read_requests(), self._outbox.run(self._writer), self._carry_out_puts())
        self._tasks = tasks = [asyncio.create_task(work) for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            self._forget_all()
            self._writer.close()
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
                raise outcome

    def close(self) -> None:
        """Disconnect the client; `run` then ends."""
        for task in self._tasks:
            task.cancel()

    def _forget_all(self) -> None:
        for monitor in self._monitors.values():
            monitor.pv.remove_monitor(monitor)
        self._monitors.clear()
        self._channels.clear()

    async def _read_requests(self) -> None:
        while data := await self._reader.read(READ_BYTES):
            try:
                commands, _ = self._parser.recv(data)
            except (ca.CaprotoError, LookupError, ValueError) as error:
                # caproto looks the type up while it parses; what follows in the stream cannot be trusted.
                log.warning("client_broke_protocol", peer=self.peer.address, reason=repr(error).splitlines()[0])
                return
            for number, command in enumerate(commands, 1):
                if number % SLICE_REQUESTS == 0:
                    await asyncio.sleep(0)
                answer = self._answers.get(type(command))
                if answer is None:
                    log.debug("request_ignored", peer=self.peer.address, request=type(command).__name__)
                    continue
                await answer(command)
            await self._writer.drain()

    def tell_rights(self) -> None:
        """Tell the client anew what it may write."""
        for channel in self._channels.values():
            if channel.pv.spec.access != "read":
                write = self._server.may_write(channel.pv, self.peer)
                self._writer.write(messages.access_rights(channel.cid, read=True, write=write))

    def drop(self, gone: Callable[[PV], bool]) -> None:
        """Take channels from the client whose PVs are no longer there."""
        for channel in [channel for channel in self._channels.values() if gone(channel.pv)]:
            self._close_channel(channel)
            self._writer.write(messages.channel_gone(channel.cid))

    async def _version(self, command: Any) -> None:
        self._parser.protocol_version = min(self._parser.protocol_version, command.version)
        self._writer.write(messages.version_over_tcp())

    async def _host_name(self, command: Any) -> None:
        self.peer = Peer(self.peer.address, self.peer.port, str(command.name), self.peer.user)

    async def _client_name(self, command: Any) -> None:
        self.peer = Peer(self.peer.address, self.peer.port, self.peer.host, str(command.name))

    async def _search(self, command: Any) -> None:
        if self._server.database.has(command.name):
            self._writer.write(messages.search_reply(self._server.tcp_port, command.cid))
        elif command.reply == ca.DO_REPLY:
            self._writer.write(messages.not_found(command.cid))

    async def _create_channel(self, command: Any) -> None:
        try:
            pv, long_string = await self._server.database.open(command.name)
        except KeyError:
            self._writer.write(messages.channel_refused(command.cid))
            return
        if not self._views.admit(pv):
            log.warning("too_many_views", peer=self.peer.address, pv=pv.name, views=MAX_VIEWS_OF_CLIENT)
            self._writer.write(messages.channel_refused(command.cid))
            return
        channel = ServedChannel(self._next_sid, command.cid, pv, long_string)
        self._next_sid += 1
        self._channels[channel.sid] = channel
        write = self._server.may_write(pv, self.peer)
        self._writer.write(
            messages.access_rights(channel.cid, read=True, write=write)
            + messages.channel_created(channel.cid, channel.sid, int(channel.data_type), channel.count)
        )

    async def _clear_channel(self, command: Any) -> None:
        channel = self._channels.get(command.sid)
        if channel is not None:
            self._close_channel(channel)
        self._writer.write(messages.channel_cleared(command.sid, command.cid))

    def _close_channel(self, channel: ServedChannel) -> None:
        del self._channels[channel.sid]
        self._views.leave(channel.pv)
        for monitor in [monitor for monitor in self._monitors.values() if monitor.sid == channel.sid]:
            self._end_monitor(monitor)

    def _end_monitor(self, monitor: Monitor) -> None:
        del self._monitors[monitor.subscription]
        monitor.pv.remove_monitor(monitor)
        self._outbox.forget(monitor)

    async def _read(self, command: Any) -> None:
        channel = self._channels.get(command.sid)
        if channel is None:
            return  # it was taken from the client a moment ago
        await self._after_puts()
        try:
            if channel.pv.refresh is not None:
                await channel.pv.refresh(channel.pv)
            count, payload = await channel.pv.encoded(command.data_type, command.data_count, long_string=channel.long_string)
        except (ca.CaprotoError, ValueError, OverflowError) as error:
            self._writer.write(messages.error(bytes(command.header), channel.cid, messages.ECA_NOCONVERT, f"{channel.pv.name}: {error}"))
            return
        notify = isinstance(command, ca.ReadNotifyRequest)
        first = messages.ECA_NORMAL if notify else channel.cid
        self._writer.write(messages.message(command.ID, payload, int(command.data_type), count, first, command.ioid))

    async def _after_puts(self) -> None:
        if not self._puts_done.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._puts_done.wait(), READ_AFTER_PUT_S)

    async def _write(self, command: Any) -> None:
        channel = self._channels.get(command.sid)
        if channel is not None:
            self._puts_done.clear()
            await self._puts.put((channel, command, isinstance(command, ca.WriteNotifyRequest), time.monotonic()))

    async def _carry_out_puts(self) -> None:
        while True:
            channel, command, notify, arrived = await self._puts.get()
            try:
                await self._put(channel, command, arrived, notify=notify)
                await self._writer.drain()
            finally:
                if self._puts.empty():
                    self._puts_done.set()

    async def _put(self, channel: ServedChannel, command: Any, arrived: float, *, notify: bool) -> None:
        pv, status = channel.pv, messages.ECA_PUTFAIL
        try:
            data, payload = command.data, bytes(command.buffers[1])
        except (ca.CaprotoError, ValueError) as error:
            text = f"{pv.name}: the put cannot be decoded: {error}"
            self._writer.write(messages.error(bytes(command.header), channel.cid, messages.ECA_BADTYPE, text))
            return
        try:
            if not self._server.may_write(pv, self.peer) or pv.writer is None:
                status = messages.ECA_NOWTACCESS
                raise await self._server.control.forbid(pv.name, _shown(command), self.peer)
            try:
                value = read_put(command.data_type, data, payload, arrived)
            except CommandRefused as error:
                if pv.spec.access == "anyone":
                    raise
                raise await self._server.control.refuse_unreadable(pv.name, _shown(command), error, self.peer) from None
            await pv.writer(pv, value, self.peer)
        except ArchiocError as error:
            self._writer.write(messages.error(bytes(command.header), channel.cid, status, str(error)))
        else:
            if notify:
                self._writer.write(messages.put_done(int(command.data_type), command.data_count, command.ioid))

    async def _add_monitor(self, command: Any) -> None:
        channel = self._channels.get(command.sid)
        if channel is None:
            return
        try:
            data_type = ChannelType(command.data_type)
        except ValueError as error:
            self._writer.write(messages.error(bytes(command.header), channel.cid, messages.ECA_BADTYPE, f"{channel.pv.name}: {error}"))
            return
        await self._after_puts()
        pv = channel.pv
        known = self._monitors.get(command.subscriptionid)
        if known is not None:
            self._end_monitor(known)
        monitor = Monitor(
            self._outbox,
            command.subscriptionid,
            channel.sid,
            pv,
            data_type,
            command.data_count,
            int(command.mask),
            channel.long_string,
        )
        self._monitors[monitor.subscription] = monitor
        pv.add_monitor(monitor)
        if pv.refresh is not None:
            await pv.refresh(pv)
        self._outbox.post(monitor)

    async def _cancel_monitor(self, command: Any) -> None:
        monitor = self._monitors.get(command.subscriptionid)
        if monitor is not None:
            self._end_monitor(monitor)
        self._writer.write(messages.monitor_cancelled(int(command.data_type), command.sid, command.subscriptionid))

    async def _events_on(self, _: Any) -> None:
        self._outbox.resume()

    async def _events_off(self, _: Any) -> None:
        self._outbox.pause()

    async def _echo(self, _: Any) -> None:
        self._writer.write(messages.echo())


def _shown(command: Any) -> str:
    """What a put would have written, for the audit."""
    return bytes(command.buffers[1]).rstrip(b"\0").decode("latin-1") if command.data_type in (0, 4) else str(list(command.data))
