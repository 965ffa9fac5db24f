"""How long the PVs of what was removed stay with clients."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from archioc.core.table.table import ChannelTable
from archioc.ioc.ca.pv import PV
from archioc.ioc.pvs.channel_fields import CHANNEL_FIELDS
from archioc.ioc.pvs.removals import Gone, Removals
from tests.unit.ioc.test_registry import Archive


class Clients:
    """What the clients have open: PVs of A, B and one that names A by its row."""

    def __init__(self) -> None:
        spec = CHANNEL_FIELDS["Rate"].spec
        names = {"P:CH:A:Rate": "A", "P:CH:B:Rate": "B", "P:CH:#0-1:Rate": "A"}
        self.open = {name: PV(name, spec, channel=channel) for name, channel in names.items()}
        self.shown: list[str] = []

    def drop(self, gone: Gone) -> None:
        self.open = {name: pv for name, pv in self.open.items() if not gone(pv)}

    async def show(self, names: Iterable[str]) -> None:
        self.shown += sorted(names)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    (tmp_path / "run").mkdir()
    table = ChannelTable(tmp_path / "run")
    table.create(10)
    made = Archive(tmp_path, table)
    yield made
    made.registry.close()
    table.close()


def run(archive: Archive, clock: list[float], *steps: str) -> set[str]:
    """Steps: `remove`, `add` (of A), or seconds to pass; the names that clients have open afterwards."""

    async def follow() -> set[str]:
        clients = Clients()
        removals = Removals(archive.registry, clients.drop, clients.show)
        for step in steps:
            if step == "add":
                archive.add("A")
            elif step == "remove":
                archive.remove("A")
                removals.begin({"A"}, set())
                await asyncio.sleep(0)
                assert clients.shown[-1] == "A"
            else:
                clock[0] += float(step)
                removals.end(clock[0])
        return set(clients.open)

    return asyncio.run(follow())


ROUND_TRIPS = [
    (("remove",), True),
    (("remove", "29"), True),
    (("remove", "31"), False),
    (("remove", "5", "add", "100"), True),
    (("remove", "20", "add", "5", "remove", "10"), True),
    (("remove", "20", "add", "5", "remove", "10", "21"), False),
]


@pytest.mark.parametrize(("steps", "there"), ROUND_TRIPS)
def test_pvs_of_a_removed_channel_stay_for_a_while(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, steps: tuple[str, ...], there: bool
) -> None:
    """They are with the clients for HOLD_S after the last removal, and for ever once the channel is there again; others always are."""
    archive.add("A")
    archive.add("B")
    clock = [0.0]
    monkeypatch.setattr("archioc.ioc.pvs.removals.time.monotonic", lambda: clock[0])
    found = run(archive, clock, *steps)
    assert ("P:CH:A:Rate" in found) is there
    assert "P:CH:B:Rate" in found
    assert "P:CH:#0-1:Rate" not in found, "a row never stands for another channel"
