"""Refused puts in the audit: counted, and bounded whatever a client without rights does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from archioc.core.errors import RegistryError
from archioc.core.registry import MINUTE_NS, RegistryReader
from archioc.ioc.ca.limits.put_rate import BURST, PUTS_PER_S, REMEMBERED, PutRate
from archioc.ioc.peer import Peer
from archioc.ioc.registry import audit, refused_puts
from archioc.ioc.registry.audit import AuditEntry
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.refused_puts import MOST, MOST_OF_ADDRESS, OTHER_ADDRESSES, OTHER_PVS
from archioc.ioc.registry.writer import Registry

T0 = 1000 * MINUTE_NS


def refused(time_ns: int = T0, address: str = "10.0.0.3", pv: str = "ARCH:Add", port: int = 4711) -> AuditEntry:
    return AuditEntry(time_ns, Peer(address, port, "console", "eve"), pv, "", "A" * 900, "10.0.0.3 (user eve) may not write ARCH:Add")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = Registry(tmp_path / "state.db")
    yield made
    made.close()


def kept(directory: Path) -> list[tuple[str, str, int]]:
    """Address, PV and number of each entry."""
    with closing(sqlite3.connect(directory / "state.db")) as connection:
        return connection.execute("SELECT address, pv, puts FROM refused_put ORDER BY rowid").fetchall()


def test_one_entry_for_address_pv_and_minute(registry: Registry, tmp_path: Path) -> None:
    """Puts of any number of connections of a host to a PV are one entry of their minute, also when it is written several times."""
    firsts = [registry.refuse(refused(T0 + at, port=at)) for at in range(1000)]
    assert firsts == [True] + [False] * 999
    registry.write_notes()
    registry.refuse(refused(T0 + 2000))
    registry.refuse(refused(T0 + 2000, pv="ARCH:Set"))
    registry.refuse(refused(T0 + 2000, address="10.0.0.4"))
    registry.refuse(refused(T0 + MINUTE_NS))
    registry.write_notes()
    assert kept(tmp_path) == [
        ("10.0.0.3", "ARCH:Add", 1001),
        ("10.0.0.3", "ARCH:Set", 1),
        ("10.0.0.4", "ARCH:Add", 1),
        ("10.0.0.3", "ARCH:Add", 1),
    ]


def test_they_push_out_nothing_that_was_done(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are refused, what was carried out stays in the registry and in the file, and they themselves are bounded."""
    monkeypatch.setattr(audit, "KEPT_ENTRIES", 5)
    monkeypatch.setattr(refused_puts, "KEPT_REFUSED", 3)
    registry.commit(Change(), [AuditEntry(T0, Peer("10.0.0.1", 1), "ARCH:Add", "", "X", "done")], registry.revision)
    for minute in range(50):
        registry.refuse(refused(T0 + minute * MINUTE_NS))
        registry.write_notes()
    assert [record.new for record in registry.last_changes(20)] == ["X"]
    assert len(kept(tmp_path)) == 3
    assert (tmp_path / "audit.jsonl").read_text().count("\n") == 1


def test_entries_of_a_minute_are_bounded(registry: Registry, tmp_path: Path) -> None:
    """Beyond the limits of a minute puts count in entries for other PVs and other addresses; none is lost, and no text is long."""
    for at in range(300):
        registry.refuse(refused(T0 + at, pv=f"ARCH:CH:{at}:Rate"))
    for at in range(300):
        registry.refuse(refused(T0 + at, address=f"10.1.{at // 250}.{at % 250}"))
    registry.write_notes()
    found = kept(tmp_path)
    assert sum(puts for _, _, puts in found) == 600
    assert len(found) <= MOST + 1
    assert ("10.0.0.3", OTHER_PVS, 300 - MOST_OF_ADDRESS) in found
    assert (OTHER_ADDRESSES, OTHER_PVS) in {(address, pv) for address, pv, _ in found}
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        assert connection.execute("SELECT max(length(new)), max(length(outcome)) FROM refused_put").fetchone()[0] <= 200


def test_what_cannot_be_written_is_written_later(registry: Registry, tmp_path: Path) -> None:
    """Puts that are refused while the disk is full are counted when it has room again."""
    registry.refuse(refused())
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        registry._connection.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RegistryError):
            registry.write_notes()
        other.execute("ROLLBACK")
    registry.refuse(refused(T0 + 1))
    assert registry.has_notes
    registry.write_notes()
    assert kept(tmp_path) == [("10.0.0.3", "ARCH:Add", 2)]
    assert not registry.has_notes


def test_readers_see_the_number(registry: Registry, tmp_path: Path) -> None:
    """`archioc audit` has one line for them, which says how many they were."""
    for at in range(3):
        registry.refuse(refused(T0 + at))
    registry.write_notes()
    reader = RegistryReader(tmp_path / "state.db")
    (record,) = reader.audit_between(T0, T0 + 10)
    reader.close()
    assert (record.outcome, record.done) == ("3 times in a minute: 10.0.0.3 (user eve) may not write ARCH:Add", False)


def test_peer_without_rights_is_held_up() -> None:
    """After a burst the puts of an address come at the given rate, whatever others do; few addresses are remembered."""
    rate = PutRate()
    assert [rate.take("10.0.0.3", 0.0) for _ in range(int(BURST))] == [0.0] * int(BURST)
    assert rate.take("10.0.0.3", 0.0) == pytest.approx(1 / PUTS_PER_S)
    assert rate.take("10.0.0.3", 0.0) == pytest.approx(2 / PUTS_PER_S)
    assert rate.take("10.0.0.4", 0.0) == 0.0
    assert rate.take("10.0.0.3", 60.0) == 0.0
    for at in range(2 * REMEMBERED):
        rate.take(f"10.1.{at // 250}.{at % 250}", 61.0)
    assert len(rate._left) == REMEMBERED
