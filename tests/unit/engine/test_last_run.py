"""What an engine learns of the one before it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from archioc.core.events import Reason
from archioc.engine.channels.last_run import AliveFile, LastRun, find_last_run, guess_last_run, last_commit_ns
from tests.unit.engine.rig import Archive, Engine, events, newest, send

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path / "state")
    yield made
    made.close()


def test_the_file_outlives_its_writer(tmp_path: Path) -> None:
    """What was written last is read; of another boot the wall clock's time counts."""
    file = AliveFile(tmp_path / "alive")
    assert file.read() is None
    begun = time.time_ns()
    file.write(begun, 7)
    found = file.read()
    assert found is not None
    assert (found.reason, found.revision) == (Reason.ENGINE_RESTART, 7)
    assert abs(found.ended_ns - begun) < SECOND
    (tmp_path / "alive").write_text('{"stopped":true,"time_ns":5,"revision":8}')  # as earlier versions wrote it
    assert file.read() == LastRun(Reason.ARCHIVER_STOP, 5, 8)


DAMAGED = (b"", b"{", b"[]", b"{}", b'{"stopped":1,"time_ns":2,"revision":3}', b'{"stopped":true,"time_ns":"x","revision":3}')


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_file_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    """A file that says nothing is no first start: the log has a line."""
    (tmp_path / "alive").write_bytes(content)
    assert AliveFile(tmp_path / "alive").read() is None
    assert "alive_damaged" in capsys.readouterr().out


def test_an_engine_that_only_the_spool_knows(archive: Archive) -> None:
    """Without table and file the gap begins with the last commit, for channels that were there by then."""
    archive.add("A")
    begun = time.time_ns()
    first = Engine(archive, begun)
    first.collector.round(begun)
    first.connect("A")
    send(first, "A", 1.0)
    first.collector.round(time.time_ns())
    first.write()
    first.kill()
    committed = last_commit_ns(archive.spool)
    assert begun - SECOND // 20 <= committed <= time.time_ns()  # times of files advance in ticks of the kernel
    archive.add("LATER")
    archive.table.create(len(archive.table.settings.cells))
    archive.rows.synchronise(archive.registry.channels.values(), archive.registry.revision)
    assert find_last_run(archive.table, first.ring, AliveFile(archive.directories.alive)) is None
    second = Engine(archive, time.time_ns())
    last = guess_last_run(committed, second.reader)
    assert last is not None
    assert (last.reason, last.ended_ns) == (Reason.ENGINE_RESTART, committed)
    second.collector.replay(last)
    second.write()
    begins = max(newest(archive.published(), "A") + 1, committed - SECOND)
    assert [(one.channel, one.time_ns) for one in events(archive) if one.reason is Reason.ENGINE_RESTART] == [("A", begins)]
    second.kill()


def test_a_first_start_has_no_engine_before_it(archive: Archive) -> None:
    """Channels that were added after the spool was made show no earlier engine."""
    os.utime(archive.spool.root / "tmp", ns=(time.time_ns() - SECOND, time.time_ns() - SECOND))
    archive.add("A")
    engine = Engine(archive, time.time_ns())
    assert guess_last_run(last_commit_ns(archive.spool), engine.reader) is None
    engine.kill()


def test_a_clock_that_was_wrong(archive: Archive) -> None:
    """When the engine before ended while the wall clock was a day ahead, its end is told by the clock since boot."""
    archive.add("A")
    now = time.time_ns()
    engine = Engine(archive, now)
    engine.collector.round(now + DAY)  # as that clock had it
    ended = find_last_run(archive.table, engine.ring, AliveFile(archive.directories.alive))
    assert ended is not None
    assert abs(ended.ended_ns - time.time_ns()) < SECOND
    engine.kill()
