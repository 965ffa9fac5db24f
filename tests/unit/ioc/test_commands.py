from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from archioc.core.channel import ChannelSettings, Mode
from archioc.core.errors import CommandRefused
from archioc.core.table.table import ChannelTable
from archioc.ioc.commands.declaring import apply_declared
from archioc.ioc.commands.text_commands import plan_add, plan_remove, plan_set, plan_setting
from archioc.ioc.registry.change import Change
from archioc.ioc.registry.table_rows import ChannelRows
from archioc.ioc.registry.writer import Registry
from archioc.ioc.results import ResultCode
from tests.archives.declarations import declaration, declare
from tests.hostile.refusals import refused


class Planner:
    """Commands planned on a registry with SR:V1, SR:V2 and SR:DCCT."""

    def __init__(self, directory: Path, table: ChannelTable) -> None:
        self.registry = Registry(directory / "state.db")
        self.rows = ChannelRows(table, (), {}, self.registry.groups)
        declared = (declare(name, rate=5.0) for name in ("SR:V1", "SR:V2", "SR:DCCT"))
        apply_declared(self.registry, self.rows, declaration(*declared), 0)
        self.rows.synchronise(self.registry.channels.values(), self.registry.revision)

    def add(self, text: str) -> Change:
        return asyncio.run(plan_add(text, self.registry, self.rows))

    def remove(self, text: str) -> Change:
        return asyncio.run(plan_remove(text, self.registry))

    def set(self, text: str) -> Change:
        return asyncio.run(plan_set(text, self.registry))


@pytest.fixture
def planner(tmp_path: Path) -> Iterator[Planner]:
    run = tmp_path / "run"
    run.mkdir()
    table = ChannelTable(run)
    table.create(6)
    made = Planner(tmp_path, table)
    yield made
    made.registry.close()
    table.close()


def test_add_reads_settings_of_each_line(planner: Planner) -> None:
    """Each line becomes a channel with its own settings; blank lines and comments are skipped."""
    change = planner.add('# new\nA:1 rate=2\n\nca://A:2.VAL mode=scan rate=100mHz enable=0 description="two words"\r\n')
    assert {channel.name: channel.settings for channel in change.added} == {
        "A:1": ChannelSettings(rate=2.0),
        "A:2": ChannelSettings(enable=False, mode=Mode.SCAN, rate=0.1, description="two words"),
    }
    assert [channel.row for channel in change.added] == [3, 4]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("A\nB rate=-1", ResultCode.BAD_SETTING, "line 2: B: rate=-1: must lie between 0 and 100000 Hz; nothing was changed"),
        ("A\n\nB speed=1", ResultCode.BAD_SETTING, "line 3: B: speed=1: no such setting"),
        ("A rate", ResultCode.SYNTAX, "line 1: rate=: must be written as setting=value"),
        ("A rate=1 rate=2", ResultCode.SYNTAX, "line 1: rate=2: is given twice"),
        ('A description="open', ResultCode.SYNTAX, "line 1: settings="),
        ("A\nSR:V1", ResultCode.EXISTS, "line 2: SR:V1: is archived already; nothing was changed"),
        ("A\nB\nA", ResultCode.EXISTS, "line 3: A: stands in line 1 too; nothing was changed"),
        ("A mode=scan", ResultCode.BAD_SETTING, "mode scan needs a rate above 0 Hz"),
        ("x" * 300, ResultCode.BAD_SETTING, "is longer than 255 bytes"),
        ("A\nB\nC\nD", ResultCode.TABLE_FULL, "7 channels, but archiver.max_channels is 6; nothing was changed"),
        (" \n#\n", ResultCode.SYNTAX, "the command holds no line; nothing was changed"),
    ],
)
def test_bad_add_names_line_and_rule(planner: Planner, text: str, code: ResultCode, words: str) -> None:
    """A bad line refuses the whole command with its code, and the text names the line, the value and the rule."""
    found, message = refused(planner.add, text)
    assert found == code
    assert words in message


def test_glob_needs_the_right_number(planner: Planner) -> None:
    """A glob that means several channels is refused with their number, and taken with it."""
    assert refused(planner.remove, "SR:V*") == (
        ResultCode.CONFIRM,
        "line 1: SR:V*: means 2 channels, repeat it with confirm=2; nothing was changed",
    )
    assert refused(planner.remove, "SR:V* confirm=3")[0] == ResultCode.CONFIRM
    assert {channel.name for channel in planner.remove("SR:V* confirm=2").removed} == {"SR:V1", "SR:V2"}
    assert {channel.name for channel in planner.remove("SR:DCC?").removed} == {"SR:DCCT"}


def test_unknown_channels_are_named(planner: Planner) -> None:
    """A name or a glob that fits nothing refuses Remove and Set with its line."""
    assert refused(planner.remove, "SR:V1\nSR:NONE") == (
        ResultCode.UNKNOWN_CHANNEL,
        "line 2: SR:NONE: no such channel in this archive; nothing was changed",
    )
    assert refused(planner.set, "XX* rate=1")[0] == ResultCode.UNKNOWN_CHANNEL


def test_set_changes_all_that_are_meant(planner: Planner) -> None:
    """Later lines build on earlier ones, and each changed value is an override of what the file says."""
    change = planner.set("SR:V* rate=1 confirm=2\nSR:V1 enable=0")
    assert {channel.name: channel.settings for channel in change.changed} == {
        "SR:V1": ChannelSettings(enable=False, rate=1.0),
        "SR:V2": ChannelSettings(rate=1.0),
    }
    overrides = change.changed[0].overrides
    assert [(one.setting, one.value, one.file_value) for one in overrides] == [("rate", "1.0", "5.0"), ("enable", "0", "1")]


def test_putting_the_file_value_leaves_no_override(planner: Planner) -> None:
    """A put of what the file says already is no override."""
    (channel,) = plan_setting("SR:V1", "rate", 5, planner.registry).changed
    assert channel.overrides == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [("SR:V1", ResultCode.SYNTAX), ("SR:V1 rate=x", ResultCode.BAD_SETTING), ("SR:V1 mode=scan rate=0", ResultCode.BAD_SETTING)],
)
def test_bad_set_is_refused(planner: Planner, text: str, code: ResultCode) -> None:
    """Set without a setting, or with one that breaks a rule, is refused."""
    assert refused(planner.set, text)[0] == code


def test_remove_takes_no_settings(planner: Planner) -> None:
    """A setting in a line of Remove is a mistake, not something to pass over."""
    assert refused(planner.remove, "SR:V1 rate=3")[0] == ResultCode.SYNTAX


def test_long_command_gives_way_to_the_loop(planner: Planner) -> None:
    """While a command of 1500 lines is checked, other work of the event loop gets its turn again and again."""

    async def race() -> int:
        turns = 0
        task: asyncio.Task[Change] = asyncio.create_task(_refused_at_the_end(planner))
        while not task.done():
            turns += 1
            await asyncio.sleep(0)
        assert isinstance(task.exception(), CommandRefused)
        return turns

    assert asyncio.run(race()) > 10


def _refused_at_the_end(planner: Planner) -> Coroutine[Any, Any, Change]:
    return plan_add("\n".join(f"N:{number} rate=1" for number in range(1500)), planner.registry, planner.rows)
