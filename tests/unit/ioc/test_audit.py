from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from archioc.cli.audit.audit import AuditFilter
from archioc.core.audit import AuditRecord
from archioc.ioc.peer import Peer
from archioc.ioc.registry import audit
from archioc.ioc.registry.audit import AuditEntry, as_line
from archioc.ioc.registry.audit_log import KEPT_FILES, AuditLog
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.writer import PENDING_NOTES, Registry

PEER = Peer("10.0.0.3", 4711, "console", "ops")


def entry(number: int, outcome: str = "done") -> AuditEntry:
    return AuditEntry(1_000_000_000 + number, PEER, "ARCH:CH:A:Rate", str(number - 1), str(number), outcome)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = Registry(tmp_path / "state.db")
    yield made
    made.close()


def kept(directory: Path) -> list[str]:
    with closing(sqlite3.connect(directory / "state.db")) as connection:
        return [new for (new,) in connection.execute("SELECT new FROM audit ORDER BY rowid")]


def lines(file: Path) -> list[str]:
    return [json.loads(line)["new"] for line in file.read_text().splitlines()]


def test_the_registry_keeps_the_newest_entries(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`state.db` holds a bounded number of entries while the archiver runs, not only after a start."""
    monkeypatch.setattr(audit, "KEPT_ENTRIES", 5)
    for number in range(12):
        registry.commit(Change(), [entry(number)], registry.revision)
    assert kept(tmp_path) == ["7", "8", "9", "10", "11"]


def test_each_entry_is_a_line_of_the_file(registry: Registry, tmp_path: Path) -> None:
    """The file has a line of JSON for each put that was carried out, in the order in which they were written to the registry."""
    registry.note(entry(1))
    registry.refuse(entry(3, "refused"))
    registry.commit(Change(), [entry(2)], registry.revision)
    first = json.loads((tmp_path / "audit.jsonl").read_text().splitlines()[0])
    assert first == {
        "time": "1970-01-01T00:00:01.000000001Z",
        "time_ns": 1_000_000_001,
        "user": "ops",
        "host": "console",
        "peer": "10.0.0.3:4711",
        "pv": "ARCH:CH:A:Rate",
        "old": "0",
        "new": "1",
        "outcome": "done",
    }
    assert lines(tmp_path / "audit.jsonl") == kept(tmp_path) == ["1", "2"]


def test_the_file_is_rotated(tmp_path: Path) -> None:
    """No file grows beyond its size, a bounded number is kept, and the lines of the kept ones are whole and in order."""
    log = AuditLog(tmp_path / "audit.jsonl", max_bytes=1000)
    for number in range(100):
        log.write([entry(number)])
    files = sorted(tmp_path.iterdir(), reverse=True)
    assert len(files) == KEPT_FILES
    assert all(file.stat().st_size <= 1000 for file in files)
    found = [new for file in files for new in lines(file)]
    assert found == [str(number) for number in range(100 - len(found), 100)]
    assert len(found) > 10


def test_a_disk_that_fails_ends_nothing(tmp_path: Path) -> None:
    """Where the file cannot be written puts go on, and it is written again once it can be."""
    (tmp_path / "audit.jsonl").mkdir()
    log = AuditLog(tmp_path / "audit.jsonl")
    log.write([entry(1)])
    (tmp_path / "audit.jsonl").rmdir()
    log.write([entry(2)])
    assert lines(tmp_path / "audit.jsonl") == ["2"]


def test_a_flood_of_entries_is_told(registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Entries that come faster than they are written push the oldest out, and the log says how many."""
    for number in range(PENDING_NOTES + 3):
        registry.note(entry(number))
    registry.write_notes()
    assert kept(tmp_path)[0] == "3"
    out = capsys.readouterr()
    assert "audit_entries_lost" in out.out + out.err


def test_the_newest_change(registry: Registry) -> None:
    """The newest puts that were carried out are known after a start, newest first, and each is told in one line."""
    assert registry.last_changes(20) == []
    registry.commit(Change(), [entry(0), entry(1), entry(2, "refused because")], registry.revision)
    assert registry.last_changes(20) == [entry(1).record(), entry(0).record()]
    (found,) = registry.last_changes(1)
    assert as_line(found) == "1970-01-01T00:00:01.000000001Z ops@10.0.0.3:4711 ARCH:CH:A:Rate 0 -> 1"
    added = AuditRecord(1, "ops", "console", "10.0.0.3:4711", "ARCH:Add", "", "A\nB", "done")
    assert as_line(added).endswith("ARCH:Add A B")


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (AuditFilter(), True),
        (AuditFilter(pv="*:Rate", user="op?", peer="10.0.0.*"), True),
        (AuditFilter(peer="10.0.0.3"), True),
        (AuditFilter(peer="10.0.0.3:4711"), True),
        (AuditFilter(peer="10.0.0"), False),
        (AuditFilter(pv="*:Enable"), False),
        (AuditFilter(user="eve"), False),
        (AuditFilter(refused=True), False),
    ],
)
def test_filters(wanted: AuditFilter, takes: bool) -> None:
    """Puts are found by PV, user and peer, and by what became of them."""
    assert wanted.accepts(entry(1).record()) is takes
    assert AuditFilter(refused=True).accepts(entry(1, "may not").record())
