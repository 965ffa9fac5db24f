from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archioc.core.channel import DEFAULT_MAX_INTERVAL, SETTING_NAMES, ChannelSettings, Clock, LargeArrays, Mask, Mode, read_setting
from archioc.core.config.declared_channels import DeclaredChannel
from archioc.core.errors import RegistryError, TableFull
from archioc.core.registry import RegistryReader
from archioc.core.table.table import ChannelTable, RowState
from archioc.ioc.commands.declaring import apply_declared
from archioc.ioc.peer import Peer
from archioc.ioc.registry.archived import ArchivedChannel, setting_text
from archioc.ioc.registry.audit import AuditEntry
from archioc.ioc.registry.backup import back_up, back_up_earlier_version
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry
from tests.archives.declarations import declaration, declare

RELEASED = Path(__file__).parents[2] / "archives" / "registries"

PEER = Peer("127.0.0.1", 4711, "console", "ops")


class Archive:
    """Registry, rows and table as one run of the ioc process has them."""

    def __init__(self, directory: Path, table: ChannelTable) -> None:
        self.registry = Registry(directory / "state.db")
        self.rows = ChannelRows(table, self.registry.channels.values(), self.registry.removed_rows, self.registry.groups)
        self.table = table

    def declare(self, *channels: DeclaredChannel) -> Change:
        change = apply_declared(self.registry, self.rows, declaration(*channels), int(self.table.settings.head["revision"][0]))
        self.rows.synchronise(self.registry.channels.values(), self.registry.revision)
        return change

    def apply(self, change: Change) -> None:
        revision = self.registry.revision + 1
        self.registry.commit(change, [AuditEntry(1, PEER, "Add", "", "", "done")], revision)
        self.registry.accept(change, revision)
        self.rows.write(change, revision)

    def add(self, name: str) -> ArchivedChannel:
        ((row, generation),) = self.rows.pick(1)
        channel = ArchivedChannel(name, row, generation, ChannelSettings(), ChannelSettings())
        self.apply(Change(added=(channel,)))
        return channel

    def put(self, name: str, **changes: object) -> None:
        self.apply(Change(changed=(self.registry.channels[name].with_changes(changes, self.registry.layers),)))

    def remove(self, name: str) -> None:
        self.apply(Change(removed=(self.registry.channels[name],)))

    def release(self, row: int) -> None:
        """What the engine does when it lets go of a row."""
        self.table.status.cells["generation"][row] = self.table.settings.cells["generation"][row]
        self.table.status.cells["released"][row] = 1


@pytest.fixture
def table(tmp_path: Path) -> Iterator[ChannelTable]:
    run = tmp_path / "run"
    run.mkdir()
    made = ChannelTable(run)
    made.create(20)
    yield made
    made.close()


@pytest.fixture
def archive(tmp_path: Path, table: ChannelTable) -> Iterator[Archive]:
    made = Archive(tmp_path, table)
    yield made
    made.registry.close()


def reopened(archive: Archive, tmp_path: Path) -> Archive:
    archive.registry.close()
    again = Archive(tmp_path, archive.table)
    archive.registry = again.registry
    return again


def test_declared_channels_get_dense_rows(archive: Archive, table: ChannelTable) -> None:
    """Channels of the file get rows from 0 on with generation 1, and their settings stand in the table."""
    archive.declare(declare("A", rate=5), declare("B", mode="scan", rate=0.1), declare("C", enable=False))
    cells = table.settings.cells[:3]
    assert cells["generation"].tolist() == [1, 1, 1]
    assert cells["state"].tolist() == [RowState.USED] * 3
    assert cells["rate"].tolist() == [5, 0.1, 0]
    assert cells["mode"].tolist() == [Mode.MONITOR, Mode.SCAN, Mode.MONITOR]
    assert cells["enable"].tolist() == [1, 1, 0]
    assert int(table.settings.head["rows"][0]) == 3
    assert int(table.settings.head["revision"][0]) == archive.registry.revision == 1


