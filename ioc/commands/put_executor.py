"""Carries out puts: plan the change, commit it to disk, apply it to the channel table, publish the result.

One put at a time. A put that has begun ends, also when the client that sent it disconnects.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import replace
from typing import Any

import structlog

from archioc.core.errors import ArchiocError, CommandRefused, RegistryError
from archioc.core.printable import printable
from archioc.ioc.commands.apply_to_table import apply_change, free_slowly, names_gone
from archioc.ioc.commands.put_request import PutRequest
from archioc.ioc.commands.text_commands import refusal
from archioc.ioc.peer import Peer
from archioc.ioc.registry.audit import AuditEntry, as_line
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry
from archioc.ioc.results import NO_OUTCOME, Outcome, ResultCode

KEPT_CHANGES = 20

DROP_DELAY_S = 0.02
"""Clients see this long after that a channel is removed, so that a put to one of its PVs can complete."""

log = structlog.get_logger()


class PutExecutor:
    """Carries out puts, one at a time.

    outcome: of the last put of all, as the PVs `Result` and `ResultCode` show it.
    refused: puts refused for any reason. denied: those of them that were refused because of who sent them.
    changes: the newest puts that were carried out, newest first, a line each.
    """

    def __init__(self, registry: Registry, rows: ChannelRows) -> None:
        self._registry, self._rows = registry, rows
        self._lock = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._on_removed: Callable[[Collection[str], Collection[str]], None] = lambda _channels, _groups: None
        self._on_result: Callable[[], Awaitable[None]] | None = None
        self._on_outcome: Callable[[Peer, Outcome], Awaitable[None]] | None = None
        self._active = 0
        self.outcome = NO_OUTCOME
        self.refused = self.denied = 0
        self.changes = deque(map(as_line, registry.last_changes(KEPT_CHANGES)), maxlen=KEPT_CHANGES)

    @property
    def busy(self) -> bool:
        """Whether a put is being carried out; what the PV `Busy` shows."""
        return self._active > 0

    def set_callbacks(
        self,
        removed: Callable[[Collection[str], Collection[str]], None],
        result: Callable[[], Awaitable[None]],
        outcome: Callable[[Peer, Outcome], Awaitable[None]],
    ) -> None:
        """Call `removed` with the names of removed channels and groups, `result` when what this executor shows changes.

        Call `outcome` with each client that has put and what became of its put.
        """
        self._on_removed, self._on_result, self._on_outcome = removed, result, outcome

    async def execute(self, request: PutRequest) -> None:
        """Carry out a put that changes the registry. Raises CommandRefused, and nothing has changed then."""
        await self._run_to_end(self._execute(request))

    async def execute_silently(self, plan: Callable[[], PutRequest | None]) -> None:
        """Carry out a change that no client asked for; `Result` stays that of the last put.

        plan: called when no other put is under way; None: nothing is due any more. A registry that cannot be written is logged,
        and the caller tries again.
        """
        await self._run_to_end(self._execute_silently(plan))

    async def store(self, entry: AuditEntry, write: Callable[[], None], result: str) -> None:
        """Carry out a put that is kept beside the registry.

        write: writes it together with its audit entry, in a thread. result: what `Result` shows. Raises CommandRefused.
        """

        async def work() -> str:
            async with self._lock:
                await asyncio.to_thread(write)
            return result

        await self._run_to_end(self._record(entry, work))

    async def act(self, entry: AuditEntry, act: Callable[[], Awaitable[None]], result: str) -> None:
        """Carry out a put that changes nothing on disk, beside other puts. Raises CommandRefused."""

        async def work() -> str:
            await act()
            self._registry.note(entry)
            return result

        await self._run_to_end(self._record(entry, work))

    async def forbid(self, pv: str, value: str, peer: Peer) -> CommandRefused:
        """The refusal of a put by a peer that may not write; it is counted and audited."""
        self.denied += 1
        self.refused += 1
        refused = CommandRefused(ResultCode.NOT_ALLOWED, f"{peer} may not write {pv}")
        if self._registry.refuse(AuditEntry(time.time_ns(), peer, pv, "", value, str(refused))):
            log.warning("put_forbidden", pv=pv, peer=peer.address, host=peer.host, user=peer.user)
        await self._publish_result()
        await self._report(peer, Outcome(str(refused), ResultCode.NOT_ALLOWED))
        return refused

    async def refuse_unreadable(self, pv: str, value: str, error: ArchiocError, peer: Peer) -> CommandRefused:
        """The refusal of a put whose value is not of a kind that the PV takes."""
        await self._begin()
        return await self._refused(error, AuditEntry(time.time_ns(), peer, pv, "", value, ""))

    async def make_room_for_notes(self) -> None:
        """Write the entries of the audit that wait when there are so many that soon one would be pushed out."""
        if self._registry.notes_pile_up:
            await self.write_notes()

    async def write_notes(self) -> None:
        """Write the entries of the audit that wait, if there are any."""
        if self._registry.has_notes:
            async with self._lock:
                try:
                    await asyncio.to_thread(self._registry.write_notes)
                except RegistryError as error:
                    log.warning("audit_not_written", error=str(error))

    async def finish(self) -> None:
        """Wait for commands that have begun."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _run_to_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for work that goes on when the client that asked for it disconnects."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            await asyncio.shield(task)
        finally:
            del task  # with it in this frame, a refusal and its traceback would be a cycle

    async def _execute(self, request: PutRequest) -> None:
        begun_ns = time.time_ns()
        async with self._lock:
            await self._begin()
            try:
                text = await self._change(request, begun_ns)
            except ArchiocError as error:
                raise await self._refused(error, request.entry(begun_ns)) from None
            log.info("put_done", pv=request.pv, peer=request.peer.address, user=request.peer.user, result=text)
            await self._end(request.peer, Outcome(text))

    async def _execute_silently(self, plan: Callable[[], PutRequest | None]) -> None:
        async with self._lock:
            request = plan()
            if request is None:
                return
            try:
                text = await self._change(request, time.time_ns())
            except RegistryError as error:
                log.warning("change_not_written", pv=request.pv, change=request.new, error=str(error))
                return
            log.info("change_done", pv=request.pv, result=text)
            await self._publish_result()

    async def _record(self, entry: AuditEntry, work: Callable[[], Awaitable[str]]) -> None:
        await self._begin()
        try:
            text = await work()
        except (CommandRefused, RegistryError) as error:
            raise await self._refused(error, entry) from None
        self._show_change(entry)
        await self._end(entry.peer, Outcome(text))

    async def _change(self, request: PutRequest, begun_ns: int) -> str:
        """Plan, commit, apply; what `Result` shows. Raises ArchiocError, and nothing has changed then."""
        change = await request.plan()
        text = await request.describe(change)
        entry = request.entry(begun_ns)
        if request.dry:
            self._registry.note(entry)
            planned: list[object] = [*change.added, *change.changed]
            del change
            await free_slowly(planned)
            return text
        revision = self._registry.revision + 1
        await asyncio.to_thread(self._registry.commit, change, (entry,), revision)
        await apply_change(self._registry, self._rows, change, revision)
        self._show_change(entry)
        if change.removed or change.removed_groups:
            channels = await names_gone(self._registry, change)
            groups = {group.name for group in change.removed_groups}
            asyncio.get_running_loop().call_later(DROP_DELAY_S, self._on_removed, channels, groups)
            removed: list[object] = list(change.removed)
            del change
            await free_slowly(removed)
        return text

    async def _refused(self, error: ArchiocError, entry: AuditEntry) -> CommandRefused:
        """Publish and audit the refusal of a put that has begun. The caller must not keep it: with its traceback it would be a cycle."""
        refused = refusal(error)
        words = printable(str(refused))
        self.refused += 1
        if self._registry.refuse(replace(entry, time_ns=time.time_ns(), outcome=words)):
            log.warning("put_refused", pv=entry.pv, peer=entry.peer.address, user=entry.peer.user, reason=words)
        await self._end(entry.peer, Outcome(words, ResultCode(refused.code)))
        return refused

    def _show_change(self, entry: AuditEntry) -> None:
        self.changes.appendleft(as_line(entry.record()))

    async def _begin(self) -> None:
        self._active += 1
        await self._publish_result()

    async def _end(self, peer: Peer, outcome: Outcome) -> None:
        self._active -= 1
        self.outcome = outcome
        await self._publish_result()
        await self._report(peer, outcome)

    async def _publish_result(self) -> None:
        if self._on_result is not None:
            await self._on_result()

    async def _report(self, peer: Peer, outcome: Outcome) -> None:
        if self._on_outcome is not None:
            await self._on_outcome(peer, outcome)
