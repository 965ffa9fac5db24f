"""The puts of one client: carried out in order, beside its other requests, so that a put that takes long stops none of these."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from caproto import ChannelType

from archioc.core.errors import ArchiocError
from archioc.ioc.ca import messages
from archioc.ioc.ca.put_value import PutUnreadable, PutValue, read_put, shown_put
from archioc.ioc.ca.request_stream import BadRequest
from archioc.ioc.ca.served_channel import ServedChannel
from archioc.ioc.ca.serving import Serving
from archioc.ioc.peer import Peer

QUEUED_PUTS, QUEUED_BYTES = 200, 2**20
"""Puts that wait, and their bytes (1 MB); when there is more, nothing more is read from this client until one is done."""

READ_AFTER_PUT_S = 0.25
"""How long a read waits for the puts before it, so that a client sees what it has just put."""


@dataclass(frozen=True, slots=True)
class _Put:
    """A write request, or one that cannot be read. notify: the client waits for an answer. arrived: when it was received (s, monotonic)."""

    channel: ServedChannel
    command: Any
    notify: bool
    arrived: float

    @property
    def size(self) -> int:
        return 0 if isinstance(self.command, BadRequest) else len(self.command.buffers[1])

    @property
    def as_text(self) -> bool:
        """Whether the client takes the PV for an array of characters: numbers are character codes then."""
        return bool(self.channel.data_type == ChannelType.CHAR)

    def value(self) -> PutValue:
        """What is to be written. Raises PutUnreadable."""
        if isinstance(self.command, BadRequest):
            raise PutUnreadable(self.command.status, f"{self.command.reason}; nothing was changed")
        header, payload = self.command.header, bytes(self.command.buffers[1])
        return read_put(header.data_type, self.command.data_count, payload, self.arrived, as_text=self.as_text)

    def shown(self) -> str:
        """What would have been written, for the audit."""
        if isinstance(self.command, BadRequest):
            return ""
        header, payload = self.command.header, bytes(self.command.buffers[1])
        return shown_put(header.data_type, self.command.data_count, payload, as_text=self.as_text)


class PutQueue:
    """Puts that wait for their turn. peer: who the client says it is by now; answer: sends it something, unless it has gone."""

    def __init__(self, serving: Serving, peer: Callable[[], Peer], answer: Callable[[bytes], Awaitable[None]]) -> None:
        self._serving, self._peer, self._answer = serving, peer, answer
        self._waiting: deque[_Put] = deque()
        self._bytes = 0
        self._changed = asyncio.Condition()
        self._done = asyncio.Event()
        self._done.set()

    async def add(self, channel: ServedChannel, command: Any, *, notify: bool) -> None:
        """Let a put wait for its turn; waits itself while QUEUED_PUTS others do, or QUEUED_BYTES of them."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._waiting) < QUEUED_PUTS and self._bytes < QUEUED_BYTES)
            put = _Put(channel, command, notify, time.monotonic())
            self._waiting.append(put)
            self._bytes += put.size
            self._done.clear()
            self._changed.notify_all()

    async def settled(self) -> None:
        """Wait, but not for long, until all puts so far are done."""
        if not self._done.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._done.wait(), READ_AFTER_PUT_S)

    async def all_done(self) -> None:
        """Wait until all puts so far are done."""
        await self._done.wait()

    async def run(self) -> None:
        """Carry out puts until cancelled."""
        while True:
            put = await self._next()
            try:
                await self._serving.audit.make_room_for_notes()
                if not self._serving.has_rights(self._peer()):
                    await self._serving.put_rate.wait(self._peer().address)
                await self._answer(await self._carry_out(put))
            finally:
                if not self._waiting:
                    self._done.set()

    async def _next(self) -> _Put:
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting))
            put = self._waiting.popleft()
            self._bytes -= put.size
            self._changed.notify_all()
        return put

    async def _carry_out(self, put: _Put) -> bytes:
        """The answer, empty where none is due."""
        pv, peer = put.channel.pv, self._peer().putting_to(put.channel.pv.view)
        status, audit = messages.ECA_PUTFAIL, self._serving.audit
        try:
            if not self._serving.may_write(pv, peer) or pv.writer is None:
                status = messages.ECA_NOWTACCESS
                raise await audit.forbid(pv.name, put.shown(), peer)
            try:
                value = put.value()
            except PutUnreadable as error:
                status = error.status
                if pv.spec.access == "anyone":
                    raise
                raise await audit.refuse_unreadable(pv.name, put.shown(), error, peer) from None
            await pv.writer(pv, value, peer)
        except ArchiocError as error:
            return messages.put_refused(put.command, put.channel.cid, status, str(error), notify=put.notify)
        command = put.command
        return messages.put_done(command.data_type, command.data_count, command.ioid) if put.notify else b""
