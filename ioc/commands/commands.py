"""What clients can have done: each command becomes a put request for the executor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from archioc.core.channel import read_setting, written
from archioc.core.config.access import Access
from archioc.core.errors import SettingError
from archioc.core.table.table import ChannelTable
from archioc.ioc.commands.access_subprocess import read_access
from archioc.ioc.commands.applying import Apply, applied, plan_apply
from archioc.ioc.commands.flushing import flush
from archioc.ioc.commands.handovers_due import channels_due
from archioc.ioc.commands.importing import plan_import
from archioc.ioc.commands.put_executor import PutExecutor
from archioc.ioc.commands.put_request import PutRequest, counted, saying
from archioc.ioc.commands.renaming import plan_rename
from archioc.ioc.commands.text_commands import plan_add, plan_group, plan_remove, plan_set, plan_setting
from archioc.ioc.peer import Peer
from archioc.ioc.registry.archived import setting_text
from archioc.ioc.registry.audit import AuditEntry
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.table_rows import ChannelRows, IntArray
from archioc.ioc.registry.writer import Registry

_OURSELVES = Peer("127.0.0.1", 0, user="archioc")
"""Who releases channels that have moved to other shards."""


class Commands:
    """All commands and changes of settings. Each raises CommandRefused, and nothing has changed then.

    executor: carries them out. config: the configuration file, which `apply` reads again. imports: the directory whose files may be
    imported. pv: the PV that was put to, for the audit. on_access: called with the access rules that `apply` reads.
    """

    def __init__(
        self, executor: PutExecutor, registry: Registry, rows: ChannelRows, table: ChannelTable, config: Path, imports: Path
    ) -> None:
        self.executor = executor
        self._registry, self._rows, self._table = registry, rows, table
        self._config, self._imports = config, imports
        self.on_access: Callable[[Access], None] = lambda _: None

    async def add(self, pv: str, text: str, peer: Peer) -> None:
        """Add channels."""
        await self.executor.execute(PutRequest(pv, text, peer, lambda: plan_add(text, self._registry, self._rows), counted))

    async def remove(self, pv: str, text: str, peer: Peer) -> None:
        """Remove channels."""
        await self.executor.execute(PutRequest(pv, text, peer, lambda: plan_remove(text, self._registry), counted))

    async def rename(self, pv: str, text: str, peer: Peer) -> None:
        """Give channels other names."""
        await self.executor.execute(PutRequest(pv, text, peer, lambda: plan_rename(text, self._registry, self._rows), counted))

    async def set(self, pv: str, text: str, peer: Peer) -> None:
        """Change settings."""
        await self.executor.execute(PutRequest(pv, text, peer, lambda: plan_set(text, self._registry), counted))

    async def put_setting(self, pv: str, channel: str, setting: str, value: object, peer: Peer) -> None:
        """Change one setting of one channel."""

        async def plan() -> Change:
            return plan_setting(channel, setting, value, self._registry)

        known = self._registry.content.find(channel)
        old = setting_text(known.settings, setting) if known else ""
        new = _as_read(setting, value)
        await self.executor.execute(PutRequest(pv, new, peer, plan, saying(f"{channel}: {setting}={new}"), old))

    async def put_group(self, pv: str, group: str, setting: str, value: object, peer: Peer) -> None:
        """Change one setting of one group."""

        async def plan() -> Change:
            return plan_group(group, setting, value, self._registry)

        known = self._registry.groups.get(group)
        old = known.text(setting) if known else ""
        new = str(int(value)) if isinstance(value, bool) else str(value)
        await self.executor.execute(PutRequest(pv, new, peer, plan, saying(f"group {group}: {setting}={new}"), old))

    async def put_limit(self, pv: str, old: str, new: str, store: Callable[[AuditEntry], None], peer: Peer, note: str = "") -> None:
        """Have an alarm limit on disk. store: writes it together with its audit entry. note: what `Result` says beside."""
        entry = AuditEntry(time.time_ns(), peer, pv, old, new, "done")

        def write() -> None:
            store(entry)
            self._registry.audit_log.write((entry,))

        await self.executor.store(entry, write, f"{pv}={new}; {note}" if note else f"{pv}={new}")

    async def apply(self, pv: str, how: Apply, peer: Peer) -> None:
        """Read the configuration file again and follow it, or tell what that would change.

        Who may write is then as its block `access` says, also for clients that are connected.
        """
        access: Access | None = None

        async def plan() -> Change:
            nonlocal access
            if not how.is_dry:
                access = await read_access(self._config)
            return await plan_apply(how, self._config, self._registry, self._pick)

        async def describe(change: Change) -> str:
            return await asyncio.to_thread(applied, how, change, self._registry.content)

        await self.executor.execute(PutRequest(pv, str(int(how)), peer, plan, describe, dry=how.is_dry))
        if access is not None:
            self.on_access(access)

    async def import_files(self, pv: str, text: str, peer: Peer) -> None:
        """Add the channels of files."""
        outcome = ""

        async def plan() -> Change:
            nonlocal outcome
            planned = await plan_import(text, self._imports, self._registry, self._pick)
            outcome = str(planned)
            return planned.change

        async def describe(_: Change) -> str:
            return outcome

        await self.executor.execute(PutRequest(pv, text, peer, plan, describe))

    async def flush(self, pv: str, peer: Peer) -> None:
        """Have the engine commit what it has, and wait for it."""
        await self.executor.act(AuditEntry(time.time_ns(), peer, pv, "0", "1", "done"), self._flush, "flushed")

    async def _flush(self) -> None:
        await flush(self._table)

    async def end_handovers(self, pv: str) -> None:
        """Release channels that another shard archives, where the time to archive them in both is over."""
        if channels_due(self._registry.content, time.time_ns()):
            await self.executor.execute_silently(partial(self._handovers, pv))

    def _handovers(self, pv: str) -> PutRequest | None:
        change = Change(removed=channels_due(self._registry.content, time.time_ns()))
        if not change:
            return None  # an Apply has taken them back meanwhile

        async def plan() -> Change:
            return change

        text = f"released {len(change.removed)} channels that moved to other shards"
        return PutRequest(pv, text, _OURSELVES, plan, saying(text))

    async def _pick(self, count: int) -> tuple[IntArray, IntArray]:
        """Rows and generations for so many channels; the table grows outside the event loop."""
        await asyncio.to_thread(self._rows.ensure_capacity, count)
        return self._rows.pick_columns(count)


def _as_read(setting: str, value: object) -> str:
    """A value of a setting in the words in which the audit has the old one; what cannot be read as it was put."""
    try:
        return written(read_setting(setting, value))
    except SettingError:
        return str(value)
