"""What `ImportFile` may open, and what an import changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from archioc.core.channel import ChannelSettings, Mode
from archioc.core.config.declared_channels import Declaration
from archioc.core.config.setting_precedence import DeclaredGroup
from archioc.core.errors import CommandRefused, TableFull
from archioc.core.table.table import ChannelTable
from archioc.importing.formats import ImportFormat
from archioc.importing.gathering import Imported
from archioc.ioc.commands.declaring import apply_declared, plan_declared
from archioc.ioc.commands.importing import plan_import, plan_imported, requested_files
from archioc.ioc.registry.table_rows import ChannelRows, IntArray
from archioc.ioc.registry.writer import Registry
from archioc.ioc.results import ResultCode
from tests.archives.declarations import declaration, declare


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[tuple[Registry, ChannelRows]]:
    """A registry with SR:A, as the file declares it."""
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "import").mkdir()
    table = ChannelTable(run)
    table.create(5)
    registry = Registry(tmp_path / "state.db")
    rows = ChannelRows(table, (), {}, registry.groups)
    apply_declared(registry, rows, declaration(declare("SR:A", rate=5)), 0)
    rows.synchronise(registry.channels.values(), registry.revision)
    yield registry, rows
    registry.close()
    table.close()


def test_only_files_in_the_directory_are_opened(tmp_path: Path) -> None:
    """A path that leads out of the directory, by dots, from the root or by a link, is refused, and so is what is no file."""
    directory = tmp_path / "import"
    (directory / "sub").mkdir(parents=True)
    (directory / "sub" / "a b.csv").touch()
    (tmp_path / "outside").touch()
    (directory / "link").symlink_to(tmp_path / "outside")
    (directory / "circle").symlink_to(directory / "circle")
    os.mkfifo(directory / "fifo")
    found = requested_files(f'# x\n"sub/a b.csv" format=csv\n"{directory}/sub/a b.csv"', directory)
    assert found == [(directory / "sub" / "a b.csv", ImportFormat.CSV), (directory / "sub" / "a b.csv", ImportFormat.AUTO)]
    for name in ("../outside", str(tmp_path / "outside"), "link", "circle", "fifo", "sub", "none", ".", "a\0b", "x" * 5000):
        with pytest.raises(CommandRefused, match=r"line 1: .*must be a file in .*; nothing was changed") as caught:
            requested_files(name, directory)
        assert caught.value.code == ResultCode.BAD_FILE
    for line in ("a format=doc", "a csv", "a format=csv b", '"a', "#"):
        with pytest.raises(CommandRefused) as caught:
            requested_files(line, directory)
        assert caught.value.code == ResultCode.SYNTAX


def test_known_channels_and_groups_stay_and_new_ones_outlive_apply(archive: tuple[Registry, ChannelRows]) -> None:
    """An import adds what is not there; what it says of a new group still holds after the configuration file was applied again."""
    registry, rows = archive
    imported = Imported(
        Declaration(
            groups=(DeclaredGroup("vac", False, "M > 0"),), channels=(declare("SR:A", rate=1), declare("B", "vac", mode="scan", rate=2))
        ),
        ("aliases: B",),
    )
    planned = plan_imported(registry.content, imported, rows.pick)
    assert str(planned) == "imported 1 channel, 1 archived already\nnot mapped: aliases: B"
    registry.commit(planned.change, (), registry.revision + 1)
    registry.accept(planned.change, registry.revision + 1)
    rows.write(planned.change, registry.revision)
    applied = plan_declared(registry.content, declaration(declare("SR:A", rate=5)), rows.pick)
    assert not applied.added + applied.changed + applied.removed
    assert not applied.touches_groups
    assert registry.channels["SR:A"].settings == ChannelSettings(rate=5.0)
    assert registry.channels["B"].settings == ChannelSettings(mode=Mode.SCAN, rate=2.0, group="vac")
    assert (registry.groups["vac"].enable, registry.groups["vac"].condition) == (False, "M > 0")


def test_import_is_all_or_nothing_and_read_elsewhere(archive: tuple[Registry, ChannelRows], tmp_path: Path) -> None:
    """A fault in the second file refuses both, by its place; a table that is full refuses; good files become one change."""
    registry, rows = archive
    directory = tmp_path / "import"
    (directory / "good").write_text("B\nC rate=2\n")
    (directory / "bad.csv").write_text("pv,rate\nD,x\n")
    (directory / "long").write_text("".join(f"L:{number}\n" for number in range(5)))

    async def pick(count: int) -> tuple[IntArray, IntArray]:
        return rows.pick_columns(count)

    def plan(text: str) -> set[str]:
        return {channel.name for channel in asyncio.run(plan_import(text, directory, registry, pick)).change.added}

    assert plan("good\n") == {"B", "C"}
    with pytest.raises(CommandRefused, match=r"bad\.csv:2: D: rate=x: .*; nothing was changed") as caught:
        plan("good\nbad.csv")
    assert caught.value.code == ResultCode.BAD_FILE
    with pytest.raises(TableFull, match="6 channels, but"):
        plan("long")
