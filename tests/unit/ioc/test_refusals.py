from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from archioc.core.errors import ArchiocError, CommandRefused, RegistryError
from archioc.core.table.table import ChannelTable
from archioc.ioc.ca.put_value import PutValue
from archioc.ioc.commands import flushing
from archioc.ioc.commands.commands import Commands
from archioc.ioc.commands.put_executor import PutExecutor
from archioc.ioc.peer import Peer
from archioc.ioc.pvs.command_pvs import CommandPvs
from archioc.ioc.registry.audit import AuditEntry
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry

PEER = Peer("127.0.0.1", 5000)


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    (tmp_path / "run").mkdir()
    table = ChannelTable(tmp_path / "run")
    table.create(10)
    registry = Registry(tmp_path / "state.db")
    rows = ChannelRows(table, (), {}, registry.groups)
    yield Commands(PutExecutor(registry, rows), registry, rows, table, tmp_path / "site.yml", tmp_path / "import")
    registry.close()
    table.close()


def full(_: AuditEntry) -> None:
    raise RegistryError("state.db: no space left on device")


def put(name: str, text: str) -> Callable[[Commands], Awaitable[None]]:
    async def carry_out(commands: Commands) -> None:
        pv = CommandPvs("P:", commands).pvs[name]
        assert pv.writer is not None
        await pv.writer(pv, PutValue((text,)), PEER)

    return carry_out


def refusals() -> list[ArchiocError]:
    """All that there are, also what is kept of other tests."""
    return [found for found in gc.get_objects() if isinstance(found, ArchiocError)]


@pytest.mark.parametrize(
    "carry_out",
    [
        lambda commands: commands.remove("P:Remove", "NOBODY", PEER),
        lambda commands: commands.put_limit("P:Lag.HIGH", "1", "2", full, PEER),
        lambda commands: commands.flush("P:Flush", PEER),
        put("Apply", "7"),
        put("Flush", "7"),
    ],
    ids=["command", "limit", "engine silent", "apply", "flush"],
)
def test_a_refusal_leaves_nothing(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, carry_out: Callable[[Commands], Awaitable[None]]
) -> None:
    """What was refused is freed by its reference count: a refusal in a cycle might outlive what the collector looks at."""
    monkeypatch.setattr(flushing, "FLUSH_TIMEOUT_S", 0.0)

    async def refused() -> None:
        with pytest.raises(CommandRefused):
            await carry_out(commands)

    gc.collect()
    before = refusals()
    gc.disable()
    try:
        asyncio.run(refused())
        assert [found for found in refusals() if not any(found is known for known in before)] == []
    finally:
        gc.enable()
