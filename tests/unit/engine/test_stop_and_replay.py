from __future__ import annotations

import time
from pathlib import Path

import pytest

from archioc.core.errors import SpoolError
from archioc.core.events import Reason
from archioc.engine import collector as collector_module
from archioc.engine.channels.last_run import LastRun
from archioc.engine.channels.open_gaps import OpenGapsFile
from archioc.engine.commit.commit import CommitThread
from tests.unit.engine.rig import Archive, Engine, events, newest, numbers, send

SECOND = 1_000_000_000


def test_a_stop_stores_all_there_is(archive: Archive) -> None:
    """Stopping drains the ring, lets withheld values pass, and opens a gap that the next start closes."""
    first = Engine(archive, time.time_ns())
    first.collector.round(time.time_ns())
    first.connect("B")
    first.collector.round(time.time_ns())
    send(first, "B", 1.0, 2.0, 3.0)
    first.stop(stopped := time.time_ns())
    assert numbers(archive.published(), "B") == [1.0, 3.0]
    second = Engine(archive, time.time_ns())
    assert second.collector.replay(LastRun(Reason.ARCHIVER_STOP, stopped, 0)) == 0
    second.collector.round(time.time_ns())
    second.connect("B")
    send(second, "B", 4.0)
    second.collector.round(time.time_ns())
    second.write()
    begins = newest(archive.published()[:-1], "B") + 1
    told = [(one.channel, one.reason, one.time_ns, one.end_ns is None) for one in events(archive) if one.channel == "B"]
    assert told == [("B", Reason.ARCHIVER_STOP, begins, True), ("B", Reason.ARCHIVER_STOP, begins, False)]
    assert numbers(archive.published(), "B", generated=True) == [1.0, 1.0, 3.0, 4.0, 4.0]
    second.kill()


def test_a_long_backlog_is_replayed_to_its_end(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog beyond what the commit thread takes at once is replayed whole before anything live is looked at."""
    first = Engine(archive, time.time_ns())
    first.collector.round(time.time_ns())
    first.connect("A")
    send(first, "A", *range(900))
    first.kill()
    monkeypatch.setattr(collector_module, "DRAIN_AT_MOST", 50)
    monkeypatch.setattr(collector_module, "OPEN_AT_MOST", 60)
    second = Engine(archive, time.time_ns(), commits=CommitThread)
    assert second.replay(time.time_ns()) == 901
    second.stop(time.time_ns())
    assert numbers(archive.published(), "A") == list(range(900))


def test_a_replay_that_the_spool_never_takes_ends(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the spool takes nothing the replay gives up with an error that says so; the events stay in the ring."""
    first = Engine(archive, time.time_ns())
    first.collector.round(time.time_ns())
    first.connect("A")
    send(first, "A", *range(900))
    first.kill()
    for name, value in {"DRAIN_AT_MOST": 50, "OPEN_AT_MOST": 60, "REPLAY_STALL_S": 0.1}.items():
        monkeypatch.setattr(collector_module, name, value)
    second = Engine(archive, time.time_ns())
    with pytest.raises(SpoolError, match="the spool has taken nothing"):
        second.replay(time.time_ns())
    assert int(second.ring.head["read_slot"][0]) == 0
    second.kill()


def test_power_cut_around_a_gap(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """What outlives the memory knows a gap before its event is published, and forgets it only after its end is published."""
    kept = OpenGapsFile(archive.directories.open_gaps)

    def power_cut(_: Path) -> None:
        raise OSError("power cut")

    def write(engine: Engine) -> None:
        engine.collector.round(time.time_ns())
        with monkeypatch.context() as changed:
            changed.setattr(archive.spool, "publish", power_cut)
            with pytest.raises(OSError, match="power cut"):
                engine.write()

    first = Engine(archive, time.time_ns())
    first.collector.round(time.time_ns())
    first.connect("A")
    send(first, "A", 1.0)
    first.collector.round(time.time_ns())
    first.write()
    assert kept.read() == {}
    first.disconnect("A")
    write(first)
    [(name, gap)] = kept.read().items()
    assert (name, gap.reason) == ("A", Reason.DISCONNECTED)
    first.kill()
    second = Engine(archive, time.time_ns())
    second.replay(time.time_ns())
    second.write()
    second.collector.round(time.time_ns())
    second.connect("A")
    send(second, "A", 2.0)
    write(second)
    assert kept.read()["A"] == gap
    second.kill()
    third = Engine(archive, time.time_ns())
    third.replay(time.time_ns())
    third.write()
    assert kept.read()["A"].reason is Reason.ENGINE_RESTART
    third.kill()


def test_settled_engine_killed_at_once(archive: Archive) -> None:
    """The gap of an engine that died lasts from its end to the first value, also when its successor dies before it cuts a batch itself."""
    begun = time.time_ns()
    first = Engine(archive, begun)
    first.collector.round(begun)
    first.connect("A")
    send(first, "A", 1.0)
    first.collector.round(begun)
    first.write()
    first.kill()
    second = Engine(archive, begun, commits=CommitThread)
    second.replay(begun)
    assert second.collector.settle(5.0)
    second.collector.round(begun + SECOND)
    second.connect("A")
    assert second.commits.finish(5.0)
    second.kill()
    third = Engine(archive, begun + SECOND)
    third.replay(begun + 2 * SECOND)
    third.collector.round(begun + 2 * SECOND)
    third.connect("A")
    send(third, "A", 2.0)
    third.collector.round(begun + 3 * SECOND)
    third.write()
    assert {(one.reason, one.time_ns) for one in events(archive)} == {(Reason.ENGINE_RESTART, newest(archive.published()[:1], "A") + 1)}
    assert events(archive)[-1].end_ns is not None
    third.kill()


@pytest.mark.parametrize("later_ms", [20, 5000, -3000])
def test_the_gap_of_a_stop_begins_behind_the_last_sample(archive: Archive, later_ms: int) -> None:
    """An update that was stamped just before a stop and never arrived is in the gap, whether the IOC's clock is behind or ahead of ours."""
    begun = time.time_ns()
    engine = Engine(archive, begun)
    engine.collector.round(begun)
    engine.connect("A")
    send(engine, "A", 1.0)
    engine.stop(stopped := time.time_ns() + later_ms * 1_000_000)
    [gap] = [one for one in events(archive) if one.reason is Reason.ARCHIVER_STOP]
    assert gap.time_ns == (stopped - SECOND if later_ms > 1000 else newest(archive.published(), "A") + 1)
