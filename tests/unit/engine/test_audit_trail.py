from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archioc.core.registry import MINUTE_NS, REFUSED_SETTLE_NS
from archioc.engine.commit import audit_trail
from archioc.engine.commit.commit import CommitThread
from archioc.ioc.peer import Peer
from archioc.ioc.registry.audit import AuditEntry
from archioc.ioc.registry.change import Change
from tests.unit.engine.arrivals import T0
from tests.unit.engine.rig import Archive, Engine

PEER = Peer("10.0.0.3", 4711, "console", "ops")


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    monkeypatch.setattr(audit_trail, "LOOK_EVERY_S", 0.0)
    made = Archive(tmp_path / "state")
    yield made
    made.close()


def put(archive: Archive, *numbers: int) -> None:
    """Puts with these values, audited in one transaction."""
    entries = [AuditEntry(T0 + number, PEER, "ARCH:Add", "", str(number), "done") for number in numbers]
    archive.registry.commit(Change(), entries, archive.registry.revision)


def sent(archive: Archive) -> list[str]:
    """The values in the spool."""
    return [record.new for batch in archive.published() for record in batch.audit]


def test_puts_go_to_the_spool_once(archive: Archive) -> None:
    """Each entry is in one batch, in order, also when it was there before the engine, and over a stop of the engine."""
    put(archive, 1, 2)
    engine = Engine(archive, T0)
    for number in (3, 4):
        engine.collector.round(T0)
        engine.write()
        put(archive, number)
    engine.collector.round(T0)
    engine.stop(T0)
    again = Engine(archive, T0)
    put(archive, 5)
    again.collector.round(T0)
    again.write()
    again.collector.round(T0)
    again.write()
    again.kill()
    assert sent(archive) == ["1", "2", "3", "4", "5"]
    [record] = archive.published()[-1].audit
    assert (record.time_ns, record.user, record.host, record.peer, record.pv) == (T0 + 5, "ops", "console", "10.0.0.3:4711", "ARCH:Add")


def test_a_kill_before_the_commit_loses_none(archive: Archive) -> None:
    """Entries that were taken up and not committed are sent by the next engine."""
    engine = Engine(archive, T0)
    put(archive, 1)
    engine.collector.round(T0)
    engine.collector.cut()
    engine.kill()
    again = Engine(archive, T0)
    again.collector.round(T0)
    again.write()
    again.kill()
    assert sent(archive) == ["1"]


def test_many_puts_are_sent_in_parts(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long audit goes over several batches of bounded size."""
    monkeypatch.setattr(audit_trail, "MOST_AT_ONCE", 3)
    put(archive, *range(8))
    engine = Engine(archive, T0)
    for _ in range(4):
        engine.collector.round(T0)
        engine.write()
    engine.kill()
    assert [len(batch.audit) for batch in archive.published() if batch.audit] == [3, 3, 2]
    assert sent(archive) == [str(number) for number in range(8)]


def test_after_drops_the_audit_is_sent_again(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the spool was full, and batches were dropped, all that the registry has goes to the spool once more."""
    monkeypatch.setattr("archioc.engine.commit.commit.TELL_EVERY_S", 0.0)
    put(archive, 1)
    engine = Engine(archive, T0)
    with monkeypatch.context() as full:
        full.setattr(CommitThread, "_make_room", lambda *_: False)
        engine.collector.round(T0)
        engine.write()
    assert sent(archive) == []
    put(archive, 2)
    for _ in range(3):
        engine.collector.round(T0)
        engine.write()
    engine.kill()
    assert sent(archive)[-2:] == ["1", "2"]


def test_a_restored_registry_begins_anew(archive: Archive) -> None:
    """Where the numbers of entries begin again, as after the restore of a copy, the entries are sent all the same."""
    (archive.directories.audit_sent).write_text("50")
    put(archive, 1)
    engine = Engine(archive, T0)
    engine.collector.round(T0)
    engine.write()
    engine.kill()
    assert sent(archive) == ["1"]


def test_refused_puts_go_to_the_spool_once(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of refused puts one entry for each minute goes to the spool, with their number, once the minute is over, also over a kill."""
    for number in range(3):
        archive.registry.refuse(AuditEntry(T0 + number, PEER, "ARCH:Add", "", str(number), "may not"))
    archive.registry.write_notes()
    clock = T0 + MINUTE_NS - T0 % MINUTE_NS
    monkeypatch.setattr("archioc.engine.commit.audit_trail.time.time_ns", lambda: clock)
    engine = Engine(archive, T0)
    engine.collector.round(T0)
    engine.write()
    assert sent(archive) == []
    clock += REFUSED_SETTLE_NS
    for _ in range(2):
        engine.collector.round(T0)
        engine.write()
    engine.kill()
    again = Engine(archive, T0)
    again.collector.round(T0)
    again.write()
    again.kill()
    (record,) = [record for batch in archive.published() for record in batch.audit]
    assert (record.time_ns, record.new, record.outcome) == (T0, "0", "3 times in a minute: may not")
