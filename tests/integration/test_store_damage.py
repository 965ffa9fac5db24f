"""Files of the embedded store that are damaged, lost, older, or of another archive: never wrong names, and the others go on."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from archioc.cli.check.check import check
from archioc.core.errors import QueryError, StoreUnavailable
from archioc.core.events import Reason
from archioc.core.spool.encoding.columns import ColumnEncoder
from archioc.db.embedded.day_files import DayFiles
from archioc.db.embedded.days import DAY_NS, day_of
from archioc.db.embedded.store import EmbeddedStore
from tests.archives.batches import T0, Point, make_batch, spool_file
from tests.processes.waiting import wait_until

ENCODER = ColumnEncoder("embedded")
DAY_BEFORE = T0 - DAY_NS

_KILLED_WRITER = """
import os, sys
from pathlib import Path
from tests.integration.test_store_damage import opened, write
store = opened(Path(sys.argv[1]))
write(store, 7, ("A", {T0} + 10, 5.0), ("B", {T0} + 10, 6.0))
os._exit(9)
"""

Damage = Callable[[Path], None]


def opened(directory: Path) -> EmbeddedStore:
    store = EmbeddedStore(directory)
    store.prepare()
    return store


def write(store: EmbeddedStore, batch_id: int, *points: tuple[str, int, float]) -> None:
    store.write(spool_file(ENCODER, make_batch([Point(*point) for point in points]), batch_id))


def values(store: EmbeddedStore, channel: str) -> list[float]:
    return [value for chunk in store.samples(channel, 0, 2**62, with_previous=False) for value in chunk.value.tolist()]


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)


def replaced(content: bytes) -> Damage:
    def replace(path: Path) -> None:
        path.write_bytes(content)

    return replace


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Damage] = {
    "empty": replaced(b""),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut short": lambda path: os.truncate(path, 100),
    "a bit of the head": lambda path: flip(path, 20),
    "a bit of its first block": lambda path: flip(path, 5000),
    "random": replaced(random.Random(1).randbytes(30_000)),
    "zeros": replaced(bytes(30_000)),
    "a directory": replace_by_directory,
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A closed store: A and B have a sample on each of two days, so that B's numbers could be taken for A's."""
    store = opened(tmp_path / "store")
    write(store, 1, ("B", DAY_BEFORE, 20.0))
    write(store, 2, ("A", DAY_BEFORE, 10.0))
    write(store, 3, ("A", T0, 1.0), ("B", T0, 2.0))
    store.close()
    return tmp_path / "store"


@pytest.fixture
def store(directory: Path) -> Iterator[EmbeddedStore]:
    made = EmbeddedStore(directory)
    yield made
    made.close()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_day_holds_up_nothing(store: EmbeddedStore, directory: Path, damage: str) -> None:
    """Whatever has become of the file of a day, a late sample of it and those of other days are stored; the file is kept and told of."""
    path = directory / f"{day_of(DAY_BEFORE)}.duckdb"
    DAMAGES[damage](path)
    store.prepare()
    write(store, 4, ("A", DAY_BEFORE + 5, 11.0), ("A", T0 + 5, 3.0))
    assert values(store, "A") == [11.0, 1.0, 3.0]
    assert values(store, "B") == [2.0]
    assert path.name in store.warning
    assert any(kept.name.startswith(path.name) for kept in (directory / "damaged").iterdir())
    for channel in ("A", "B"):
        [gap] = store.events(channel, DAY_BEFORE, DAY_BEFORE)
        assert gap.reason is Reason.STORE_DAMAGED
        assert gap.end_ns is not None
        assert (day_of(gap.time_ns), day_of(gap.end_ns)) == (day_of(DAY_BEFORE),) * 2
        assert path.name in gap.text


def test_every_file_is_looked_at(store: EmbeddedStore, directory: Path) -> None:
    """A damaged file of which nobody asks anything is found all the same, and told of by events."""
    (directory / f"{day_of(DAY_BEFORE)}.duckdb").write_bytes(b"")
    store.prepare()
    wait_until(lambda: store.events("B", DAY_BEFORE, DAY_BEFORE), 20, "the damage is told", 0.05)
    assert day_of(DAY_BEFORE) in store.warning


