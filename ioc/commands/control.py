"""What a put does: plan the change, have it on disk, bring it into the channel table, tell what became of it.

One command at a time. A command that has begun ends, also when the client that sent it goes away.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from archioc.core.config.access import Access
from archioc.core.errors import ArchiocError, CommandRefused, RegistryError
from archioc.core.table.table import ChannelTable
from archioc.ioc.commands.access_subprocess import read_access
from archioc.ioc.commands.apply_to_table import let_go, names_gone, take_up
from archioc.ioc.commands.applying import Apply, applied, plan_apply
from archioc.ioc.commands.flushing import flush
from archioc.ioc.commands.handovers_due import leaving
from archioc.ioc.commands.importing import plan_import
from archioc.ioc.commands.put_request import Order, counted, saying
from archioc.ioc.commands.renaming import plan_rename
from archioc.ioc.commands.text_commands import plan_add, plan_group, plan_remove, plan_set, plan_setting, refusal
from archioc.ioc.registry.archived import setting_text
from archioc.ioc.registry.audit import AuditEntry, Peer, told
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.table_rows import ChannelRows, IntArray
from archioc.ioc.registry.writer import Registry
from archioc.ioc.results import ResultCode

KEPT_CHANGES = 20

DROP_DELAY_S = 0.02
"""Clients lose the PVs of a removed channel this long after, so that a put to one of these PVs can complete."""

log = structlog.get_logger()

_OURSELVES = Peer("127.0.0.1", 0, user="archioc")
"""Who lets go of channels that have moved to other shards."""


class Control:
    """Carries out commands and changes of settings.

    config: the configuration file, which `apply` reads again.
    imports: the directory whose files may be imported.
    result, code: what the PVs `Result` and `ResultCode` show.
    denied: puts refused because of who sent them.
    changes: the newest puts that were carried out, newest first, a line each.
    """

    def __init__(self, registry: Registry, rows: ChannelRows, table: ChannelTable, config: Path, imports: Path) -> None:
        self._registry, self._rows, self._table = registry, rows, table
        self._config, self._imports = config, imports
        self._lock = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._on_removed: Callable[[Collection[str], Collection[str]], None] = lambda _channels, _groups: None
        self._on_result: Callable[[], Awaitable[None]] | None = None
        self._on_access: Callable[[Access], None] = lambda _: None
        self._active = 0
        self.result, self.code = "", ResultCode.DONE
        self.denied = 0
        self.changes = deque(map(told, registry.last_changes(KEPT_CHANGES)), maxlen=KEPT_CHANGES)

    @property
    def busy(self) -> bool:
        """Whether a command is being carried out; what the PV `Busy` shows."""
        return self._active > 0

    def listen(
        self,
        removed: Callable[[Collection[str], Collection[str]], None],
        result: Callable[[], Awaitable[None]],
        access: Callable[[Access], None],
    ) -> None:
        """Be told of names of removed channels and groups, when `busy`, `result`, `code` or `denied` has changed, and of new rules."""
        self._on_removed, self._on_result, self._on_access = removed, result, access

    async def add(self, pv: str, text: str, peer: Peer) -> None:
        """Add channels. Raises CommandRefused."""
        await self._command(Order(pv, text, peer, lambda: plan_add(text, self._registry, self._rows), counted))

    async def remove(self, pv: str, text: str, peer: Peer) -> None:
        """Remove channels. Raises CommandRefused."""
        await self._command(Order(pv, text, peer, lambda: plan_remove(text, self._registry), counted))

    async def rename(self, pv: str, text: str, peer: Peer) -> None:
        """Give channels other names. Raises CommandRefused."""
        await self._command(Order(pv, text, peer, lambda: plan_rename(text, self._registry, self._rows), counted))

    async def set(self, pv: str, text: str, peer: Peer) -> None:
        """Change settings. Raises CommandRefused."""
        await self._command(Order(pv, text, peer, lambda: plan_set(text, self._registry), counted))

    async def put_setting(self, pv: str, channel: str, setting: str, value: object, peer: Peer) -> None:
        """Change one setting of one channel. Raises CommandRefused."""

        async def plan() -> Change:
            return plan_setting(channel, setting, value, self._registry)

        known = self._registry.content.find(channel)
        old = setting_text(known.settings, setting) if known else ""
        await self._command(Order(pv, str(value), peer, plan, saying(f"{channel}: {setting}={value}"), old))

    async def put_group(self, pv: str, group: str, setting: str, value: object, peer: Peer) -> None:
        """Change one setting of one group. Raises CommandRefused."""

        async def plan() -> Change:
            return plan_group(group, setting, value, self._registry)

        known = self._registry.groups.get(group)
        old = known.text(setting) if known else ""
        await self._command(Order(pv, str(value), peer, plan, saying(f"group {group}: {setting}={value}"), old))

    async def put_limit(self, pv: str, old: str, new: str, store: Callable[[AuditEntry], None], peer: Peer) -> None:
        """Have an alarm limit on disk. store: writes it together with its audit entry. Raises CommandRefused."""

        async def carry_out() -> None:
            entry = AuditEntry(time.time_ns(), peer, pv, old, new, "done")

            def write() -> None:
                store(entry)
                self._registry.audit_log.write((entry,))

            async with self._lock:
                await self._begin()
                try:
                    await asyncio.to_thread(write)
                except RegistryError as error:
                    raise await self._refused(error, entry) from None
                self._show_change(entry)
                await self._end(f"{pv}={new}", ResultCode.DONE)

        await self._to_its_end(carry_out())

    async def apply(self, pv: str, how: Apply, peer: Peer) -> None:
        """Read the configuration file again and follow it, or tell what that would change. Raises CommandRefused.

        Who may write is then as its block `access` says, also for clients that are connected.
        """
        access: Access | None = None

        async def plan() -> Change:
            nonlocal access
            if not how.is_dry:
                access = await read_access(self._config)
            return await plan_apply(how, self._config, self._registry, self._pick)

        async def tell(change: Change) -> str:
            return await asyncio.to_thread(applied, how, change, self._registry.content)

        await self._command(Order(pv, str(int(how)), peer, plan, tell, dry=how.is_dry))
        if access is not None:
            self._on_access(access)

    async def import_files(self, pv: str, text: str, peer: Peer) -> None:
        """Add the channels of files. Raises CommandRefused."""
        outcome = ""

        async def plan() -> Change:
            nonlocal outcome
            planned = await plan_import(text, self._imports, self._registry, self._pick)
            outcome = str(planned)
            return planned.change

        async def tell(_: Change) -> str:
            return outcome

        await self._command(Order(pv, text, peer, plan, tell))

    async def end_handovers(self, pv: str) -> None:
        """Let go of channels that another shard archives, where the time to do so beside it is over. `Result` stays that of the last put.

        pv: under which it is audited.
        """
        if leaving(self._registry.content, time.time_ns()):
            await self._to_its_end(self._end_handovers(pv))

    async def _end_handovers(self, pv: str) -> None:
        async with self._lock:
            begun_ns = time.time_ns()
            change = Change(removed=leaving(self._registry.content, begun_ns))
            if not change:
                return  # an Apply has taken them back meanwhile

            async def plan() -> Change:
                return change

            text = f"let go of {len(change.removed)} channels that moved to other shards"
            try:
                await self._change(Order(pv, text, _OURSELVES, plan, saying(text)), begun_ns)
            except RegistryError as error:
                log.warning("handover_not_ended", error=str(error))  # tried again
                return
            log.info("handover_ended", channels=len(change.removed))
            await self._tell()

    async def _pick(self, count: int) -> tuple[IntArray, IntArray]:
        """Rows and generations for so many channels; the table grows outside the event loop."""
        await asyncio.to_thread(self._rows.make_room, count)
        return self._rows.pick_columns(count)

    async def flush(self, pv: str, peer: Peer) -> None:
        """Have the engine commit what it has, and wait for it. Raises CommandRefused when it does not answer."""
        await self._to_its_end(self._flush(pv, peer))

    async def _flush(self, pv: str, peer: Peer) -> None:
        await self._begin()
        entry = AuditEntry(time.time_ns(), peer, pv, "0", "1", "done")
        try:
            await flush(self._table)
        except CommandRefused as error:
            raise await self._refused(error, entry) from None
        self._registry.note(entry)
        self._show_change(entry)
        await self._end("flushed", ResultCode.DONE)

    async def forbid(self, pv: str, value: str, peer: Peer) -> CommandRefused:
        """The refusal of a put by a peer that may not write; it is counted and audited."""
        self.denied += 1
        refused = CommandRefused(ResultCode.NOT_ALLOWED, f"{peer} may not write {pv}")
        self._registry.note(AuditEntry(time.time_ns(), peer, pv, "", value, str(refused)))
        log.warning("put_forbidden", pv=pv, peer=peer.address, host=peer.host, user=peer.user)
        await self._tell()
        return refused

    async def refuse_unreadable(self, pv: str, value: str, error: ArchiocError, peer: Peer) -> CommandRefused:
        """The refusal of a put whose value is not of a kind that the PV takes."""
        await self._begin()
        return await self._refused(error, AuditEntry(time.time_ns(), peer, pv, "", value, ""))

    async def make_room_for_notes(self) -> None:
        """Write the audit of refused puts when so many wait that soon one would be pushed out."""
        if self._registry.notes_pile_up:
            await self.write_notes()

    async def write_notes(self) -> None:
        """Write the audit of refused puts, if there is any."""
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

    async def _command(self, order: Order) -> None:
        await self._to_its_end(self._carry_out(order))

    async def _to_its_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for work that goes on when the client that asked for it goes away."""
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        try:
            await asyncio.shield(task)
        finally:
            del task  # with it in this frame, a refusal and its traceback would be a cycle

    async def _carry_out(self, order: Order) -> None:
        begun_ns = time.time_ns()
        async with self._lock:
            await self._begin()
            try:
                text = await self._change(order, begun_ns)
            except ArchiocError as error:
                raise await self._refused(error, order.entry(begun_ns)) from None
            log.info("put_done", pv=order.pv, peer=order.peer.address, user=order.peer.user, result=text)
            await self._end(text, ResultCode.DONE)

    async def _change(self, order: Order, begun_ns: int) -> str:
        """Plan, commit, make known; what `Result` is to say. Raises ArchiocError, and nothing has changed then."""
        change = await order.plan()
        text = await order.tell(change)
        entry = order.entry(begun_ns)
        if order.dry:
            self._registry.note(entry)
            planned: list[object] = [*change.added, *change.changed]
            del change
            await let_go(planned)
            return text
        revision = self._registry.revision + 1
        await asyncio.to_thread(self._registry.commit, change, (entry,), revision)
        await take_up(self._registry, self._rows, change, revision)
        self._show_change(entry)
        if change.removed or change.removed_groups:
            channels = await names_gone(self._registry, change)
            groups = {group.name for group in change.removed_groups}
            asyncio.get_running_loop().call_later(DROP_DELAY_S, self._on_removed, channels, groups)
            removed: list[object] = list(change.removed)
            del change
            await let_go(removed)
        return text

    async def _refused(self, error: ArchiocError, entry: AuditEntry) -> CommandRefused:
        """The refusal of a put that has begun, told and audited. Who raises it must not keep it: with its traceback it would be a cycle."""
        refused = refusal(error)
        self._registry.note(replace(entry, outcome=str(refused)))
        log.warning("put_refused", pv=entry.pv, peer=entry.peer.address, user=entry.peer.user, reason=str(refused))
        await self._end(str(refused), ResultCode(refused.code))
        return refused

    def _show_change(self, entry: AuditEntry) -> None:
        self.changes.appendleft(told(entry.record()))

    async def _begin(self) -> None:
        self._active += 1
        await self._tell()

    async def _end(self, result: str, code: ResultCode) -> None:
        self._active -= 1
        self.result, self.code = result, code
        await self._tell()

    async def _tell(self) -> None:
        if self._on_result is not None:
            await self._on_result()
