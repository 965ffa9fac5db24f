"""Deleting stored samples: in every store, by the command, through a running archiver, audited, and only by its own user."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from archioc.core.audit import AuditRecord
from archioc.core.errors import QueryError, UsageError
from archioc.core.events import Reason
from archioc.core.spool.batch import Kind
from archioc.core.timestamp import SECOND, format_utc
from archioc.db.embedded.days import DAY_NS
from archioc.db.erasure import Erasure
from archioc.db.query_socket import server as server_module
from archioc.db.query_socket import unix_socket
from archioc.db.query_socket.client import SocketReader
from archioc.ioc.registry.writer import Registry
from tests.archives.batches import T0, Alarm, Point
from tests.archives.store_bench import EVER, Bench
from tests.archives.stored_archive import StoredArchive, make_archive
from tests.conftest import ArchiverFactory, SoftIocFactory
from tests.records.counters import counter_database, counter_names

ORDER = AuditRecord(T0 + 9 * DAY_NS, "ops", "console", "command line", "store delete A", "3 samples", "none", "done")
NAMES = ("A", "it's", 'q"q\\')


@pytest.mark.parametrize("name", NAMES)
def test_a_span_of_one_channel(bench: Bench, name: str) -> None:
    """What is counted is deleted, to the nanosecond, with alarm states; other channels and times keep theirs; a gap and the audit tell."""
    times = [T0 - DAY_NS, T0, T0 + 1, T0 + DAY_NS, T0 + DAY_NS + 1]
    points = [Point(one, at, float(at - T0)) for one in (name, "B") for at in times]
    bench.write(*points, Point(name, T0 + 5, blob=b"", kind=Kind.ARRAY), alarms=(Alarm(name, T0 + 1, 2, 3), Alarm("B", T0 + 1, 2, 3)))
    erasure = Erasure(name, T0, T0 + DAY_NS)
    assert sum(bench.store.erase(erasure, None)) == 4
    assert len(bench.times(name)) == 6
    assert sum(bench.store.erase(erasure, ORDER)) == 4
    assert bench.times(name) == [times[0], times[4]]
    assert bench.alarms(name) == []
    assert (bench.times("B"), len(bench.alarms("B"))) == (times, 1)
    [gap] = bench.store.events(name, T0, T0)
    assert (gap.reason, gap.time_ns, gap.end_ns, gap.text) == (Reason.DELETED, T0, T0 + DAY_NS, "3 samples deleted by ops@console")
    assert bench.store.audit(0, EVER) == [ORDER]
    assert sum(bench.store.erase(erasure, None)) == 0


def test_all_that_is_old(bench: Bench) -> None:
    """Pruning deletes samples and alarm states of all channels before a moment, and nothing else."""
    points = [Point(name, T0 + at, 1.0) for name in ("A", "B") for at in (-40 * DAY_NS, -DAY_NS, -1, 0, 1)]
    bench.write(*points, alarms=(Alarm("A", T0 - DAY_NS, 2, 3), Alarm("A", T0, 1, 3)))
    erasure = Erasure(None, 0, T0 - 1)
    assert sum(bench.store.erase(erasure, None)) == 6
    assert sum(bench.store.erase(erasure, ORDER)) == 6
    assert bench.times("A") == bench.times("B") == [T0, T0 + 1]
    assert [state[0] for state in bench.alarms("A")] == [T0]
    assert bench.store.audit(0, EVER) == [ORDER]


@pytest.fixture
def archive(tmp_path: Path) -> StoredArchive:
    made = make_archive(tmp_path)
    made.directories.state.mkdir(exist_ok=True)
    Registry(made.directories.registry).close()
    made.store([Point(name, T0 + at, 1.0) for name in ("A", "B") for at in range(5)])
    return made


SPAN = ("--start", format_utc(T0), "--end", format_utc(T0 + 60 * SECOND))


def test_the_command(archive: StoredArchive) -> None:
    """A dry run and a refused question delete nothing; with --yes the samples go, and `archioc audit` says who deleted them."""
    assert archive.read("store", "delete", "A", *SPAN, "--dry-run").startswith("5 samples of A from ")
    assert archive.run("store", "delete", "A", *SPAN).exit_code == 1  # nobody says yes
    assert len(archive.read_json("get", "A", "--start", "2020-01-01", "--format", "json")[0]["samples"]) >= 5
    assert "5 samples are deleted" in archive.read("store", "delete", "A", *SPAN, "--yes")
    assert "0 samples" in archive.read("store", "delete", "A", *SPAN, "--yes")
    assert "store delete A" in archive.read("audit", "--start", "-1h")
    assert archive.read("store", "prune", "--before", "-1d", "--dry-run").startswith("5 samples of all channels")
    with pytest.raises(UsageError, match="before it begins"):
        archive.run("store", "delete", "A", "--start", "-1h", "--end", "-2h")


def test_through_a_running_archiver(
    archiver: ArchiverFactory, softioc: SoftIocFactory, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The running archiver deletes for its own user; another user of its group may count, not delete. Collecting goes on."""
    names = counter_names(prefix, 1)
    made = archiver(names, [softioc(counter_database(names)).port])
    made.start(connected=1)
    made.wait_for_samples(names[0], 0)
    archive = StoredArchive(made.config)
    before = time.time_ns()
    reader = SocketReader(made.directories.query_socket)
    erasure = Erasure(names[0], 0, before)
    assert sum(reader.erase(erasure, None)) > 0
    assert "samples are deleted" in archive.read("store", "delete", names[0], "--start", "-1h", "--end", "now", "--yes")
    made.wait_for_samples(names[0], time.time_ns())
    assert made.stop() == 0


@pytest.mark.parametrize("request_", [{"query": "erase", "order": {}}, {"query": "copy_files", "directory": "/"}])
def test_strangers_are_refused(monkeypatch: pytest.MonkeyPatch, request_: dict[str, object]) -> None:
    """Who is neither root nor the user of the archiver may not delete or copy, only ask."""
    monkeypatch.setattr(unix_socket, "user_of", lambda _: 12345)
    server_module._refuse_strangers(None, request_ | {"query": "names"})  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="only the user of the archiver"):
        server_module._refuse_strangers(None, request_)  # type: ignore[arg-type]