@pytest.mark.parametrize("day", [DAY_BEFORE, T0])
def test_a_missing_day_is_reported(store: EmbeddedStore, directory: Path, day: int) -> None:
    """A day file that somebody deleted is a fault of `check`, and a gap of each channel, whether it was written last or not."""
    store.prepare()  # so that the catalog lists the days
    store.close()
    (directory / f"{day_of(day)}.duckdb").unlink()
    reader = EmbeddedStore(directory, read_only=True)
    reader.prepare()
    assert f"{directory / day_of(day)}.duckdb: is missing" in [fault for faults in reader.faults(deep=False) for fault in faults]
    reader.close()
    store.prepare()
    write(store, 4, ("A", T0 + 5, 3.0))
    for channel in ("A", "B"):
        assert [event.reason for event in store.events(channel, day, day)] == [Reason.STORE_DAMAGED]
    assert f"{day_of(day)}.duckdb" in store.warning


def test_an_idle_store_is_opened_anew(store: EmbeddedStore, directory: Path) -> None:
    """What a query finds is mended without a write: the next queries are answered."""
    store.prepare()
    (directory / "catalog.duckdb").unlink()
    with pytest.raises(StoreUnavailable):
        list(store.names())

    def answers() -> bool:
        with contextlib.suppress(StoreUnavailable):
            return list(store.names()) == ["A", "B"]
        return False

    wait_until(answers, 20, "the store answers", 0.05)
    assert values(store, "A") == [10.0, 1.0]


@pytest.mark.parametrize("removed", ["day", "catalog", "all"])
def test_a_file_removed_in_use(store: EmbeddedStore, directory: Path, removed: str) -> None:
    """A file that is removed while it is open takes no sample any more: the batch waits, the loss is reported, and a new file goes on."""
    store.prepare()
    write(store, 4, ("A", T0 + 5, 3.0))
    if removed == "all":
        shutil.rmtree(directory)
    else:
        (directory / ("catalog.duckdb" if removed == "catalog" else f"{day_of(T0)}.duckdb")).unlink()
    with pytest.raises(StoreUnavailable, match="was removed or replaced"):
        write(store, 5, ("NEW", T0 + 6, 4.0))
    store.prepare()
    write(store, 5, ("NEW", T0 + 6, 4.0))
    assert values(store, "NEW") == [4.0]
    assert values(store, "A") == {"day": [10.0], "catalog": [10.0, 1.0, 3.0], "all": []}[removed]
    assert "duckdb" in store.warning
    if removed == "day":
        assert [event.reason for event in store.events("A", T0, T0)] == [Reason.STORE_DAMAGED]


def test_a_day_beyond_the_retention_is_not_missed(directory: Path) -> None:
    """Files that the retention deletes are never reported."""
    for _ in range(2):
        store = EmbeddedStore(directory, retention=3600.0)
        store.prepare()
        write(store, 4, ("A", T0 + 5, 3.0))
        assert not list(directory.glob("20*.duckdb"))
        assert store.warning == ""
        store.close()


def test_a_loss_is_reported_after_a_kill(store: EmbeddedStore, directory: Path) -> None:
    """A process that is killed after it has set a file aside, and before it wrote the events, leaves a note: the next one writes them."""
    files = DayFiles(directory, read_only=False)
    (directory / f"{day_of(DAY_BEFORE)}.duckdb").write_bytes(b"")
    files.open()
    with files.day(day_of(DAY_BEFORE)):
        pass
    files.close()
    store.prepare()
    write(store, 4, ("A", T0 + 5, 3.0))
    assert [event.reason for event in store.events("B", DAY_BEFORE, DAY_BEFORE)] == [Reason.STORE_DAMAGED]
    assert not list((directory / "damaged").glob("*.unreported"))


