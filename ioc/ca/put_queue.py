"""The puts of one client: carried out in order, beside its other requests, so that a put that takes long stops none of these."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from archioc.core.errors import ArchiocError, CommandRefused
from archioc.ioc.ca import messages
from archioc.ioc.ca.put_value import PutValue, read_put, shown_put
from archioc.ioc.ca.request_stream import BadRequest
from archioc.ioc.ca.served_channel import ServedChannel
from archioc.ioc.ca.serving import Serving
from archioc.ioc.peer import Peer
from archioc.ioc.results import ResultCode

QUEUED_PUTS = 200
"""Puts that wait; when there are more, nothing more is read from this client until one is done. Each may hold 128 kB."""

READ_AFTER_PUT_S = 0.25
"""How long a read waits for the puts before it, so that a client sees what it has just put."""


@dataclass(frozen=True, slots=True)
class _Put:
    """A write request, or one that cannot be read. notify: the client waits for an answer. arrived: when it was received (s, monotonic)."""

    channel: ServedChannel
    command: Any
    notify: bool
    arrived: float

    def value(self) -> PutValue:
        """What is to be written. Raises CommandRefused."""
        if isinstance(self.command, BadRequest):
            raise CommandRefused(ResultCode.SYNTAX, f"{self.command.reason}; nothing was changed")
        return read_put(self.command.header.data_type, self.command.data_count, bytes(self.command.buffers[1]), self.arrived)

    def shown(self) -> str:
        """What would have been written, for the audit."""
        if isinstance(self.command, BadRequest):
            return ""
        return shown_put(self.command.header.data_type, self.command.data_count, bytes(self.command.buffers[1]))


class PutQueue:
    """Puts that wait for their turn. peer: who the client says it is by now; answer: sends it something, unless it has gone."""

    def __init__(self, serving: Serving, peer: Callable[[], Peer], answer: Callable[[bytes], Awaitable[None]]) -> None:
        self._serving, self._peer, self._answer = serving, peer, answer
        self._waiting: asyncio.Queue[_Put] = asyncio.Queue(QUEUED_PUTS)
        self._done = asyncio.Event()
        self._done.set()

    async def add(self, channel: ServedChannel, command: Any, *, notify: bool) -> None:
        """Let a put wait for its turn; waits itself while QUEUED_PUTS others do."""
        self._done.clear()
        await self._waiting.put(_Put(channel, command, notify, time.monotonic()))

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
            put = await self._waiting.get()
            try:
                await self._serving.audit.make_room_for_notes()
                await self._answer(await self._carry_out(put))
            finally:
                if self._waiting.empty():
                    self._done.set()

    async def _carry_out(self, put: _Put) -> bytes:
        """The answer, empty where none is due."""
        pv, command, peer = put.channel.pv, put.command, self._peer()
        status, audit = messages.ECA_PUTFAIL, self._serving.audit
        try:
            if not self._serving.may_write(pv, peer) or pv.writer is None:
                status = messages.ECA_NOWTACCESS
                raise await audit.forbid(pv.name, put.shown(), peer)
            try:
                value = put.value()
            except CommandRefused as error:
                if pv.spec.access == "anyone":
                    raise
                raise await audit.refuse_unreadable(pv.name, put.shown(), error, peer) from None
            await pv.writer(pv, value, peer)
        except ArchiocError as error:
            return messages.error(bytes(command.header), put.channel.cid, status, str(error))
        return messages.put_done(command.header.data_type, command.data_count, command.ioid) if put.notify else b""
