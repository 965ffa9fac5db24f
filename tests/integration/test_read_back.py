"""What a store has acknowledged can be read back, or it is not OK: losses on a real InfluxDB are found, told and sent again."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archioc.core.config.store import InfluxStore
from archioc.core.errors import StoreUnavailable
from archioc.core.events import Reason
from archioc.core.incidents import IncidentKind
from archioc.core.table.table import StoreState
from archioc.db.delivery import read_back
from tests.archives.watched_store import WatchedStore
from tests.conftest import InfluxdFactory
from tests.processes.influxd import Influxd, InfluxDatabase

Watched = Callable[..., WatchedStore]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """watched(settings, ...): a store and what watches it; batches may be checked as soon as they were delivered."""
    monkeypatch.setattr(read_back, "SETTLE_NS", 0)
    made: list[WatchedStore] = []

    def begin(settings: dict[str, object], **more: object) -> WatchedStore:
        made.append(WatchedStore(tmp_path / f"watched{len(made)}", InfluxStore.model_validate(settings), **more))  # type: ignore[arg-type]
        return made[-1]

    yield begin
    for one in made:
        one.close()


def log_files(server: Influxd) -> list[Path]:
    """The files of the server's write-ahead log."""
    return sorted(server.directory.glob("wal/epics/autogen/*/*.wal"))


def test_all_is_well(influx_database: InfluxDatabase, watched: Watched) -> None:
    """While all is there nothing is sent again, the store is OK, and it is signed once."""
    made = watched(influx_database.settings)
    made.commit(5)
    made.work()
    before = made.kept.batches()
    made.work()
    assert (made.state, made.error, made.is_whole()) == (StoreState.OK, "", True)
    assert made.kept.batches() == before
    assert len(before) == 5
    assert len(influx_database.query('SELECT "since" FROM "archive"')) == 1


def test_lost_samples_are_sent_again(influx_database: InfluxDatabase, watched: Watched) -> None:
    """Samples of the last minutes that have gone from the store come back without a person; incident and events tell span and number."""
    made = watched(influx_database.settings)
    made.commit(10)
    made.work()
    influx_database.query(f"DELETE FROM sample WHERE pv = 'B' AND time <= {made.sent[3]}")
    assert not made.is_whole()
    made.fail()
    made.work()
    assert made.is_whole()
    assert made.state is StoreState.DEGRADED
    assert "had lost 4 of 30 samples" in made.error
    [event] = made.store.events("B", 0, 2**62)
    assert (event.reason, event.count) == (Reason.SENT_AGAIN, 4)
    assert made.store.events("A", 0, 2**62) == []
    [incident] = made.standing()
    assert (incident.kind, incident.until_ns > time.time_ns()) == (IncidentKind.LOST, True)


def test_losses_are_found_without_an_outage(influx_database: InfluxDatabase, watched: Watched) -> None:
    """The samples of the last hour are counted every few minutes, also those that were found before."""
    made = watched(influx_database.settings)
    for _ in range(2):
        made.commit(3)
        made.work()
    influx_database.query("DELETE FROM sample WHERE pv = 'C'")
    made.commit(3)
    made.work()
    made.work()
    assert made.is_whole()
    assert "had lost" in made.error


@pytest.mark.parametrize("noticed", [True, False])
def test_a_torn_log(own_influxd: InfluxdFactory, watched: Watched, noticed: bool) -> None:
    """Samples behind a torn record of the server's log, acknowledged and gone after its restart, come back without a person.

    Also where the server was away between two writes only, so that none failed.
    """
    server = own_influxd()
    made = watched(server.settings("epics"))
    made.commit(10)
    made.work()
    server.kill()
    [log] = log_files(server)
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2] + b"\0\0torn")
    server.start()
    if noticed:
        assert not made.is_whole()
        made.fail()
    made.watch._doubt_at = float("-inf")
    made.work()
    assert made.is_whole()
    assert made.standing()[0].kind is IncidentKind.LOST


def test_a_restored_backup(own_influxd: InfluxdFactory, watched: Watched, tmp_path: Path) -> None:
    """A server put back from a backup: what is kept is sent again; what is not there any more is a gap of all channels that tells why."""
    server = own_influxd()
    made = watched(server.settings("epics"))
    made.commit(5)
    made.work()
    server.stop()
    shutil.copytree(server.directory, tmp_path / "backup")
    server.start()
    made.fail()
    made.store.sign(time.time_ns(), made.sent[0])
    made.commit(5)
    made.work()
    for batch in [batch for batch in made.kept.batches() if batch.batch_id < made.sent[7]]:  # as after hours
        (made.spool.root / "delivered" / batch.name).unlink()
    server.stop()
    shutil.rmtree(server.directory)
    shutil.copytree(tmp_path / "backup", server.directory)
    server.start()
    made.begin(InfluxStore.model_validate(server.settings("epics")))
    made.work()
    assert made.times("A") == made.sent[:5] + made.sent[7:]
    for name in made.names:
        [gap] = made.store.events(name, 0, 2**62)
        assert (gap.reason, gap.end_ns) == (Reason.STORE_LOST, made.sent[7])
        assert made.sent[0] < gap.time_ns < made.sent[5]
    assert "restored from a backup" in made.error
    assert made.state is StoreState.DEGRADED
    assert int(made.table.delivery.head["write_again"][0]) == 1