def test_override_survives_a_restart(archive: Archive, tmp_path: Path) -> None:
    """An operator's value holds after a restart although the file says otherwise, and other settings follow the file."""
    archive.declare(declare("A", rate=5))
    archive.put("A", rate=7)
    again = reopened(archive, tmp_path)
    again.declare(declare("A", rate=5, description="new"))
    assert again.registry.channels["A"].settings == ChannelSettings(rate=7.0, description="new")
    assert again.table.settings.cells["rate"][0] == 7


def test_override_is_dropped_when_the_file_changes(archive: Archive, tmp_path: Path) -> None:
    """A setting that the file has changed since the operator's put comes from the file again; others stay put."""
    archive.declare(declare("A", rate=5), declare("B"))
    archive.put("A", rate=7, enable=False)
    again = reopened(archive, tmp_path)
    again.declare(declare("A", rate=9), declare("B"))
    assert again.registry.channels["A"].settings == ChannelSettings(enable=False, rate=9.0)


def test_file_wins_where_overrides_no_longer_fit(archive: Archive, tmp_path: Path) -> None:
    """When the file turns to scan and the override says rate 0, which scan cannot have, the override goes."""
    archive.declare(declare("A", rate=5))
    archive.put("A", rate=0)
    again = reopened(archive, tmp_path)
    again.declare(declare("A", mode="scan", rate=5))
    assert again.registry.channels["A"].settings == ChannelSettings(mode=Mode.SCAN, rate=5.0)


def test_channel_that_leaves_the_file_is_removed_and_an_added_one_stays(archive: Archive, tmp_path: Path) -> None:
    """What an operator added stays in the archive when the file does not name it; what only the file named goes with it."""
    archive.declare(declare("A"), declare("B"))
    archive.add("C")
    again = reopened(archive, tmp_path)
    again.declare(declare("B"))
    assert set(again.registry.channels) == {"B", "C"}
    assert again.table.settings.cells["state"][:3].tolist() == [RowState.REMOVED, RowState.USED, RowState.USED]


def test_row_is_reused_only_after_release(archive: Archive, table: ChannelTable) -> None:
    """A removed row is given to another channel, with the next generation, only after the engine has let go of it."""
    archive.declare(declare("A"), declare("B"))
    archive.remove("A")
    assert archive.add("C").row == 2
    table.status.cells["released"][0] = 1
    assert archive.add("D").row == 3, "released for an older generation"
    archive.release(0)
    again = archive.add("E")
    assert (again.row, again.generation) == (0, 2)
    assert table.settings.cells["state"][0] == RowState.USED


def test_restart_leaves_fitting_rows_alone(archive: Archive, tmp_path: Path, table: ChannelTable) -> None:
    """A restart changes neither sequence number nor generation of rows that are as they should be, and mends those that are not."""
    archive.declare(declare("A"), declare("B"), declare("C"))
    archive.remove("C")
    table.settings.cells["state"][2] = RowState.USED  # killed between registry and table
    table.settings.cells["rate"][1] = 99
    before = table.settings.cells["seq"].copy()
    reopened(archive, tmp_path).declare(declare("A"), declare("B"))
    assert (table.settings.cells["seq"][:4] - before[:4]).tolist() == [0, 2, 2, 0]
    assert table.settings.cells["rate"][1] == 0
    assert table.settings.cells["state"][2] == RowState.REMOVED


def test_new_registry_on_an_old_table_repeats_no_generation(archive: Archive, tmp_path: Path, table: ChannelTable) -> None:
    """When state.db was put aside, rows get generations and revisions that the other processes have not seen."""
    archive.declare(declare("A"), declare("B"))
    archive.registry.close()
    for path in tmp_path.glob("state.db*"):
        path.unlink()
    archive.registry = Registry(tmp_path / "state.db")
    archive.rows = ChannelRows(table, archive.registry.channels.values(), archive.registry.removed_rows, archive.registry.groups)
    archive.declare(declare("X"))
    assert table.settings.cells["generation"][0] == 2
    assert int(table.settings.head["revision"][0]) == 2
    assert table.settings.cells["state"][1] == RowState.FREE