def test_damage_within_a_file_is_found_by_a_query(store: EmbeddedStore, directory: Path) -> None:
    """A block that cannot be read fails the query that needs it; then the file is set aside, and other days are answered."""
    filler = [("C", DAY_BEFORE + at, random.Random(at).random()) for at in range(100, 60_000)]
    store.prepare()
    write(store, 4, *filler)
    store.close()
    path = directory / f"{day_of(DAY_BEFORE)}.duckdb"
    flip(path, path.stat().st_size * 3 // 4)
    store.prepare()
    with pytest.raises(QueryError):
        values(store, "C")
    assert values(store, "C") == []
    assert values(store, "A") == [1.0]
    assert path.name in store.warning


@pytest.mark.parametrize("lost", ["missing", *DAMAGES])
def test_a_lost_catalog_is_made_anew(store: EmbeddedStore, directory: Path, lost: str) -> None:
    """Without its catalog each channel has its own samples, and new channels never get those of others."""
    path = directory / "catalog.duckdb"
    if lost == "missing":
        path.unlink()
    else:
        DAMAGES[lost](path)
    store.prepare()
    write(store, 4, ("0", T0 + 1, 7.0), ("A", T0 + 1, 3.0))
    assert (values(store, "A"), values(store, "B"), values(store, "0")) == ([10.0, 1.0, 3.0], [20.0, 2.0], [7.0])
    assert list(store.names()) == ["0", "A", "B"]
    assert "catalog.duckdb" in store.warning


def test_an_older_catalog_learns_what_it_missed(store: EmbeddedStore, directory: Path, tmp_path: Path) -> None:
    """With a catalog from a backup, channels that came since are known again, under their own names."""
    shutil.copy(directory / "catalog.duckdb", tmp_path / "kept")
    store.prepare()
    write(store, 4, ("NEW", T0 + DAY_NS, 8.0), ("A", T0 + DAY_NS, 3.0))
    store.close()
    (directory / "committed").unlink()
    shutil.copy(tmp_path / "kept", directory / "catalog.duckdb")
    store.prepare()
    write(store, 5, ("OTHER", T0 + DAY_NS + 1, 9.0))
    assert list(store.names()) == ["A", "B", "NEW", "OTHER"]
    assert (values(store, "NEW"), values(store, "OTHER"), values(store, "A")) == ([8.0], [9.0], [10.0, 1.0, 3.0])


def test_files_of_another_archive(store: EmbeddedStore, directory: Path, tmp_path: Path) -> None:
    """A catalog of another archive is replaced, a day file of another archive is set aside: no channel gets a stranger's samples."""
    other = opened(tmp_path / "other")
    write(other, 1, ("X", T0 - 2 * DAY_NS, 70.0), ("Y", T0, 71.0))
    other.close()
    shutil.copy(tmp_path / "other" / "catalog.duckdb", directory / "catalog.duckdb")
    shutil.copy(tmp_path / "other" / f"{day_of(T0 - 2 * DAY_NS)}.duckdb", directory)
    (directory / "committed").unlink()
    store.prepare()
    wait_until(lambda: len(list((directory / "damaged").glob("*.txt"))) == 2, 20, "both are set aside", 0.05)
    assert (values(store, "A"), values(store, "B"), values(store, "X")) == ([10.0, 1.0], [20.0, 2.0], [])


@pytest.mark.parametrize("lost", ["missing", "empty", "cut", "random", "a bit"])
def test_a_lost_log_is_told(store: EmbeddedStore, directory: Path, lost: str) -> None:
    """What a killed process had in the log of a day, and nowhere else, is told of when the log has gone; what was before it is there."""
    program = _KILLED_WRITER.format(T0=T0)
    killed = subprocess.run([sys.executable, "-c", program, str(directory)], timeout=60, check=False, env={**os.environ, "PYTHONPATH": "."})
    assert killed.returncode == 9
    log = directory / f"{day_of(T0)}.duckdb.wal"
    content = log.read_bytes()
    if lost == "missing":
        log.unlink()
    else:
        spoiled = {"empty": b"", "cut": content[:40], "random": random.Random(2).randbytes(5000)}
        log.write_bytes(spoiled.get(lost, content[:200] + bytes([content[200] ^ 1]) + content[201:]))
    store.prepare()
    assert values(store, "A") == [10.0, 1.0]
    write(store, 8, ("A", T0 + 20, 9.0))
    assert values(store, "A") == [10.0, 1.0, 9.0]
    assert day_of(T0) in store.warning
    [gap] = [event for event in store.events("A", T0, T0 + 10) if event.reason is Reason.STORE_DAMAGED]
    assert gap.end_ns is not None
    assert gap.end_ns > T0 + 10


def to_earlier_version(directory: Path) -> None:
    """Take from files what version 1 of the format did not have; the numbers are the catalog's."""
    with duckdb.connect(str(directory / "catalog.duckdb")) as catalog:
        numbers = dict(catalog.execute("select name, id from channel").fetchall())
        catalog.execute("drop table archive")
        catalog.execute("drop table day")
    for path in directory.glob("20*.duckdb"):
        with duckdb.connect(str(path)) as day:
            own = day.execute("select id, name from channel").fetchall()
            day.execute("update sample set channel = channel + 1000")
            for number, name in own:
                day.execute("update sample set channel = ? where channel = ?", [numbers[name], number + 1000])
            day.execute("drop table channel")
            day.execute("drop table archive")
    (directory / "committed").unlink()


def test_files_of_an_earlier_version(store: EmbeddedStore, directory: Path) -> None:
    """Day files without names are read by the numbers of their catalog, before the archiver has run once and after."""
    to_earlier_version(directory)
    reader = EmbeddedStore(directory, read_only=True)
    reader.prepare()
    assert (values(reader, "A"), values(reader, "B")) == ([10.0, 1.0], [20.0, 2.0])
    reader.close()
    store.prepare()
    write(store, 4, ("0", T0 + 1, 7.0), ("B", T0 + 1, 3.0))
    assert (values(store, "A"), values(store, "B"), values(store, "0")) == ([10.0, 1.0], [20.0, 2.0, 3.0], [7.0])
    store.close()
    (directory / "catalog.duckdb").unlink()
    store.prepare()
    assert (values(store, "A"), values(store, "B"), values(store, "0")) == ([10.0, 1.0], [20.0, 2.0, 3.0], [7.0])


def test_an_earlier_version_without_its_catalog(store: EmbeddedStore, directory: Path) -> None:
    """Day files without names whose catalog is lost are set aside: nobody knows whose samples they hold."""
    to_earlier_version(directory)
    (directory / "catalog.duckdb").unlink()
    with pytest.raises(StoreUnavailable, match=r"catalog\.duckdb is missing beside 2 day files"):
        EmbeddedStore(directory, read_only=True).prepare()
    store.prepare()
    write(store, 4, ("0", T0 + 1, 7.0), ("A", DAY_BEFORE + 1, 3.0))
    assert (values(store, "A"), values(store, "0")) == ([3.0], [7.0])
    wait_until(lambda: len(list((directory / "damaged").glob("20*.txt"))) == 2, 20, "both are set aside", 0.05)


def test_far_days_share_a_file(store: EmbeddedStore, directory: Path) -> None:
    """Samples of a hundred days long ago make one file; they are read among those of their time, and replace what was there."""
    store.prepare()
    far = [T0 - (30 + at) * DAY_NS for at in range(100)]
    write(store, 4, *(("A", time_ns, float(at)) for at, time_ns in enumerate(far)), ("A", T0 + 1, 3.0))
    assert sorted(path.name for path in directory.glob("*.duckdb")) == [
        f"{day_of(DAY_BEFORE)}.duckdb",
        f"{day_of(T0)}.duckdb",
        "catalog.duckdb",
        "late.duckdb",
    ]
    assert values(store, "A") == [*map(float, range(99, -1, -1)), 10.0, 1.0, 3.0]
    found = store.at("A", far[40] + 5)
    assert found is not None
    assert (found.time.tolist(), found.value.tolist()) == ([far[40]], [40.0])
    bins = store.bins("A", far[-1], T0 + 2, 3)
    assert (int(bins.count.sum()), float(bins.last[-1])) == (103, 3.0)


@pytest.mark.parametrize("deep", [False, True])
def test_check_looks_at_each_file(directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], deep: bool) -> None:
    """`archioc check` names a file that does not open; with --deep also one of which a block is damaged."""
    config = tmp_path / "site.yml"
    config.write_text(
        f"archiver: {{state_dir: {tmp_path / 'state'}}}\nstore: {{embedded: {{directory: {directory}}}}}\nspool: {{min_free: 1kB}}\n"
    )
    assert check(config, deep=deep)
    assert "store ok" in capsys.readouterr().out
    store = opened(directory)
    write(store, 4, *[("C", DAY_BEFORE + at, random.Random(at).random()) for at in range(100, 60_000)])
    store.close()
    path = directory / f"{day_of(DAY_BEFORE)}.duckdb"
    if deep:
        flip(path, path.stat().st_size * 3 // 4)
    else:
        path.write_bytes(b"")
    assert not check(config, deep=deep)
    assert f"store FAULT: {path}" in capsys.readouterr().out
    assert path.exists(), "a command that looks changes nothing"
