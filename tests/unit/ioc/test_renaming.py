from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from archioc.core.registry import read_aliases
from archioc.core.table.table import ChannelTable, RowState
from archioc.ioc.commands.declaring import apply_declared, pick_nothing, plan_declared, under_earlier_names
from archioc.ioc.commands.renaming import plan_rename
from archioc.ioc.commands.text_commands import plan_add, plan_setting
from archioc.ioc.peer import Peer
from archioc.ioc.registry.audit import AuditEntry
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry
from archioc.ioc.results import ResultCode
from tests.archives.declarations import declaration, declare
from tests.hostile.refusals import refused

IN_FILE = tuple(declare(name, rate=5.0) for name in ("A", "B"))


class Archive:
    """A registry with channels A and B of a file, that renames and starts again."""

    def __init__(self, directory: Path, table: ChannelTable) -> None:
        self.path, self._table = directory / "state.db", table
        self.registry = Registry(self.path)
        self.open()
        apply_declared(self.registry, self.rows, declaration(*IN_FILE), 0)
        self.rows.synchronise(self.registry.channels.values(), self.registry.revision)

    def open(self) -> None:
        registry = self.registry
        self.rows = ChannelRows(self._table, registry.channels.values(), registry.removed_rows, registry.groups)

    def start_again(self) -> None:
        self.registry.close()
        self.registry = Registry(self.path)
        self.open()

    def do(self, change: Change) -> None:
        revision = self.registry.revision + 1
        self.registry.commit(change, [AuditEntry(1, Peer("127.0.0.1", 1), "Rename", "", "", "done")], revision)
        self.registry.accept(change, revision)
        self.rows.write(change, revision)

    def plan(self, text: str) -> Change:
        return asyncio.run(plan_rename(text, self.registry, self.rows))

    def rename(self, text: str) -> None:
        self.do(self.plan(text))

    def add(self, text: str) -> None:
        self.do(asyncio.run(plan_add(text, self.registry, self.rows)))

    def release(self) -> None:
        """What the engine does when it lets go of rows."""
        status = self._table.status.cells
        status["generation"] = self._table.settings.cells["generation"]
        status["released"] = 1

    def aliases(self) -> list[tuple[str, str, bool]]:
        """Old name, new name, whether it still stands for that channel."""
        return [(alias.old, alias.new, alias.ended_ns is None) for alias in read_aliases(self.path)]

    def rows_in_use(self) -> list[int]:
        used: list[int] = (self._table.settings.cells["state"] == RowState.USED).nonzero()[0].tolist()
        return used


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    run = tmp_path / "run"
    run.mkdir()
    table = ChannelTable(run)
    table.create(5)
    made = Archive(tmp_path, table)
    yield made
    made.registry.close()
    table.close()


def test_a_renamed_channel_keeps_what_it_has(archive: Archive) -> None:
    """Settings, operators' puts, group and its place in the file go along; the row is another; a restart changes nothing of it."""
    archive.do(plan_setting("A", "rate", 7, archive.registry))
    before = archive.registry.channels["A"]
    archive.rename("A N")
    for _ in range(2):
        after = archive.registry.channels["N"]
        assert (after.settings, after.overrides, after.declared, after.own, after.in_file) == (
            before.settings,
            before.overrides,
            before.declared,
            before.own,
            True,
        )
        assert (after.row != before.row, "A" in archive.registry.channels) == (True, False)
        assert archive.registry.content.find("A") is after
        assert archive.aliases() == [("A", "N", True)]
        assert archive.rows_in_use() == [1, after.row]
        archive.start_again()
    assert archive.registry.removed_rows == {before.row: before.generation}


def test_lines_are_one_change_or_none(archive: Archive) -> None:
    """Many lines are checked against the names before; a wrong one changes nothing, and says which, what and why."""
    nothing = "nothing was changed"
    assert refused(archive.plan, "A N\nB") == (ResultCode.SYNTAX, f"line 2: B: must be OLD NEW; {nothing}")
    assert refused(archive.plan, "A N M") == (ResultCode.SYNTAX, f"line 1: A N M: must be OLD NEW; {nothing}")
    assert refused(archive.plan, "# no line") == (ResultCode.SYNTAX, f"the command holds no line; {nothing}")
    assert refused(archive.plan, "A N\n\nX M") == (ResultCode.UNKNOWN_CHANNEL, f"line 3: X: no such channel in this archive; {nothing}")
    assert refused(archive.plan, "A B") == (ResultCode.EXISTS, f"line 1: B: is archived already; {nothing}")
    assert refused(archive.plan, "A A") == (ResultCode.EXISTS, f"line 1: A: is archived already; {nothing}")
    assert refused(archive.plan, "A N\nB N") == (ResultCode.EXISTS, f"line 2: N: is given in line 1 too; {nothing}")
    assert refused(archive.plan, "A N\nA M") == (ResultCode.EXISTS, f"line 2: A: is renamed in another line too; {nothing}")
    assert refused(archive.plan, "A " + "x" * 300)[0] is ResultCode.BAD_SETTING
    assert sorted(archive.registry.channels) == ["A", "B"]
    archive.rename("A N\n# both\nB M")
    assert sorted(archive.registry.channels) == ["M", "N"]
    assert refused(archive.plan, "A X") == (ResultCode.UNKNOWN_CHANNEL, f"line 1: A: is called N now; {nothing}")
    assert refused(archive.plan, "N X\nM Y") == (ResultCode.TABLE_FULL, f"6 channels, but archiver.max_channels is 5; {nothing}")