def test_full_table_refuses_and_changes_nothing(archive: Archive) -> None:
    """One channel more than the table holds is refused before anything is written."""
    archive.declare(*(declare(f"C{number}") for number in range(20)))
    with pytest.raises(TableFull, match="max_channels is 20"):
        archive.rows.pick(1)
    assert len(archive.registry.channels) == 20


def test_reader_gets_what_was_added_since(archive: Archive, tmp_path: Path) -> None:
    """The engine's reader gives channels added after a revision, again after a removal, and the newest revision."""
    archive.declare(declare("A"), declare("B"))
    reader = RegistryReader(tmp_path / "state.db")
    first, revision = reader.channels_since(0)
    assert [(channel.row, channel.generation, channel.name) for channel in first] == [(0, 1, "A"), (1, 1, "B")]
    archive.put("A", rate=3)
    assert reader.channels_since(revision) == ([], revision + 1)
    archive.remove("A")
    archive.release(0)
    archive.add("A")
    later, newest = reader.channels_since(revision)
    assert [(channel.row, channel.generation, channel.name, channel.revision) for channel in later] == [(0, 2, "A", newest)]
    reader.close()


def test_failed_commit_leaves_no_part(archive: Archive, tmp_path: Path) -> None:
    """A transaction that breaks in the middle leaves the registry as it was, and the next one works."""
    archive.declare(declare("A"))
    twice = ArchivedChannel("B", 1, 1, ChannelSettings(), ChannelSettings())
    with pytest.raises(RegistryError, match=r"state\.db: cannot be written"):
        archive.registry.commit(Change(added=(twice, twice)), (), 2)
    archive.add("C")
    assert set(reopened(archive, tmp_path).registry.channels) == {"A", "C"}


def test_damaged_file_is_named(tmp_path: Path) -> None:
    """A state.db that is no database gives an error that names it and says what to do, for the writer and the reader."""
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(RegistryError, match=r"state\.db: cannot be used: .*check CONFIG --restore newest"):
        Registry(path)
    with pytest.raises(RegistryError, match=r"state\.db: cannot be read"):
        RegistryReader(path)


def test_missing_file_is_an_error_for_the_reader(tmp_path: Path) -> None:
    """The reader does not make a registry that is not there."""
    with pytest.raises(RegistryError, match="cannot be read"):
        RegistryReader(tmp_path / "state.db")
    assert not list(tmp_path.iterdir())


def test_audit_keeps_refused_puts(archive: Archive, tmp_path: Path) -> None:
    """Refused puts are in the audit with peer and reason once they are written."""
    archive.registry.note(AuditEntry(5, PEER, "ARCH:Add", "", "X rate=-1", "refused because"))
    archive.registry.write_notes()
    reader = RegistryReader(tmp_path / "state.db")
    rows = reader._connection.execute("SELECT * FROM audit").fetchall()
    reader.close()
    assert rows == [(5, "ops", "console", "127.0.0.1:4711", "ARCH:Add", "", "X rate=-1", "refused because")]