@pytest.mark.parametrize("running", [True, False])
def test_a_dropped_database(own_influxd: InfluxdFactory, watched: Watched, running: bool) -> None:
    """A database that was there and is gone is not made again: Denied. Once a person has made it, all that is kept comes."""
    server = own_influxd()
    settings = server.settings("epics")
    made = watched(settings)
    made.commit(5)
    made.work()
    server.drop_database("epics")
    if not running:
        made.begin(InfluxStore.model_validate(settings))
    made.commit(1)
    for _ in range(2):
        made.work_denied("epics was there and is gone: restore it, make it by hand")
    assert made.state is StoreState.DENIED
    with pytest.raises(RuntimeError, match="database not found"):
        server.query("SHOW RETENTION POLICIES ON epics")
    server.make_database("epics")
    made.work()
    assert made.is_whole()
    assert made.standing()[0].kind is IncidentKind.EMPTIED
    assert "was emptied or replaced" in made.error
    assert int(made.table.delivery.head["write_again"][0]) == 1
    made.incidents.acknowledge()
    made.work()
    assert (made.state, made.error) == (StoreState.OK, "")


def test_a_database_is_made_again_where_that_is_wanted(own_influxd: InfluxdFactory, watched: Watched) -> None:
    """With `create: always` a dropped database is made again, and filled with what is kept; the rest is a gap."""
    server = own_influxd()
    made = watched({**server.settings("epics"), "create": "always"}, keep_s=0.0)
    made.commit(5)
    made.work()
    server.drop_database("epics")
    made.commit(1)
    made.work_denied("database not found")
    made.work()
    assert made.times("A") == made.sent[5:]
    [gap] = made.store.events("A", 0, 2**62)
    assert (gap.reason, gap.text) == (Reason.STORE_LOST, "the archive was emptied, or replaced by an empty one")
    assert gap.time_ns <= time.time_ns()
    assert made.sent[4] < (gap.end_ns or 0)


def test_what_cannot_be_found(influx_database: InfluxDatabase, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples that are acknowledged with 204 and never found where readers look: Denied; it goes on once that is mended."""
    made = watched(influx_database.settings)
    made.commit(2)
    made.work()
    with monkeypatch.context() as broken:
        broken.setattr(made.store._connection, "write", lambda *_, **__: None)  # a proxy that keeps nothing
        made.commit(3)
        made.work_denied("what is written cannot be read back: none of [0-9]+ samples")
        assert made.state is StoreState.DENIED
    made.work()
    assert made.is_whole()
    assert made.state is not StoreState.DENIED


def test_what_a_person_wants_sent_again(influx_database: InfluxDatabase, watched: Watched) -> None:
    """`archioc spool resend`: all that is kept since a time is sent again, also after a restart in between, once."""
    made = watched(influx_database.settings)
    made.commit(6)
    made.work()
    influx_database.query("DELETE FROM sample")
    wanted = made.kept.batches()[2:]
    made.ask_resend(wanted[0].delivered_ns)
    made.begin(InfluxStore.model_validate(influx_database.settings))
    made.watch._look(time.time_ns())
    made.work()
    assert {batch.batch_id for batch in wanted} <= set(made.times("A"))
    assert not list((made.spool.root / "delivered").glob("resend*"))


def test_a_full_disk_of_the_server(influx_database: InfluxDatabase, watched: Watched) -> None:
    """After `no space left on device` the advice stands, and what is delivered is kept for longer, until a person acknowledges it."""
    made = watched(influx_database.settings, keep_s=0.2)
    made.commit(1)
    made.work()
    made.fail(StoreUnavailable("500 engine: write wal: no space left on device"))
    made.commit(3)
    made.work()
    time.sleep(0.3)
    made.commit(1)
    made.work()
    assert made.state is StoreState.DEGRADED
    assert made.error.startswith("the server's disk was full and its log may be torn: make room, stop ArchIOC, restart the server twice")
    assert len(made.kept.batches()) >= 4
    made.incidents.acknowledge()
    made.work()
    made.commit(1)
    made.work()
    assert (made.state, made.error) == (StoreState.OK, "")
    assert len(made.kept.batches()) <= 2
