"""A control process that is one of several shards, seen by a CA client."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from archioc.core.ownership import owner_of
from archioc.core.registry import RegistryReader
from archioc.core.table.table import RowState
from archioc.ioc.registry.content import read_content
from archioc.ioc.results import ResultCode
from tests.conftest import CaClientFactory
from tests.processes.ca_client import CaClient
from tests.processes.control_process import ControlProcess
from tests.processes.waiting import PATIENCE_S, wait_until

NAMES = [f"SR:{number:02d}" for number in range(60)]
HANDOVER_S = 3600.0


def blocks(count: int, index: int = 1, handover_s: float = HANDOVER_S) -> str:
    return f"shard: {{index: {index}, count: {count}, handover: {handover_s}}}\nchannels: [{', '.join(NAMES)}]"


def owned(index: int, count: int) -> set[str]:
    return {name for name in NAMES if owner_of(name, count) == index}


@pytest.fixture
def control(tmp_path: Path, ports: Callable[[int], list[int]], prefix: str) -> Iterator[ControlProcess]:
    """Shard 1 of 2."""
    with closing(ControlProcess(tmp_path, ports(1)[0], f"{prefix}{{shard}}:", blocks(2))) as made:
        made.start()
        yield made


@pytest.fixture
def client(control: ControlProcess, ca_client: CaClientFactory) -> CaClient:
    return ca_client([control.port])


def rows_used(control: ControlProcess) -> int:
    return int(np.count_nonzero(control.table.settings.cells["state"] == RowState.USED))


def let_pass(control: ControlProcess, names: set[str]) -> None:
    """The time of a hand-over is over, as if the control process had been away so long."""
    with closing(sqlite3.connect(control.directories.registry, isolation_level=None)) as registry:
        registry.executemany("UPDATE channel SET leaves_ns = leaves_ns - ? WHERE name = ?", [(HANDOVER_S * 1e9, name) for name in names])


def test_a_hand_over_goes_on_after_a_kill(control: ControlProcess, client: CaClient, ca_client: CaClientFactory) -> None:
    """Channels that move leave after the hand-over, which a kill does not prolong; `Result` is for puts, the audit tells both."""
    assert rows_used(control) == len(owned(1, 2))
    moved = owned(1, 2) - owned(1, 3)
    control.configure(blocks(3))
    client.put(f"{control.prefix}Apply", 1, timeout_s=30.0)
    assert client.get_text(f"{control.prefix}Result") == f"applied: begun to hand over {len(moved)} channels"
    assert client.get(f"{control.prefix}Shard:Leaving") == len(moved)
    assert (client.get(f"{control.prefix}Shard:Index"), client.get(f"{control.prefix}Shard:Count")) == (1, 3)
    assert client.get_text(f"{control.prefix}CH:{min(moved)}:Reason").startswith("moves to shard 2, archived here until 20")
    assert read_content(control.directories.registry).handed_over.keys() == moved
    control.kill()
    let_pass(control, moved - {last := min(moved)})
    control.start()
    wait_until(lambda: rows_used(control) == len(owned(1, 3)) + 1, PATIENCE_S, "those have left whose time is over")
    assert read_content(control.directories.registry).handed_over.keys() == {last}
    control.kill()
    let_pass(control, {last})
    control.start()
    wait_until(lambda: rows_used(control) == len(owned(1, 3)), PATIENCE_S, "the last one has left")
    again = ca_client([control.port])
    assert again.get_text(f"{control.prefix}Result") == ""
    wait_until(lambda: again.get(f"{control.prefix}Shard:Leaving") == 0, PATIENCE_S, "nothing is handed over any more")
    with closing(RegistryReader(control.directories.registry)) as registry:
        told = [record.pv for record in registry.audit_between(0, 2**62) if record.outcome == "done"]
    assert told == [f"{control.prefix}Apply", *[f"{control.prefix}Shard:Leaving"] * 2]


def test_what_is_for_another_shard_is_refused(control: ControlProcess, client: CaClient) -> None:
    """A channel of another shard, with a code of its own, and a file for another shard, are refused with the prefix of that one."""
    theirs = next(name for number in range(99) if owner_of(name := f"NEW:{number}", 2) == 0)
    other = control.prefix.removesuffix("1:") + "0:"
    assert f"line 1: {theirs}: belongs to shard 0 ({other}); nothing was changed" in control.refuses(f"{control.prefix}Add", theirs)
    assert client.get(f"{control.prefix}ResultCode") == ResultCode.FOREIGN
    control.configure(blocks(2, index=0))
    assert f"the file is for shard 0 ({other}), this is shard 1 ({control.prefix})" in control.refuses(f"{control.prefix}Apply", 1)