def test_a_registry_of_version_1_is_brought_along(tmp_path: Path, table: ChannelTable) -> None:
    """The registry of an ArchIOC without dead bands is taken over: its channels keep what they have and get the defaults for the rest."""
    path = tmp_path / "state.db"
    Registry(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for column in ("deadband", "deadband_pct", "max_interval", "mask", "quota", "clock", "max_elements", "large_arrays", "as_text"):
            old.execute(f"ALTER TABLE channel DROP COLUMN {column}")
        for column in ("own", "moves_to", "leaves_ns", "added_ns"):
            old.execute(f"ALTER TABLE channel DROP COLUMN {column}")
        for column in ("moved_to", "name", "added", "removed"):
            old.execute(f"ALTER TABLE removed_row DROP COLUMN {column}")
        for column in ("groups_revision", "fingerprint"):
            old.execute(f"ALTER TABLE meta DROP COLUMN {column}")
        for table_name in ("channel_group", "group_override", "policy", "alarm_limit", "alias", "refused_put"):
            old.execute(f"DROP TABLE {table_name}")
        old.execute("PRAGMA user_version = 1")
        old.execute("INSERT INTO channel VALUES ('A', 0, 1, 1, 0, 1, 0.5, 'pump', 1, 'vacuum')")
        old.execute("UPDATE meta SET revision = 1")
    archive = Archive(tmp_path, table)
    channel = archive.registry.channels["A"]
    assert channel.declared == ChannelSettings(False, Mode.SCAN, 0.5, "pump", group="vacuum")
    assert (channel.settings.group, channel.in_file) == ("vacuum", True)
    archive.put("A", deadband=0.5, max_interval="1min")
    archive.registry.close()
    again = Archive(tmp_path, table)
    wanted = ChannelSettings(False, Mode.SCAN, 0.5, "pump", deadband=0.5, max_interval=60, group="vacuum")
    assert again.registry.channels["A"].settings == wanted
    again.registry.close()


def test_a_registry_of_version_3_is_brought_along_after_a_copy(tmp_path: Path, table: ChannelTable) -> None:
    """The registry of an ArchIOC without renamings is copied as it is, then taken over with all it has."""
    path, copies = tmp_path / "state.db", tmp_path / "backup"
    archive = Archive(tmp_path, table)
    archive.add("A")
    archive.put("A", rate=7)
    archive.registry.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("DROP TABLE alias")
        old.execute("DROP TABLE refused_put")
        for column in ("moves_to", "leaves_ns", "added_ns"):
            old.execute(f"ALTER TABLE channel DROP COLUMN {column}")
        for column in ("moved_to", "name", "added", "removed"):
            old.execute(f"ALTER TABLE removed_row DROP COLUMN {column}")
        old.execute("PRAGMA user_version = 3")
    before = back_up(path, copies)
    assert back_up_earlier_version(path, copies) == copies / "schema-3.db"
    again = Archive(tmp_path, table)
    assert (again.registry.channels["A"].settings.rate, len(again.registry.aliases)) == (7, 0)
    again.registry.close()
    with closing(sqlite3.connect(copies / "schema-3.db")) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (3,)
        assert copy.execute("SELECT value FROM override").fetchall() == [("7.0",)]
    after = back_up(path, copies)
    assert after != before, "a copy that this version cannot use is none"
    assert back_up_earlier_version(path, copies) is None


@pytest.mark.parametrize("released", sorted(path.stem for path in RELEASED.glob("*.sql")))
def test_a_registry_that_was_released_is_brought_along(tmp_path: Path, table: ChannelTable, released: str) -> None:
    """Registries of every content that a commit of the main branch has written are taken over with channels, puts, groups and audit."""
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.executescript((RELEASED / f"{released}.sql").read_text())
    archive = Archive(tmp_path, table)
    channels = archive.registry.channels
    assert {name: channel.row for name, channel in channels.items()} == {"A": 0, "B": 1, "C": 2}
    longest = DEFAULT_MAX_INTERVAL if released == "schema-1" else 0.0  # what was the default then is kept as it was written
    wanted = ChannelSettings(rate=7.0, description="it's a pump", group="vacuum", max_interval=longest)
    assert (channels["A"].settings, channels["B"].settings.enable) == (wanted, False)
    assert list(archive.registry.groups) == ["vacuum"]
    assert archive.registry.removed_rows == {3: 2}
    assert [record.pv for record in archive.registry.last_changes(5)] == ["ARCH:CH:A:Rate"]
    archive.put("B", enable=True, rate=3)
    archive.registry.close()
    again = Archive(tmp_path, table)
    assert (again.registry.channels["B"].settings.rate, again.registry.channels["A"].settings) == (3, wanted)
    again.registry.close()


def test_a_registry_that_cannot_be_brought_along_stays_as_it_is(tmp_path: Path) -> None:
    """A database with what nobody knows is refused with the name of its copy, and not changed."""
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.executescript((RELEASED / "schema-4.sql").read_text() + "ALTER TABLE channel ADD COLUMN colour TEXT;")
    with pytest.raises(RegistryError, match=r"columns that this version does not know: colour.*backup/schema-4\.db is a copy"):
        Registry(path)
    with closing(sqlite3.connect(path)) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (4,)
        assert "refused_put" not in [name for (name,) in old.execute("SELECT name FROM sqlite_master")]


@pytest.mark.parametrize("replaced", [False, True])
def test_a_registry_without_its_file_takes_no_put(archive: Archive, tmp_path: Path, replaced: bool) -> None:
    """Where somebody has removed or replaced `state.db` under the running archiver, a put is refused: it would be lost."""
    archive.add("A")
    (tmp_path / "state.db").unlink()
    if replaced:
        (tmp_path / "state.db").touch()
    with pytest.raises(RegistryError, match="cannot be written"):
        archive.put("A", rate=7)


def test_declared_settings_are_kept(tmp_path: Path, table: ChannelTable) -> None:
    """Every setting that the file declares is in the registry and in the table after a restart."""
    wanted: dict[str, float] = {"rate": 2, "deadband": 0.25, "deadband_pct": 5, "max_interval": 60}
    archive = Archive(tmp_path, table)
    archive.declare(declare("A"))
    archive.declare(declare("A", "", **wanted, mask="value", mode="scan", enable=False, description="pump"))
    archive.registry.close()
    again = Archive(tmp_path, table)
    assert again.registry.channels["A"].declared == ChannelSettings(False, Mode.SCAN, 2, "pump", 0.25, 5, 60, Mask.VALUE)
    assert {name: table.settings.cells[name][0] for name in wanted} == wanted
    assert table.settings.cells["mask"][0] == Mask.VALUE
    again.registry.close()


settings_strategy = st.builds(
    ChannelSettings,
    enable=st.booleans(),
    mode=st.sampled_from(Mode),
    rate=st.floats(0.001, 100_000),
    description=st.text(st.characters(codec="utf-8"), max_size=60),
    deadband=st.floats(0, allow_infinity=False),
    deadband_pct=st.floats(0, 100),
    mask=st.sampled_from(Mask),
    max_interval=st.one_of(st.just(0.0), st.floats(0.1, 1e6)),
    quota=st.floats(0, 100_000),
    clock=st.sampled_from(Clock),
    max_elements=st.integers(0, 100_000_000),
    large_arrays=st.sampled_from(LargeArrays),
    as_text=st.booleans(),
    group=st.from_regex(r"[A-Za-z0-9_-]{0,40}", fullmatch=True),
)


@given(settings_strategy)
def test_setting_text_reads_back(settings: ChannelSettings) -> None:
    """Every setting survives being written as text, to the last bit."""
    for name in SETTING_NAMES:
        assert read_setting(name, setting_text(settings, name)) == getattr(settings, name)


def test_hundred_thousand_channels_are_ready_in_seconds(tmp_path: Path) -> None:
    """100 000 declared channels are in registry and table within a few seconds of processor time at the first start."""
    run = tmp_path / "run"
    run.mkdir()
    table = ChannelTable(run)
    table.create(100_000)
    archive = Archive(tmp_path, table)
    begun = time.process_time()
    archive.declare(*(declare(f"SR:PS{number:06d}:I", rate=1.0) for number in range(100_000)))
    seconds = time.process_time() - begun
    assert np.count_nonzero(table.settings.cells["state"] == RowState.USED) == 100_000
    assert seconds < 10
    archive.registry.close()
    table.close()
