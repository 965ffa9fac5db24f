from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from archioc.core.errors import QueryError, StoreUnavailable
from archioc.core.events import ChannelEvent, Reason
from archioc.core.spool.batch import ChannelMeta
from archioc.core.spool.encoding.columns import ColumnEncoder
from archioc.core.spool.spool import SpoolFile
from archioc.db.embedded import reader as embedded_queries
from archioc.db.embedded import store as embedded
from archioc.db.embedded.day_files import MAX_ATTACHED
from archioc.db.embedded.days import DAY_NS, day_of
from archioc.db.embedded.store import EmbeddedStore
from tests.archives.batches import T0, Alarm, Point, make_batch, spool_file

ENCODER = ColumnEncoder("embedded")

_KILLED_WRITER = """
import os, sys
from pathlib import Path
from archioc.core.spool.encoding.columns import ColumnEncoder
from archioc.db.embedded.store import EmbeddedStore
from tests.archives.batches import T0, Point, make_batch, spool_file
store = EmbeddedStore(Path(sys.argv[1]))
store.prepare()
store.write(spool_file(ColumnEncoder("embedded"), make_batch([Point("A", T0, 1.0)])))
os._exit(9)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    made = EmbeddedStore(tmp_path / "store")
    made.prepare()
    yield made
    made.close()


def times(store: EmbeddedStore, channel: str = "A") -> list[int]:
    return [time_ns for chunk in store.samples(channel, 0, 2**62, with_previous=False) for time_ns in chunk.time.tolist()]


def test_only_one_process_may_have_it_open(store: EmbeddedStore, tmp_path: Path) -> None:
    """A second process is told that the directory is in use, for writing and for reading."""
    for mode in ("False", "True"):
        opening = f"EmbeddedStore(Path({str(tmp_path / 'store')!r}), read_only={mode}).prepare()"
        program = f"from pathlib import Path; from archioc.db.embedded.store import EmbeddedStore; {opening}"
        found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
        assert f"StoreUnavailable: {tmp_path / 'store'}: another process has this embedded store open" in found.stderr


def test_a_damaged_file_is_not_taken_for_an_open_one(tmp_path: Path) -> None:
    """A file that is no database is told as that, also where "lock" is part of its name, and not as in use."""
    directory = tmp_path / "clock"
    directory.mkdir()
    (directory / "catalog.duckdb").write_bytes(b"no database " * 1000)
    with pytest.raises(StoreUnavailable, match=r"clock/catalog\.duckdb: cannot be opened"):
        EmbeddedStore(directory).prepare()


def test_a_file_of_an_older_version_is_completed(store: EmbeddedStore, tmp_path: Path) -> None:
    """Tables and columns that a day file lacks are added when the archiver opens it; a reader says that it has to."""
    store.write(spool_file(ENCODER, make_batch([Point("A", T0, 1.0)])))
    store.close()
    path = tmp_path / "store" / f"{day_of(T0)}.duckdb"
    with duckdb.connect(str(path)) as older:
        older.execute("alter table sample drop column flags")
        older.execute("alter table sample drop column text")
        older.execute("drop table alarm")
    reader = EmbeddedStore(tmp_path / "store", read_only=True)
    reader.prepare()
    words = r"made by an older version, without sample\.flags, sample\.text, alarm\.channel.*start the archiver once"
    with pytest.raises(StoreUnavailable, match=words):
        times(reader)
    reader.close()
    store.prepare()
    store.write(spool_file(ENCODER, make_batch([Point("A", T0 + 1, 2.0)], alarms=[Alarm("A", T0 + 1, 2, 3)]), 2))
    (chunk,) = store.samples("A", 0, 2**62)
    assert (chunk.value.tolist(), chunk.flags.tolist()) == ([1.0, 2.0], [0, 0])
    assert [chunk.severity.tolist() for chunk in store.alarms("A", 0, 2**62)] == [[2]]


def test_what_a_killed_process_has_committed_is_there(tmp_path: Path) -> None:
    """After a kill the committed samples are read without writing, and a resend adds nothing."""
    directory = tmp_path / "store"
    assert subprocess.run([sys.executable, "-c", _KILLED_WRITER, str(directory)], timeout=30, check=False).returncode == 9
    reader = EmbeddedStore(directory, read_only=True)
    reader.prepare()
    assert times(reader) == [T0]
    reader.close()
    writer = EmbeddedStore(directory)
    writer.prepare()
    writer.write(spool_file(ENCODER, make_batch([Point("A", T0, 1.0)])))
    assert times(writer) == [T0]
    writer.close()


def test_nothing_archived_yet(tmp_path: Path) -> None:
    """Reading where there is no store says so and makes none."""
    with pytest.raises(StoreUnavailable, match="there is no embedded store yet"):
        EmbeddedStore(tmp_path / "none", read_only=True).prepare()
    assert not (tmp_path / "none").exists()


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """A path below a file is refused with the path named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="file/store: cannot hold the embedded store"):
        EmbeddedStore(tmp_path / "file" / "store").prepare()