def test_chains_and_the_way_back(archive: Archive) -> None:
    """Every earlier name stands for the channel until it is that of another one, over restarts too."""
    archive.rename("A N")
    archive.rename("N M")
    archive.start_again()
    assert [channel.name for name in "ANM" if (channel := archive.registry.content.find(name))] == ["M"] * 3
    archive.release()
    archive.rename("M A")
    archive.start_again()
    assert [channel.name for name in "ANM" if (channel := archive.registry.content.find(name))] == ["A"] * 3
    assert archive.aliases() == [("A", "N", False), ("N", "M", True), ("M", "A", True)]
    archive.add("N")
    archive.start_again()
    assert [channel.name for name in "ANM" if (channel := archive.registry.content.find(name))] == ["A", "N", "A"]
    assert archive.aliases() == [("A", "N", False), ("N", "M", False), ("M", "A", True)]
    known = read_aliases(archive.path)
    assert known[0].ended_ns == known[2].until_ns
    assert known == sorted(known, key=lambda alias: alias.until_ns)


def test_a_file_with_the_old_name_means_the_renamed_channel(archive: Archive) -> None:
    """Applying a file that was not changed neither adds the old name again nor removes the new one; what it says of it holds."""
    archive.rename("A N")
    content = archive.registry.content
    assert under_earlier_names(content, declaration(*IN_FILE)) == [("A", "N")]
    for prune in (False, True):
        assert not plan_declared(content, declaration(*IN_FILE), pick_nothing, prune=prune)
    changed = plan_declared(content, declaration(declare("A", rate=6.0), IN_FILE[1]), pick_nothing)
    assert [(channel.name, channel.settings.rate) for channel in changed.changed] == [("N", 6.0)]
    assert (changed.added, changed.removed) == ((), ())
    corrected = plan_declared(content, declaration(declare("N", rate=5.0), IN_FILE[1]), pick_nothing)
    assert (corrected.added, corrected.changed, corrected.removed) == ((), (), ())


def test_a_file_with_both_names_means_two_channels(archive: Archive) -> None:
    """Who writes the new name into the file and leaves the old one there gets another channel under it."""
    archive.rename("A N")
    both = declaration(*IN_FILE, declare("N", rate=5.0))
    assert under_earlier_names(archive.registry.content, both) == []
    apply_declared(archive.registry, archive.rows, both, 0)
    assert sorted(archive.registry.channels) == ["A", "B", "N"]
    archive.start_again()
    assert archive.aliases() == [("A", "N", False)]


def test_a_file_without_either_name_removes_the_channel(archive: Archive) -> None:
    """A renamed channel of the file goes when the file has none of its names."""
    archive.rename("A N")
    change = plan_declared(archive.registry.content, declaration(IN_FILE[1]), pick_nothing)
    assert [channel.name for channel in change.removed] == ["N"]


def test_two_earlier_names_in_a_file_mean_one_channel(archive: Archive) -> None:
    """Of two earlier names of one channel in a file, the first means it and the other a channel of its own."""
    archive.rename("A N")
    archive.rename("N M")
    names = under_earlier_names(archive.registry.content, declaration(declare("N"), declare("A"), IN_FILE[1]))
    assert names == [("N", "M")]


def test_settings_go_to_the_channel_of_an_old_name(archive: Archive) -> None:
    """What is put to a PV of the old name changes the renamed channel."""
    archive.rename("A N")
    archive.do(plan_setting("A", "rate", 3, archive.registry))
    assert archive.registry.channels["N"].settings.rate == 3


def test_aliases_of_a_registry_that_is_not_there(tmp_path: Path) -> None:
    """An archive without a registry has no renamings."""
    assert read_aliases(tmp_path / "state.db") == []