def test_many_days_are_open_a_few_at_a_time(store: EmbeddedStore, tmp_path: Path) -> None:
    """Samples of more days than are kept open are written and read, each day in a file of its own."""
    days = 3 * MAX_ATTACHED
    written = [T0 + at * DAY_NS for at in range(days)]
    store.write(spool_file(ENCODER, make_batch([Point("A", time_ns, 1.0) for time_ns in written])))
    assert times(store) == written
    assert sorted(path.stem for path in (tmp_path / "store").glob("20*.duckdb")) == [day_of(time_ns) for time_ns in written]


def test_queries_run_beside_writes(store: EmbeddedStore) -> None:
    """Readers in other threads, over more days than are kept open, see whole batches while batches are written."""
    days = MAX_ATTACHED + 4
    per_batch = 50
    failures: list[BaseException] = []
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                found = len(times(store))
                assert found % per_batch == 0
                seen.append(found)
        except BaseException as error:  # noqa: BLE001 - carried to the test's own thread
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for batch in range(2 * days):
        begin = T0 // DAY_NS * DAY_NS + (batch % days) * DAY_NS + batch * 1000
        points = [Point("A", begin + at, 1.0) for at in range(per_batch)]
        store.write(spool_file(ENCODER, make_batch(points), batch + 1))
    done.set()
    for reader in readers:
        reader.join(20)
    assert not failures
    assert seen
    assert len(times(store)) == 2 * days * per_batch


def test_retention_drops_whole_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days beyond the retention go as files, closed events and old metadata with them; samples too old to keep are refused and told."""
    monkeypatch.setattr(embedded, "PURGE_EVERY_S", 0.0)
    now = time.time_ns()
    old, older = now - 3 * DAY_NS, now - 5 * DAY_NS
    metas = [ChannelMeta("A", at, 6, 1, "h") for at in (older, old, now)]
    events = [
        ChannelEvent("A", older, Reason.DISCONNECTED, end_ns=older + 1),
        ChannelEvent("A", older, Reason.TYPE_CHANGED),
        ChannelEvent("A", older, Reason.DISABLED),
        ChannelEvent("A", older, Reason.ARCHIVER_STOP),
        ChannelEvent("A", older, Reason.ARCHIVER_STOP, end_ns=now),
    ]
    keeper = EmbeddedStore(tmp_path / "store")
    keeper.prepare()
    keeper.write(spool_file(ENCODER, make_batch([Point("A", at, 1.0) for at in (older, old, now)], events, metas)))
    keeper.close()
    store = EmbeddedStore(tmp_path / "store", retention=2 * 86400.0)
    store.prepare()
    points = [Point("A", now + 1, 1.0), Point("B", old, 1.0), Point("B", now, 1.0), Point("B", old + 1, 1.0)]
    alarms = [Alarm("A", old, 1, 4), Alarm("A", now, 0, 0)]
    outcome = store.write(spool_file(ENCODER, make_batch(points, alarms=alarms), 2))
    assert times(store) == [now, now + 1]
    assert [chunk.time.tolist() for chunk in store.alarms("A", 0, now)] == [[now]]
    assert times(store, "B") == [now]
    assert outcome.rejected.tolist() == [0, 2]
    assert (outcome.refusals, outcome.kept.tolist()) == ((), [0, 0])
    assert [(event.channel, event.reason, event.count, event.text) for event in outcome.events] == [
        ("B", Reason.REJECTED, 2, "2 beyond the retention of the store")
    ]
    for _ in range(2):
        store.write_events(outcome.events)
    assert store.events("B", 0, 2**62) == [*outcome.events]
    assert not (tmp_path / "store" / f"{day_of(old)}.duckdb").exists()
    assert [(event.reason, event.end_ns) for event in store.events("A", 0, now)] == [(Reason.DISABLED, None), (Reason.ARCHIVER_STOP, now)]
    assert store.meta("A", older) is None
    assert store.meta("A", old) == metas[1]
    store.close()


def test_queries_have_time_limits(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that takes too long is interrupted, a walk through many days is given up, each with an error; the store goes on."""
    store.write(spool_file(ENCODER, make_batch([Point("A", T0, 1.0), Point("A", T0 - DAY_NS, 1.0)])))
    monkeypatch.setattr(embedded_queries, "STATEMENT_S", 0.1)
    with store._files.catalog() as cursor, pytest.raises(QueryError, match="on one step of a query"), embedded_queries._answering(cursor):
        cursor.execute("select count(*) from range(1000000) a, range(1000000) b where a.range % 7 = b.range % 11")
    monkeypatch.setattr(embedded_queries, "STATEMENT_S", 60.0)
    monkeypatch.setattr(embedded_queries, "QUERY_S", -1.0)
    with pytest.raises(QueryError, match="on this query; ask for a shorter range"):
        store.bins("A", T0 - DAY_NS, T0 + 1, 2)
    assert len(times(store)) == 2


def test_a_payload_that_cannot_be_read(store: EmbeddedStore) -> None:
    """A payload that is none is refused as a whole, counted and handed back for the quarantine."""
    file = spool_file(ENCODER, make_batch([Point("A", T0, 1.0), Point("B", T0, 1.0)]))
    outcome = store.write(SpoolFile(1, 0, file.destination, file.counts, b"nonsense"))
    assert outcome.rejected.tolist() == [1, 1]
    assert outcome.refusals[0].content == b"nonsense"
